//! Text of strangers for the eyes: nothing in it moves the cursor, ends a line or turns the reading direction.
//!
//! Labels, names of targets and reasons come from whoever is scraped and from names of files. A terminal obeys what is
//! in them, so what people read goes through here where it leaves the program; what programs read (JSON, CSV) does not.

use std::borrow::Cow;

/// The text with what is obeyed instead of shown as its number: `\u{1b}` for the escape character. This holds for
/// control characters (C0, DEL and C1), for what marks, embeds, overrides or isolates a reading direction, and for the
/// separators of lines and paragraphs.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// The same of text that may have several lines.
#[must_use]
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_obeyed(c))
}

fn escaped(text: &str, is_obeyed: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Unicode's `Cc` and `Bidi_Control`, and its two separators.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_is_shown_as_its_number() {
        assert_eq!(
            printable("vm\u{1b}]0;x\u{7}\n\u{7f}\u{9b}\u{202e}\u{2066}\u{200f}"),
            r"vm\u{1b}]0;x\u{7}\u{a}\u{7f}\u{9b}\u{202e}\u{2066}\u{200f}"
        );
        assert_eq!(printable_lines("a\nb\r"), "a\nb\\u{d}");
    }

    #[test]
    fn what_is_shown_stays_as_it_is() {
        let text = r"1.02 µs, ∞, grün, קפה, \u{1b}, a|b";
        assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
    }
}
