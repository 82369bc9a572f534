//! Answers with samples, read as they come.
//!
//! An answer is megabytes of text, most of it samples. So these are told to a [`Sink`] one after the other, as the text
//! comes in and in whichever pieces, and what is kept of the text is what is not complete yet. What an answer says
//! beside its samples is little, and is read as a whole at the end, by [`answer`].

use std::ops::ControlFlow;

use super::StoreError;
use super::answer::{self, Matrix, Said, Sample};
use super::envelope::Envelope;
use super::quotes::end_of_text;
pub use super::written::Label;
use super::written::{Pairs, Skipped, written_plainly};
use crate::http::pieces::Pieces;

/// Longest that all may be that is said beside the series, in bytes.
const MOST_BYTES: usize = 1024 * 1024;
/// Longest that the labels of a series may be, in bytes. They are looked through anew with each piece of them.
const LABELS_BYTES: usize = 64 * 1024;
/// Longest that a sample may be, in bytes.
const SAMPLE_BYTES: usize = 4096;

/// Hears what an answer holds. What it heard counts when the end of the answer was.
pub trait Sink: Send {
    /// The labels of the series; its samples may have come before them.
    fn series(&mut self, labels: &[Label<'_>]);

    /// A sample of the series.
    fn sample(&mut self, sample: Sample);

    /// The end of the series.
    fn end(&mut self);

    /// All that was heard so far is void: the answer comes anew.
    fn clear(&mut self);

    /// How many bytes of memory what was heard takes.
    fn held_bytes(&self) -> usize;
}

/// Reads one answer.
#[derive(Debug)]
pub struct Decoder<'s, S> {
    sink: &'s mut S,
    place: Place,
    /// The begin of what is not complete yet.
    rest: Vec<u8>,
    envelope: Envelope,
    seen: Seen,
    bytes: usize,
    label_bytes: usize,
    failure: Option<StoreError>,
}

/// Where in an answer the text is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Anywhere but in a series.
    Outside,
    /// Before a series, or where the first of them could be.
    Series { is_first: bool },
    /// After a series.
    AfterSeries,
    /// Before a name in a series.
    Name,
    /// After the value of a name.
    AfterValue,
    /// Before a sample, or where the first of them could be.
    Sample { is_first: bool },
    /// After a sample.
    AfterSample,
    /// In a value that nobody needs.
    Skipped(Skipped),
}

/// What a series has had so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    metric: bool,
    values: bool,
}

/// How a step ends.
enum Step {
    /// So many bytes are through.
    Taken(usize),
    /// It takes more of the text.
    Incomplete,
    /// It is none.
    Odd(String),
}

impl<'s, S: Sink> Decoder<'s, S> {
    /// One that has read nothing yet.
    pub fn new(sink: &'s mut S) -> Self {
        sink.clear();
        Self {
            sink,
            place: Place::Outside,
            rest: Vec::new(),
            envelope: Envelope::default(),
            seen: Seen::default(),
            bytes: 0,
            label_bytes: 0,
            failure: None,
        }
    }

    /// Reads on. To break is to have read what cannot be part of an answer.
    pub fn feed(&mut self, piece: &[u8]) -> ControlFlow<()> {
        if self.failure.is_some() {
            return ControlFlow::Break(());
        }
        self.bytes += piece.len();
        if self.rest.is_empty() {
            let taken = self.run(piece);
            self.rest.extend_from_slice(piece.get(taken..).unwrap_or_default());
        } else {
            let mut text = std::mem::take(&mut self.rest);
            text.extend_from_slice(piece);
            let taken = self.run(&text);
            text.drain(..taken);
            self.rest = text;
        }
        if self.failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// How many bytes there were.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of them were labels.
    #[must_use]
    pub const fn label_bytes(&self) -> usize {
        self.label_bytes
    }

    /// All was read: what the store says beside the samples.
    ///
    /// # Errors
    ///
    /// As [`answer::open`].
    pub fn end(self) -> Result<Said<()>, StoreError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let text = self.envelope.text();
        let said = answer::open_of::<Matrix>(text, self.bytes)?;
        // Only what is written in a way that no store writes it ends up there.
        if !said.data.result.is_empty() {
            return Err(odd("series where none belong"));
        }
        Ok(Said { data: (), warnings: said.warnings, infos: said.infos })
    }

