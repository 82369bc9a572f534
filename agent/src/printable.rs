//! Text of kernel files, fit for logs and terminals.

/// Longest value that is kept of a file, in characters.
const MAX_VALUE_CHARS: usize = 120;

/// One short line that a terminal can show: control characters become blanks, the rest is cut off.
pub(crate) fn printable(value: &str) -> String {
    let mut line: String = value
        .trim_matches(|c: char| c.is_whitespace() || c == '\0')
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_VALUE_CHARS + 1)
        .collect();
    if line.chars().count() > MAX_VALUE_CHARS {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_short_printable_line() {
        assert_eq!(printable("docker\u{1b}[31m\n"), "docker [31m");
        assert_eq!(printable(&"x".repeat(1_000)).chars().count(), MAX_VALUE_CHARS + 1);
    }
}
