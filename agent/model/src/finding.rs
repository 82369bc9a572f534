//! Findings: what could be better about a place, and what to change.

use serde::{Deserialize, Serialize};

use crate::label_values;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A way out: whoever controls the process controls the host.
    Critical,
    /// A wall that is usually there is missing.
    High,
    /// One hole elsewhere is enough, or neighbours can be starved.
    Medium,
    /// Good practice.
    Low,
}

label_values!(Severity { Critical = "critical", High = "high", Medium = "medium", Low = "low" });

/// Something about the isolation that could be better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationFinding {
    /// The rule's name, for those who filter: lower snake case.
    pub name: String,
    /// How much it matters.
    pub severity: Severity,
    /// What is the matter, in words.
    pub what: String,
    /// What to change.
    pub remedy: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_comes_first() {
        assert!(Severity::ALL.is_sorted());
        assert_eq!(Severity::ALL.first(), Some(&Severity::Critical));
    }
}
