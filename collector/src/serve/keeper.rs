//! The thread that owns the store.
//!
//! Scrapes come in through a channel of bounded length and are written in one transaction an interval. What cannot be
//! written, as on a full disk, is kept for the next try up to a limit; what is measured then goes on being served.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;

use super::board::Board;
use super::config::Config;
use super::now;
use crate::error::chain;
use crate::observation::Vocabulary;
use crate::store::retention::Size;
use crate::store::{self, Reader, Retention, Scrape, SetAside, StoreError, Writer};

/// Scrapes that may wait for the keeper; it takes them at once unless it is writing.
const WAITING: usize = 8192;

/// Numbers that may wait to be written, at 32 bytes each.
const MAX_POINTS: usize = 2_000_000;

/// Longest time between two transactions.
const LONGEST: Duration = Duration::from_secs(15);

/// How often to forget what is too old or too much.
const RETAIN: Duration = Duration::from_secs(60);

/// What has become of the store.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// What was broken at the start.
    pub set_aside: Option<SetAside>,
    /// Why the last transaction failed; `None` while all is well.
    pub error: Option<String>,
    /// Whether that was for want of room.
    pub is_full: bool,
    /// Transactions that failed.
    pub failures: u64,
    /// Rounds that were written.
    pub rounds: u64,
    /// Numbers in them.
    pub values: u64,
    /// Bytes that they took before the database's own.
    pub bytes: u64,
    /// Numbers that were left out because there are too many series.
    pub left_out: u64,
    /// Scrapes that were given up because they could not be written.
    pub dropped: u64,
    /// Scrapes that were forgotten for age or size.
    pub forgotten: u64,
    /// When the last transaction ended well, in seconds since the epoch.
    pub last_write: Option<f64>,
    /// How long it took, in seconds.
    pub write_seconds: Option<f64>,
    /// How large the store is.
    pub size: Size,
}

/// What the others have of the keeper.
#[derive(Debug)]
pub struct Keeper {
    /// Each series once, for all that is scraped.
    pub vocabulary: Vocabulary,
    sender: SyncSender<Message>,
    status: Mutex<Status>,
    reader: OnceLock<Reader>,
    phase: watch::Sender<Phase>,
    failure: Mutex<Option<anyhow::Error>>,
}

#[derive(Debug)]
enum Message {
    Scrape(Scrape),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    Failed,
}

/// Opens the store and keeps it, on a thread of its own.
///
/// # Errors
///
/// When there is no thread to be had. That the store cannot be opened is told by [`Keeper::failed`].
pub fn start(config: &Arc<Config>, board: &Arc<Board>) -> anyhow::Result<(Arc<Keeper>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(WAITING);
    let keeper = Arc::new(Keeper {
        vocabulary: Vocabulary::default(),
        sender,
        status: Mutex::default(),
        reader: OnceLock::new(),
        phase: watch::Sender::new(Phase::Opening),
        failure: Mutex::default(),
    });
    let (own, config, _board) = (Arc::clone(&keeper), Arc::clone(config), Arc::clone(board));
    let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || {
        if let Err(error) = keep(&own, &config, &receiver) {
            *own.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.into());
            own.phase.send_replace(Phase::Failed);
        }
    });
    Ok((keeper, thread.context("cannot start the thread of the store")?))
}

impl Keeper {
    /// Keeps a scrape; never waits.
    pub fn keep(&self, scrape: Scrape) {
        match self.sender.try_send(Message::Scrape(scrape)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.status().dropped += 1,
        }
    }

    /// Writes what is there and ends.
    pub fn end(&self) {
        // Fails where the thread has ended already.
        let _ended = self.sender.send(Message::End);
    }

    /// Waits until the store is open; `false` if it cannot be opened.
    pub async fn opened(&self) -> bool {
        let mut phase = self.phase.subscribe();
        let ended = phase.wait_for(|phase| *phase != Phase::Opening).await;
        ended.is_ok_and(|phase| *phase == Phase::Open)
    }

    /// Waits until the store cannot be used, and says why.
    pub async fn failed(&self) -> anyhow::Error {
        let mut phase = self.phase.subscribe();
        let _sender_is_ours = phase.wait_for(|phase| *phase == Phase::Failed).await;
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        failure.unwrap_or_else(|| anyhow::anyhow!("the store cannot be used"))
    }

    /// For reading; `None` until the store is open.
    #[must_use]
    pub fn reader(&self) -> Option<&Reader> {
        self.reader.get()
    }

    /// What has become of the store.
    #[must_use]
    pub fn look(&self) -> Status {
        self.status().clone()
    }

