//! The samples of a selector in a span, in as many answers as it takes to keep each small.

use super::StoreError;
use super::api::{Api, Span, is_too_much};

/// What an answer should come to. Small enough that it is soon there and soon read, large enough that the query costs
/// more than asking.
const WANTED_BYTES: f64 = 16.0 * 1024.0 * 1024.0;
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

impl Pages {
    /// None is fetched yet.
    pub(super) fn of(api: &mut Api, selector: String, span: Span) -> Self {
        // What was too much once need not be so for ever.
        api.longest_seconds *= 2.0;
        let most = (span.to - span.from).min(api.longest_seconds);
        let length = (WANTED_BYTES / api.bytes_per_second).min(most).max(SHORTEST_SECONDS);
        Self { selector, span, from: span.from, length }
    }

    /// The next answer as it came; `None` after the last one.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub(super) async fn next(&mut self, api: &mut Api) -> Result<Option<Vec<u8>>, StoreError> {
        while self.from < self.span.to {
            let to = (self.from + self.length).min(self.span.to);
            let seconds = to - self.from;
            // Whether the begin of a range belongs to it is not the same in all releases; a millisecond more is.
            let milliseconds = (seconds * 1000.0).ceil() + 1.0;
            let expression = format!("{}[{milliseconds:.0}ms]", self.selector);
            let body = match api.ask(&expression, to).await {
                Err(error) if is_too_much(&error) && self.length > SHORTEST_SECONDS => {
                    self.length = (self.length / 4.0).max(SHORTEST_SECONDS);
                    api.longest_seconds = self.length;
                    continue;
                }
                Err(error) if is_too_much(&error) => {
                    return Err(StoreError::TooLarge { selector: self.selector.clone() });
                }
                other => other?,
            };
            #[expect(clippy::cast_precision_loss, reason = "bodies are far below 2^53 bytes")]
            let bytes = body.len() as f64;
            if bytes > 0.0 {
                let most = (seconds * 8.0 + SHORTEST_SECONDS).min(api.longest_seconds);
                self.length = (seconds * WANTED_BYTES / bytes).min(most).max(SHORTEST_SECONDS);
            }
            api.bytes_per_second = (bytes / seconds).max(1.0);
            self.from = to;
            return Ok(Some(body));
        }
        Ok(None)
    }
}
