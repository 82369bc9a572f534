//! `serve`: scrapes on a schedule, keeps observations, and answers with the comparison.
//!
//! - [`config`]: flags and a file into what to do; [`args`] are the flags, [`file`](mod@file) is the file.
//! - [`intake`]: what the scraping engine brings, to the board and to the keeper.
//! - [`board`]: how each target is doing.
//! - [`keeper`]: the thread that owns the store.
//! - [`comparison`]: computes a comparison once for all who ask, away from those who answer; [`computing`] is one of
//!   them, [`coverage`] whether its window was observed as a whole.
//! - [`site`]: what is at which path; [`question`], [`instances`], [`metrics`], [`page`] and [`problem`] make the
//!   answers.
//! - [`process`]: what the collector itself uses.
//! - [`log`]: how it logs.

pub mod args;
pub mod board;
pub mod comparison;
pub mod computing;
pub mod config;
pub mod coverage;
pub mod file;
pub mod instances;
pub mod intake;
pub mod keeper;
pub mod log;
pub mod metrics;
pub mod page;
pub mod problem;
pub mod process;
pub mod question;
pub mod site;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tierprobe_web::Limits;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::source::discovery::{self, Refresh, Watching};
use crate::source::scrape::{self, Targets};
use args::Args;
use config::Config;

/// Threads that fetch and answer; comparisons have threads of their own.
const WORKERS: usize = 2;

/// Connections at a time.
const CONNECTIONS: usize = 64;

/// Seconds since the epoch.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Serves until it is told to end.
///
/// # Errors
///
/// What is wrong with flags, file, addresses or the store.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.metrics_document {
        return crate::output::write(&metrics::document(), None);
    }
    log::start(args.log_level, args.log_format);
    let config = Config::new(args)?;
    if args.check {
        return check(&config);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("cannot start")?;
    let served = runtime.block_on(serve(config));
    // A comparison that nobody waits for any more is not waited for either.
    runtime.shutdown_background();
    served
}

/// Looks at the store more closely than at each start.
fn check(config: &Config) -> anyhow::Result<()> {
    let problems = crate::store::open::check(&config.storage)?;
    let path = config.storage.join(crate::store::FILE);
    if problems.is_empty() {
        return crate::output::write(&format!("{}: sound\n", path.display()), None);
    }
    anyhow::bail!("{}: {}", path.display(), problems.join("; "))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let listeners = tierprobe_web::listen(&config.listen, "collector").await?;
    let config = Arc::new(config);
    let board = Arc::new(board::Board::default());
    // Opening checks the whole store, which may take a while; whoever asks meanwhile hears that it is not ready.
    let (keeper, keeping) = keeper::start(&config, &board)?;
    let site = Arc::new(site::Site::new(Arc::clone(&config), Arc::clone(&board), Arc::clone(&keeper)));
    for listener in &listeners {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
    }

    let (close, closed) = watch::channel(());
    let answering = {
        let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
        tokio::spawn(tierprobe_web::serve(listeners, Arc::clone(&site), limits, ended(closed.clone())))
    };
    let refreshing = tokio::spawn(comparison::refresh(Arc::clone(&site), ended(closed.clone())));
    let scraping = tokio::spawn(scrape_all(Arc::clone(&config), board, Arc::clone(&keeper), hangup, closed));

    let failed = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        failed = keeper.failed() => Some(failed),
    };
    tracing::info!("shutting down");
    drop(close);
    for task in [answering, refreshing, scraping] {
        let _panics_are_logged = task.await;
    }
    // Only now is there nothing more to write.
    keeper.end();
    let _panics_are_logged = tokio::task::spawn_blocking(move || keeping.join()).await;
    failed.map_or(Ok(()), Err)
}

async fn ended(mut closed: watch::Receiver<()>) {
    // Nothing is ever sent: that the sender is gone is the sign to end.
    let _gone = closed.changed().await;
}

/// Scrapes all targets of all lists.
async fn scrape_all(
    config: Arc<Config>,
    board: Arc<board::Board>,
    keeper: Arc<keeper::Keeper>,
    hangup: Signal,
    closed: watch::Receiver<()>,
) {
    if !keeper.opened().await {
        return;
    }
    let report = Arc::clone(&board);
    let context = discovery::Context {
        rules: Arc::clone(&config.rules),
        net: Arc::clone(&config.net),
        refresh: Refresh::default(),
        report: Arc::new(move |list, found| report.looked(list, found)),
    };
    let watching = discovery::watch(config.lists.clone(), context).await;
    let (sender, targets) = watch::channel(watching.targets.borrow().clone());
    board.looked_at_all();
    let following = tokio::spawn(follow(watching, sender, hangup));
    let sink = Arc::new(intake::Intake::new(board, keeper));
    scrape::run(targets, config.pace, Arc::clone(&config.net), sink, ended(closed)).await;
    following.abort();
}

/// Passes on how the lists change, and has all of them looked at at once when the user says so.
async fn follow(mut watching: Watching, sender: watch::Sender<Targets>, mut hangup: Signal) {
    let mut is_final = false;
    loop {
        tokio::select! {
            changed = watching.targets.changed(), if !is_final => is_final = changed.is_err(),
            told = hangup.recv() => {
                if told.is_none() {
                    return;
                }
                tracing::info!("looking for targets, as told; flags and the configuration file are read at a start only");
                watching.look_again();
            }
        }
        let all = watching.targets.borrow().clone();
        sender.send_if_modified(|before| {
            let is_new = *before != all;
            *before = all;
            is_new
        });
    }
}

/// Waits for a future, but not longer than this.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}
