//! The course of a cost over the window: the median over the hosts of each group, with gaps where nothing was
//! measured.

use super::facts::{Cost, Facts, GroupFacts};
use crate::stats::{real, summary};

/// Points along the window at most.
const MOST: usize = 96;
/// Fewer points than this are no course.
const FEWEST: usize = 4;

/// A cost over time.
#[derive(Debug)]
pub struct Course {
    /// When it begins, in seconds since the epoch; zero where each group counts from its own first round.
    pub from: f64,
    /// Its length in seconds.
    pub length: f64,
    /// One entry a group, each with the same number of points.
    pub lines: Vec<Vec<Point>>,
    /// Whether the groups were measured at different times, so that each begins at its own first round.
    pub is_shifted: bool,
}

/// A group in one part of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Median over the hosts' medians of their clean rounds; `None` where nothing was measured.
    pub value: Option<f64>,
    /// Share of the rounds that were disturbed, 0 to 1.
    pub disturbed: f64,
}

/// The readings of an instance: when, how much, and whether the round was disturbed.
type Rounds = Vec<crate::dataset::Reading>;

impl Course {
    /// The course of a cost; `None` where too few rounds are known for one.
    #[must_use]
    pub fn of(facts: &Facts<'_>, cost: &Cost<'_>) -> Option<Self> {
        let groups: Vec<Vec<Rounds>> = facts.groups.iter().map(|group| rounds(group, cost)).collect();
        let spans: Vec<Option<(f64, f64)>> = groups.iter().map(|members| span(members)).collect();
        let known: Vec<(f64, f64)> = spans.iter().flatten().copied().collect();
        let is_shifted =
            known.iter().enumerate().any(|(at, a)| known.iter().skip(at + 1).any(|b| a.1 < b.0 || b.1 < a.0));
        let (from, length) = if is_shifted {
            (0.0, known.iter().map(|(first, last)| last - first).reduce(f64::max)?)
        } else {
            let first = known.iter().map(|(first, _)| *first).reduce(f64::min)?;
            (first, known.iter().map(|(_, last)| *last).reduce(f64::max)? - first)
        };
        let pause = groups.iter().flatten().filter_map(pause).reduce(f64::max)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and MOST")]
        let points = (length / pause).floor().clamp(0.0, real(MOST)) as usize;
        if points < FEWEST {
            return None;
        }
        let line = |(members, span): (&Vec<Rounds>, &Option<(f64, f64)>)| {
            let begin = if is_shifted { span.map_or(0.0, |(first, _)| first) } else { from };
            points_of(members, begin, length, points)
        };
        Some(Self { from, length, lines: groups.iter().zip(&spans).map(line).collect(), is_shifted })
    }

    /// All values in it.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flatten().filter_map(|point| point.value)
    }
}

fn rounds(group: &GroupFacts<'_>, cost: &Cost<'_>) -> Vec<Rounds> {
    let all = group.group.members.iter().map(|member| group.readings(member, cost.key));
    all.filter(|rounds| !rounds.is_empty()).collect()
}

fn span(members: &[Rounds]) -> Option<(f64, f64)> {
    let ends =
        members.iter().filter_map(|rounds| Some((rounds.first()?.timestamp, rounds.last()?.timestamp)));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// The usual pause between the rounds of an instance; `None` below three rounds.
fn pause(rounds: &Rounds) -> Option<f64> {
    let mut pauses: Vec<f64> = rounds
        .windows(2)
        .filter_map(|two| {
            let [a, b] = two else { return None };
            Some(b.timestamp - a.timestamp)
        })
        .collect();
    if pauses.len() < 2 { None } else { summary::median_of(&mut pauses).filter(|pause| *pause > 0.0) }
}

fn points_of(members: &[Rounds], begin: f64, length: f64, points: usize) -> Vec<Point> {
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); points];
    let mut counts = vec![(0_usize, 0_usize); points];
    let mut clean = Vec::new();
    for rounds in members {
        let place = |timestamp: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in the list"
            )]
            let place = ((timestamp - begin) / length * real(points)).max(0.0) as usize;
            place.min(points - 1)
        };
        for part in rounds.chunk_by(|a, b| place(a.timestamp) == place(b.timestamp)) {
            let Some(at) = part.first().map(|reading| place(reading.timestamp)) else { continue };
            clean.clear();
            clean.extend(part.iter().filter(|reading| !reading.disturbed).map(|reading| reading.value));
            if let Some((disturbed, all)) = counts.get_mut(at) {
                *disturbed += part.len() - clean.len();
                *all += part.len();
            }
            if let (Some(values), Some(median)) = (values.get_mut(at), summary::median_of(&mut clean)) {
                values.push(median);
            }
        }
    }
    let share = |(disturbed, all): (usize, usize)| real(disturbed) / real(all.max(1));
    values
        .into_iter()
        .zip(counts)
        .map(|(mut values, counts)| Point {
            value: summary::median_of(&mut values),
            disturbed: share(counts),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Reading;

    fn rounds(values: &[(f64, f64, bool)]) -> Rounds {
        let reading = |(timestamp, value, disturbed): &(f64, f64, bool)| Reading {
            timestamp: *timestamp,
            value: *value,
            disturbed: *disturbed,
        };
        values.iter().map(reading).collect()
    }

    #[test]
    fn a_part_without_rounds_has_no_value() {
        let one = rounds(&[(0.0, 1.0, false), (10.0, 3.0, false), (31.0, 5.0, false)]);
        let two = rounds(&[(1.0, 3.0, false), (32.0, 99.0, true)]);
        let points = points_of(&[one, two], 0.0, 40.0, 4);
        let values: Vec<_> = points.iter().map(|point| point.value).collect();
        assert_eq!(values, [Some(2.0), Some(3.0), None, Some(5.0)]);
        assert!((points[3].disturbed - 0.5).abs() < 1e-12);
    }

    #[test]
    fn the_last_round_belongs_to_the_last_part() {
        let points = points_of(&[rounds(&[(40.0, 7.0, false)])], 0.0, 40.0, 4);
        assert_eq!(points[3].value, Some(7.0));
    }

    #[test]
    fn two_rounds_have_no_usual_pause() {
        assert_eq!(pause(&rounds(&[(0.0, 1.0, false), (15.0, 1.0, false)])), None);
        let three = rounds(&[(0.0, 1.0, false), (15.0, 1.0, false), (30.0, 1.0, false)]);
        assert_eq!(pause(&three), Some(15.0));
    }
}
