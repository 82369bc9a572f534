//! Lists of targets that change: files, pages, names.
//!
//! - [`group`]: Prometheus' target groups, which files and pages hold.
//! - [`file`](mod@file), [`page`], [`name`]: `file_sd:`, `http_sd:`, `dns:` and `dns+srv:`.
//! - [`Discovery`]: one list; [`watch`](fn@watch) follows several.
//!
//! A list that cannot be had keeps the targets that it had last: a broken file must not end the scraping of a fleet.

pub mod file;
pub mod group;
pub mod name;
pub mod page;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;

use crate::http::{Address, HttpError, Net, Rules};
use crate::source::scrape::{Target, Targets};

/// Most targets of one list.
pub const MAX_TARGETS: usize = 100_000;

/// Where a list of targets is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovery {
    /// In files: a path, of which the name may have stars in it.
    Files(PathBuf),
    /// On a page, as Prometheus' `http_sd` asks for.
    Page(Address),
    /// Behind a name.
    Name(name::Question),
    /// In the hands of the user: one target.
    Static(Address),
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// A file cannot be read.
    #[error("cannot read {path}: {why}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No file has such a name.
    #[error("no file is called {0}")]
    NoFile(PathBuf),
    /// More files than anybody needs.
    #[error("{pattern} names more than {} files: put targets together in fewer", file::MAX_FILES)]
    TooManyFiles {
        /// The pattern that names them.
        pattern: PathBuf,
    },
    /// What is there is no list.
    #[error("{place}: {why}")]
    Unusable {
        /// The file or the page.
        place: String,
        /// Line or entry, and what is wrong there.
        why: String,
    },
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Another status than 200.
    #[error("it answers HTTP {0} instead of a list of targets")]
    Status(u16),
    /// The name servers know nothing.
    #[error("{name}: {why}")]
    Name {
        /// The name.
        name: String,
        /// What they say.
        why: String,
    },
    /// More targets than anybody has.
    #[error("{place} lists more than {MAX_TARGETS} targets")]
    TooMany {
        /// The file or the page.
        place: String,
    },
}

/// How often to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Files.
    pub files: Duration,
    /// Pages and names.
    pub others: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self { files: Duration::from_secs(5), others: Duration::from_secs(30) }
    }
}

/// Hears of each look at a list: what the user calls it, and how many targets are there or why there are none.
pub type Looked = Arc<dyn Fn(&str, Result<usize, &DiscoveryError>) + Send + Sync>;

/// What looking for targets needs.
#[derive(Clone)]
pub struct Context {
    /// Which access goes to which address.
    pub rules: Arc<Rules>,
    /// Names and memory.
    pub net: Arc<Net>,
    /// How often to look again.
    pub refresh: Refresh,
    /// Hears of each look.
    pub report: Looked,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("rules", &self.rules)
            .field("refresh", &self.refresh)
            .finish_non_exhaustive()
    }
}

impl Discovery {
    /// The targets that are on the list now. `source` is what the user calls it.
    async fn look(&self, source: &Arc<str>, context: &Context) -> Result<Targets, DiscoveryError> {
        let target =
            |address, labels| Arc::new(Target::new(address, labels, Arc::clone(source), &context.rules));
        let found = match self {
            Self::Static(address) => vec![(address.clone(), crate::observation::Labels::new())],
            Self::Files(pattern) => file::read(pattern)?,
            Self::Page(address) => page::fetch(address, context).await?,
            Self::Name(question) => question.ask(&context.net.names).await?,
        };
        Ok(found.into_iter().map(|(address, labels)| target(address, labels)).collect())
    }

    fn interval(&self, refresh: Refresh) -> Option<Duration> {
        match self {
            Self::Static(_) => None,
            Self::Files(_) => Some(refresh.files),
            Self::Page(_) | Self::Name(_) => Some(refresh.others),
        }
    }
}

/// All targets of all lists, as they change. Looking ends when this is dropped.
#[derive(Debug)]
pub struct Watching {
    /// The targets, for [`scrape::run`](crate::source::scrape::run). Its sender is gone, and the list final, where
    /// all targets are static.
    pub targets: Receiver<Targets>,
    again: Sender<()>,
    /// Looks again from time to time.
    _tasks: JoinSet<()>,
}

impl Watching {
    /// Looks at all lists now, whenever their turn would be. What cannot be had keeps the targets that it had, as ever.
    pub fn look_again(&self) {
        self.again.send_replace(());
    }
}

/// Looks at all lists once, and goes on looking.
///
/// Must run on a Tokio runtime with time and I/O.
pub async fn watch(lists: Vec<(Arc<str>, Discovery)>, context: Context) -> Watching {
    let known = Arc::new(Mutex::new(vec![Targets::new(); lists.len()]));
    let (sender, targets) = watch::channel(Targets::new());
    let sender = Arc::new(sender);
    let mut first = JoinSet::new();
    for (at, (source, list)) in lists.iter().cloned().enumerate() {
        let (context, known) = (context.clone(), Arc::clone(&known));
        first.spawn(async move { look(at, &source, &list, &context, &known).await });
    }
    while first.join_next().await.is_some() {}
    publish(&sender, &known);
    let mut tasks = JoinSet::new();
    let (again, told) = watch::channel(());
    for (at, (source, list)) in lists.into_iter().enumerate() {
        let Some(interval) = list.interval(context.refresh) else { continue };
        let (context, known, sender) = (context.clone(), Arc::clone(&known), Arc::clone(&sender));
        let mut told = told.clone();
        tasks.spawn(async move {
            loop {
                // Told or not, it is looked; that nobody can tell any more ends the tasks, too.
                let _told_or_due = tokio::time::timeout(interval, told.changed()).await;
                look(at, &source, &list, &context, &known).await;
                publish(&sender, &known);
            }
        });
    }
    Watching { targets, again, _tasks: tasks }
}

type Known = Mutex<Vec<Targets>>;

async fn look(at: usize, source: &Arc<str>, list: &Discovery, context: &Context, known: &Known) {
    match list.look(source, context).await {
        Ok(targets) => {
            (context.report)(source, Ok(targets.len()));
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = known.get_mut(at) {
                *slot = targets;
            }
        }
        Err(error) => (context.report)(source, Err(&error)),
    }
}

fn publish(sender: &Sender<Targets>, known: &Known) {
    let all: Targets =
        known.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().cloned().collect();
    sender.send_if_modified(|before| {
        let is_new = *before != all;
        *before = all;
        is_new
    });
}
