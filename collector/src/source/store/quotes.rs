//! Which bytes of JSON are text: brackets and commas in one mean nothing.

/// Where in JSON the next byte is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quotes {
    is_open: bool,
    is_escaped: bool,
}

/// What a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Byte {
    /// No part of a text.
    Outside,
    /// The quotation mark that begins one.
    Begin,
    /// Within one.
    Inside,
    /// The quotation mark that ends one.
    End,
}

impl Quotes {
    /// Whether the next byte is in a text.
    pub(super) const fn is_open(self) -> bool {
        self.is_open
    }

    /// What the next byte is.
    #[inline]
    pub(super) const fn next(&mut self, byte: u8) -> Byte {
        if !self.is_open {
            self.is_open = byte == b'"';
            return if self.is_open { Byte::Begin } else { Byte::Outside };
        }
        if self.is_escaped {
            self.is_escaped = false;
            return Byte::Inside;
        }
        match byte {
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.is_open = false;
                return Byte::End;
            }
            _ => {}
        }
        Byte::Inside
    }
}

/// The end of a text that begins with a quotation mark, that of its own included.
pub(super) fn end_of_text(text: &[u8]) -> Option<usize> {
    let mut quotes = Quotes::default();
    text.iter().position(|byte| quotes.next(*byte) == Byte::End).map(|end| end + 1)
}
