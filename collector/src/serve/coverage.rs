//! Whether a window was observed long enough for a verdict.
//!
//! A verdict is one a window of fixed length. A collector that was started or stopped within one has seen a part of it,
//! and which part is a matter of when somebody restarts things, such as after trouble. So what it has is shown with its
//! real span, and the verdict waits for a window that was observed as a whole.

use std::time::Duration;

use crate::dataset::Span;
use crate::date::utc_second;
use crate::source::Note;
use crate::store::window::Seen;

/// Share of a window that may pass without any rounds at one go. A restart is within it; so are probes that have just the
/// ten rounds in a window that a verdict needs.
const MOST_MISSING: f64 = 0.2;

/// Scrapes that may fail one after the other, however short the window is.
const SCRAPES: u32 = 3;

/// Whether nothing much is missing of a window.
#[must_use]
pub fn is_whole(seen: &Seen, window: Span, interval: Duration) -> bool {
    let most = (MOST_MISSING * (window.until - window.from)).max((interval * SCRAPES).as_secs_f64());
    seen.longest_gap <= most
}

/// What a report says of a window that is not whole; it takes the verdicts back.
#[must_use]
pub fn note(seen: &Seen, window: Span) -> Note {
    let percent = 100.0 * seen.longest_gap / (window.until - window.from);
    let observed = seen.span.map_or_else(String::new, |span| {
        format!(": what is there was observed from {} to {}", utc_second(span.from), utc_second(span.until))
    });
    Note {
        source: "the collector's store".to_owned(),
        text: format!(
            "it has nothing of {percent:.0} % of the window at one go, as when a collector is started or stopped within \
             it, and a verdict takes a window of which no more than {:.0} % is missing{observed}",
            100.0 * MOST_MISSING
        ),
        is_warning: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Span = Span { from: 3600.0, until: 7200.0 };

    fn seen(from: f64, until: f64, longest_gap: f64) -> Seen {
        Seen { span: Some(Span { from, until }), longest_gap }
    }

    #[test]
    fn a_restart_is_forgiven_and_a_late_start_is_not() {
        let interval = Duration::from_secs(15);
        assert!(is_whole(&seen(3605.0, 7195.0, 600.0), HOUR, interval));
        assert!(!is_whole(&seen(6900.0, 7195.0, 3300.0), HOUR, interval));
        // Between two restarts or at either end is the same.
        assert!(!is_whole(&seen(3605.0, 7195.0, 721.0), HOUR, interval));
        assert!(!is_whole(&Seen { span: None, longest_gap: 3600.0 }, HOUR, interval));
        // Three scrapes may fail in the shortest window.
        let minute = Span { from: 0.0, until: 60.0 };
        assert!(is_whole(&seen(1.0, 59.0, 45.0), minute, interval));
    }

    #[test]
    fn the_note_says_what_is_missing_and_when_the_rest_was() {
        let note = note(&seen(6900.0, 7195.0, 3300.0), HOUR);
        assert!(note.is_warning);
        for word in ["92 %", "20 %", "1970-01-01 01:55:00 UTC", "01:59:55 UTC"] {
            assert!(note.text.contains(word), "{word}: {}", note.text);
        }
    }
}
