//! Each series once, however many agents publish it.
//!
//! What waits to be written is thousands of agents' numbers; with their keys they would take gigabytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dataset::SeriesKey;
use crate::observation::{Observation, Statistic};

/// Most series that are kept apart. Agents have a few hundred; a target that makes up labels must not fill the memory.
pub const MAX_SERIES: usize = 100_000;

/// A number of a round, its series by its place in a [`Catalogue`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The place.
    pub series: u32,
    /// Whether it is a gauge.
    pub is_gauge: bool,
    /// Whether the agent marked the round as disturbed.
    pub disturbed: bool,
    /// When the round ended, in seconds since the epoch, on the agent's clock.
    pub timestamp: f64,
    /// The number.
    pub value: f64,
}

/// Series by their places; clones are the same catalogue.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    places: HashMap<Arc<SeriesKey>, u32>,
    keys: Vec<Arc<SeriesKey>>,
}

impl Catalogue {
    /// Observations as points, and how many are left out because there are too many series.
    #[must_use]
    pub fn points(&self, observations: Vec<Observation>) -> (Vec<Point>, usize) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = observations.len();
        let points: Vec<Point> = observations.into_iter().filter_map(|one| known.point(one)).collect();
        let left_out = all - points.len();
        (points, left_out)
    }

    /// The series at a place.
    #[must_use]
    pub fn key(&self, place: u32) -> Option<Arc<SeriesKey>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys.get(usize::try_from(place).ok()?).cloned()
    }
}

impl Known {
    fn point(&mut self, one: Observation) -> Option<Point> {
        let Observation { family, labels, statistic, timestamp, value, disturbed } = one;
        let key = SeriesKey { family, labels, statistic };
        let series = match self.places.get(&key) {
            Some(place) => *place,
            None if self.keys.len() >= MAX_SERIES => return None,
            None => {
                let place = u32::try_from(self.keys.len()).ok()?;
                let key = Arc::new(key);
                self.places.insert(Arc::clone(&key), place);
                self.keys.push(key);
                place
            }
        };
        Some(Point { series, is_gauge: statistic == Statistic::Value, disturbed, timestamp, value })
    }
}
