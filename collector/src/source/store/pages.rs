//! The samples of a selector in a span, in as many answers as it takes to keep each small.

use super::StoreError;
use super::api::{Api, Span, is_too_much};
use super::stream::Sink;

/// What the samples of an answer should come to. Small enough that it is soon there and soon read, large enough that the
/// query costs more than asking.
const WANTED_BYTES: f64 = 24.0 * 1024.0 * 1024.0;
/// What an answer may come to with the labels of its series, which are in it however short its span is: well
/// below the longest one.
const MOST_BYTES: f64 = 40.0 * 1024.0 * 1024.0;
/// Where there is nothing, a span is looked through in so many answers at the most.
const EMPTY_ANSWERS: f64 = 64.0;
/// Shortest span that is asked for, in seconds.
const SHORTEST_SECONDS: f64 = 60.0;

/// Answers, oldest first. A sample between two of them may be in both.
#[derive(Debug)]
pub(super) struct Pages {
    selector: String,
    span: Span,
    /// Begin of the next one.
    from: f64,
    /// How much time the next one is to span, in seconds.
    length: f64,
}

/// How large answers are, of which all queries of one store learn: metrics of one fleet are much of one size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// How large the samples of the last answer were for the length of its span.
    bytes_per_second: f64,
    /// What they may come to beside the labels of their series.
    wanted_bytes: f64,
    /// Longest span that is asked for at once: what was too much would be so again.
    longest_seconds: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { bytes_per_second: 1.0, wanted_bytes: WANTED_BYTES, longest_seconds: f64::INFINITY }
    }
}

impl Pages {
    /// None is fetched yet.
    pub(super) fn of(api: &Api, selector: String, span: Span) -> Self {
        let length = api.shared().learn(|sizes| {
            // What was too much once need not be so for ever.
            sizes.longest_seconds *= 2.0;
            let most = (span.to - span.from).min(sizes.longest_seconds);
            (sizes.wanted_bytes / sizes.bytes_per_second).min(most).max(SHORTEST_SECONDS)
        });
        Self { selector, span, from: span.from, length }
    }

    /// Reads the next answer into `sink`, which has heard nothing else then; says that there was none after the last one.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be relied on.
    pub(super) async fn next(&mut self, api: &mut Api, sink: &mut impl Sink) -> Result<bool, StoreError> {
        while self.from < self.span.to {
            let to = (self.from + self.length).min(self.span.to);
            let seconds = to - self.from;
            // Whether the begin of a range belongs to it is not the same in all releases; a millisecond more is.
            let milliseconds = (seconds * 1000.0).ceil() + 1.0;
            let expression = format!("{}[{milliseconds:.0}ms]", self.selector);
            let (bytes, of_labels) = match api.hear(&expression, to, sink).await {
                Err(error) if is_too_much(&error) && self.length > SHORTEST_SECONDS => {
                    self.length = (self.length / 4.0).max(SHORTEST_SECONDS);
                    api.shared().learn(|sizes| sizes.longest_seconds = self.length);
                    continue;
                }
                Err(error) if is_too_much(&error) => {
                    return Err(StoreError::TooLarge { selector: self.selector.clone() });
                }
                other => other?,
            };
            #[expect(clippy::cast_precision_loss, reason = "bodies are far below 2^53 bytes")]
            let (samples, labels) = ((bytes - of_labels) as f64, of_labels as f64);
            api.shared().learn(|sizes| {
                sizes.wanted_bytes = (MOST_BYTES - labels).clamp(MOST_BYTES / 8.0, WANTED_BYTES);
                let (wanted, most) = if samples > 0.0 {
                    sizes.bytes_per_second = (samples / seconds).max(1.0);
                    (sizes.wanted_bytes / sizes.bytes_per_second, seconds * 2.0 + SHORTEST_SECONDS)
                } else {
                    // What comes may be as dense as it was elsewhere.
                    let longest = (self.span.to - self.span.from) / EMPTY_ANSWERS;
                    ((sizes.wanted_bytes / sizes.bytes_per_second).max(longest), f64::INFINITY)
                };
                self.length = wanted.min(most).min(sizes.longest_seconds).max(SHORTEST_SECONDS);
            });
            self.from = to;
            return Ok(true);
        }
        Ok(false)
    }
}
