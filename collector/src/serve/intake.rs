//! What the scraping engine brings, to the board and to the keeper.

use std::sync::Arc;

use super::board::{self, Board};
use super::keeper::Keeper;
use super::now;
use crate::error::{FetchError, chain};
use crate::observation::Instance;
use crate::source::Accumulator;
use crate::source::scrape::{Next, Scrape, Sink, Target};
use crate::store;

/// The sink of `serve`.
#[derive(Debug)]
pub struct Intake {
    board: Arc<Board>,
    keeper: Arc<Keeper>,
}

/// One target: its accumulator, which holds no observations between scrapes, and what was told of it last.
#[derive(Debug)]
pub struct Reader {
    accumulator: Accumulator,
    source: Arc<str>,
    instance: Arc<Instance>,
}

impl Intake {
    /// A sink that tells these two.
    #[must_use]
    pub const fn new(board: Arc<Board>, keeper: Arc<Keeper>) -> Self {
        Self { board, keeper }
    }
}

impl Sink for Intake {
    type Reader = Reader;

    fn open(&self, target: &Target) -> Reader {
        self.board.open(target);
        Reader {
            accumulator: Accumulator::new(&*target.source, target.instance())
                .labelled(&target.labels)
                .sharing(&self.keeper.vocabulary),
            source: board::name(target).into(),
            instance: Arc::default(),
        }
    }

    fn take(&self, target: &Target, reader: &mut Reader, scrape: Result<Scrape<'_>, FetchError>) -> Next {
        let taken = scrape.and_then(|scrape| Ok((reader.accumulator.take(scrape.text)?, scrape.took)));
        match taken {
            Ok((rounds, took)) => {
                reader.look();
                self.board.good(target, &reader.instance, rounds, took);
                let mut points = Vec::new();
                reader.accumulator.drain(|series, reading| points.push(store::Point { series, reading }));
                if !points.is_empty() {
                    self.keeper.keep(store::Scrape {
                        source: Arc::clone(&reader.source),
                        instance: Arc::clone(&reader.instance),
                        points,
                        at: now(),
                    });
                }
            }
            Err(error) => self.board.failed(target, chain(&error)),
        }
        // What is no agent today may be one tomorrow.
        Next::Again
    }

    fn close(&self, target: &Target, _reader: Reader) {
        self.board.close(target);
    }
}

impl Reader {
    /// Takes note of what the target says of itself, where that is news.
    fn look(&mut self) {
        let instance = self.accumulator.instance();
        if *instance != *self.instance {
            self.instance = Arc::new(instance.clone());
        }
    }
}