    /// Reads as far as it goes; how far that is.
    fn run(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            match self.step(rest) {
                Step::Taken(bytes) => at += bytes,
                Step::Incomplete => break,
                Step::Odd(why) => {
                    self.failure = Some(odd(&why));
                    break;
                }
            }
        }
        at
    }

    fn step(&mut self, text: &[u8]) -> Step {
        match self.place {
            Place::Outside => return self.outside(text),
            Place::Skipped(mut skipped) => {
                let (bytes, is_over) = skipped.run(text);
                self.place = if is_over { Place::AfterValue } else { Place::Skipped(skipped) };
                return Step::Taken(bytes);
            }
            Place::Series { .. }
            | Place::AfterSeries
            | Place::Name
            | Place::AfterValue
            | Place::Sample { .. }
            | Place::AfterSample => {}
        }
        let Some(space) = text.iter().position(|byte| !is_space(*byte)) else {
            return Step::Taken(text.len());
        };
        let Some(text) = text.get(space..) else { return Step::Incomplete };
        let first = text.first().copied().unwrap_or_default();
        let step = match (self.place, first) {
            (Place::Sample { .. }, b'[') => self.sample(text),
            (Place::Sample { is_first: true }, b']') => self.go(Place::AfterValue),
            (Place::AfterSample, b',') => self.go(Place::Sample { is_first: false }),
            (Place::AfterSample, b']') => self.go(Place::AfterValue),
            (Place::Series { .. }, b'{') => {
                self.seen = Seen::default();
                self.go(Place::Name)
            }
            (Place::Series { is_first: true }, b']') => self.leave(),
            (Place::AfterSeries, b',') => self.go(Place::Series { is_first: false }),
            (Place::AfterSeries, b']') => self.leave(),
            (Place::Name, b'"') => self.name(text),
            (Place::AfterValue, b',') => self.go(Place::Name),
            (Place::AfterValue, b'}') if self.seen.metric => {
                self.sink.end();
                self.go(Place::AfterSeries)
            }
            (Place::AfterValue, b'}') => Step::Odd("a series without labels".to_owned()),
            (place, byte) => Step::Odd(format!("{:?} {}", char::from(byte), place.named())),
        };
        match step {
            Step::Taken(bytes) => Step::Taken(space + bytes),
            other @ (Step::Incomplete | Step::Odd(_)) => other,
        }
    }

    /// One byte, and what comes after it.
    const fn go(&mut self, place: Place) -> Step {
        self.place = place;
        Step::Taken(1)
    }

    /// The end of all series.
    fn leave(&mut self) -> Step {
        self.envelope.add(b']');
        self.go(Place::Outside)
    }

    fn outside(&mut self, text: &[u8]) -> Step {
        for (at, byte) in text.iter().enumerate() {
            if self.envelope.add(*byte) {
                self.place = Place::Series { is_first: true };
                return Step::Taken(at + 1);
            }
            if self.envelope.is_page() {
                return Step::Odd(answer::PAGE.to_owned());
            }
            if self.envelope.text().len() > MOST_BYTES {
                return Step::Odd("it says too much beside its series".to_owned());
            }
        }
        Step::Taken(text.len())
    }

    /// A name in a series, and its value as far as that is one piece.
    fn name(&mut self, text: &[u8]) -> Step {
        let Some(end) = end_of_text(text) else { return incomplete(text, SAMPLE_BYTES, "a name") };
        let Some((name, rest)) = text.split_at_checked(end) else { return Step::Incomplete };
        let colon = rest.iter().position(|byte| !is_space(*byte));
        let Some((colon, after)) = colon.and_then(|at| Some((*rest.get(at)?, rest.get(at + 1..)?))) else {
            return incomplete(text, SAMPLE_BYTES, "a name");
        };
        if colon != b':' {
            return Step::Odd(format!("{:?} after a name", char::from(colon)));
        }
        let Some(value) = after.iter().position(|byte| !is_space(*byte)).and_then(|at| after.get(at..))
        else {
            return incomplete(text, SAMPLE_BYTES, "a name");
        };
        let before = text.len() - value.len();
        let name: String = match serde_json::from_slice(name) {
            Ok(name) => name,
            Err(error) => return Step::Odd(error.to_string()),
        };
        match (name.as_str(), value.first()) {
            ("metric", _) if self.seen.metric => Step::Odd("labels twice in a series".to_owned()),
            ("metric", _) => self.labels(value, before),
            ("values", _) if self.seen.values => Step::Odd("values twice in a series".to_owned()),
            ("values", Some(b'[')) => {
                self.seen.values = true;
                self.place = Place::Sample { is_first: true };
                Step::Taken(before + 1)
            }
            ("values", _) => Step::Odd("values that are no list".to_owned()),
            (_, _) => {
                self.place = Place::Skipped(Skipped::default());
                Step::Taken(before)
            }
        }
    }

    fn labels(&mut self, value: &[u8], before: usize) -> Step {
        let mut skipped = Skipped::default();
        let (length, is_over) = skipped.run(value);
        if !is_over {
            return incomplete(value, LABELS_BYTES, "labels");
        }
        match serde_json::from_slice::<Pairs<'_>>(value.get(..length).unwrap_or_default()) {
            Ok(Pairs(labels)) => {
                self.sink.series(&labels);
                self.seen.metric = true;
                self.label_bytes += length;
                self.place = Place::AfterValue;
                Step::Taken(before + length)
            }
            Err(error) => Step::Odd(error.to_string()),
        }
    }

    /// One sample, and the comma after it.
    fn sample(&mut self, text: &[u8]) -> Step {
        let Some(end) = memchr::memchr(b']', text.get(..SAMPLE_BYTES).unwrap_or(text)) else {
            return incomplete(text, SAMPLE_BYTES, "a sample");
        };
        let pair = text.get(..=end).unwrap_or_default();
        let sample = match written_plainly(pair) {
            Some(sample) => sample,
            None => match serde_json::from_slice(pair) {
                Ok(sample) => sample,
                Err(error) => return Step::Odd(error.to_string()),
            },
        };
        self.sink.sample(sample);
        let is_followed = text.get(end + 1) == Some(&b',');
        self.place = if is_followed { Place::Sample { is_first: false } } else { Place::AfterSample };
        Step::Taken(pair.len() + usize::from(is_followed))
    }
}

impl<S: Sink> Pieces for Decoder<'_, S> {
    fn take(&mut self, piece: &[u8]) -> ControlFlow<()> {
        self.feed(piece)
    }

    fn held_bytes(&self) -> usize {
        self.rest.capacity() + self.envelope.text().len() + self.sink.held_bytes()
    }
}

impl Place {
    /// Of something odd.
    const fn named(self) -> &'static str {
        match self {
            Self::Outside => "outside of series",
            Self::Series { .. } | Self::AfterSeries => "between series",
            Self::Name | Self::AfterValue | Self::Skipped(_) => "in a series",
            Self::Sample { .. } | Self::AfterSample => "between samples",
        }
    }
}

fn odd(why: &str) -> StoreError {
    StoreError::NoApi { why: answer::shown(why) }
}

fn incomplete(text: &[u8], most: usize, what: &str) -> Step {
    if text.len() < most { Step::Incomplete } else { Step::Odd(format!("{what} without end")) }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests;