    /// What whoever reads a report should know of the store.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let status = self.status();
        let mut warnings = Vec::new();
        if let Some(SetAside { path, reason }) = &status.set_aside {
            warnings.push(format!(
                "The store was broken at the start ({reason}). It was set aside as {}, and a new one begun: what was \
                 observed before is not in here.",
                path.display()
            ));
        }
        if let Some(error) = &status.error {
            let advice = if status.is_full {
                "the disk is full: make room, or lower --storage.retention.size"
            } else {
                "if that stays, restart the collector, which checks the store"
            };
            warnings.push(format!("Observations cannot be written ({error}); {advice}."));
        }
        if status.dropped > 0 {
            warnings.push(format!(
                "Scrapes that were lost because they could not be written: {}.",
                status.dropped
            ));
        }
        warnings
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        // Counts are good enough, whoever died while counting.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does.
fn keep(keeper: &Keeper, config: &Config, receiver: &Receiver<Message>) -> Result<(), StoreError> {
    let begin = Instant::now();
    let opened = store::open(&config.storage)?;
    if let Some(SetAside { path, reason }) = &opened.set_aside {
        tracing::error!(set_aside = %path.display(), reason, "the store was broken, a new one is begun");
    }
    keeper.status().set_aside.clone_from(&opened.set_aside);
    let _only_time = keeper.reader.set(Reader::new(&opened.path));
    let path = opened.path.clone();
    let writer = Writer::new(opened, keeper.vocabulary.clone())?;
    let took = begin.elapsed().as_secs_f64();
    tracing::info!(path = %path.display(), seconds = took, "the store is open and sound");
    keeper.phase.send_replace(Phase::Open);
    Keeping { keeper, writer, pending: Vec::new(), points: 0, retained: None }.run(config, receiver);
    Ok(())
}

struct Keeping<'a> {
    keeper: &'a Keeper,
    writer: Writer,
    pending: Vec<Scrape>,
    /// Numbers in what is pending.
    points: usize,
    retained: Option<Instant>,
}

impl Keeping<'_> {
    fn run(mut self, config: &Config, receiver: &Receiver<Message>) {
        let interval = config.pace.interval.min(LONGEST);
        let mut next = Instant::now() + interval;
        self.measure();
        loop {
            match receiver.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Scrape(scrape)) => {
                    self.points += scrape.points.len();
                    self.pending.push(scrape);
                    self.drop_what_is_too_much();
                }
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next {
                self.write();
                self.retain(&config.retention);
                self.measure();
                next = Instant::now() + interval;
            }
        }
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let begin = Instant::now();
        match self.writer.write(&self.pending) {
            Ok(written) => {
                let count = |count: usize| u64::try_from(count).unwrap_or_default();
                let mut status = self.keeper.status();
                status.rounds += count(written.rounds);
                status.values += count(written.values);
                status.bytes += count(written.bytes);
                status.left_out += count(written.left_out);
                status.last_write = Some(now());
                status.write_seconds = Some(begin.elapsed().as_secs_f64());
                status.is_full = false;
                if status.error.take().is_some() {
                    tracing::info!("observations can be written again");
                }
                drop(status);
                self.pending.clear();
                self.points = 0;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn retain(&mut self, retention: &Retention) {
        if self.retained.is_some_and(|at| at.elapsed() < RETAIN.min(retention.age / 10)) {
            return;
        }
        self.retained = Some(Instant::now());
        match self.writer.retain(retention, now()) {
            Ok(forgotten) => self.keeper.status().forgotten += u64::try_from(forgotten).unwrap_or_default(),
            Err(error) => self.failed(&error),
        }
    }

    fn measure(&self) {
        match self.writer.size() {
            Ok(size) => self.keeper.status().size = size,
            Err(error) => tracing::debug!(error = chain(&error), "the store's size is unknown"),
        }
    }

    fn failed(&self, error: &StoreError) {
        let reason = chain(error);
        let mut status = self.keeper.status();
        status.failures += 1;
        status.is_full = error.is_full();
        // Once, and not at each interval.
        if status.error.replace(reason.clone()).is_none() {
            tracing::error!(reason, "observations cannot be written");
        }
    }

    /// The latest are worth more than the oldest.
    fn drop_what_is_too_much(&mut self) {
        let mut too_many = 0;
        while self.points > MAX_POINTS
            && let Some(oldest) = self.pending.get(too_many)
        {
            self.points -= oldest.points.len();
            too_many += 1;
        }
        if too_many > 0 {
            self.pending.drain(..too_many);
            self.keeper.status().dropped += u64::try_from(too_many).unwrap_or_default();
        }
    }
}
