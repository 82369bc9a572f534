//! The isolation in words, for people.

use std::fmt::Write as _;

use tierprobe_model::{Isolation, Severity};

/// `Isolation:` and what should be changed, worst first; nothing where there is nothing. What is only good practice
/// stays in the JSON.
#[must_use]
pub fn render(isolation: &Isolation) -> String {
    let mut text = String::new();
    let matters = isolation.findings.iter().filter(|finding| finding.severity < Severity::Low);
    for finding in matters {
        if text.is_empty() {
            text.push_str("Isolation:\n");
        }
        let _infallible =
            writeln!(text, "  {:<9} {}; {}", finding.severity.as_str(), finding.what, finding.remedy);
    }
    text
}
