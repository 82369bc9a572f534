//! What an answer says beside its series, as it comes.

use super::quotes::{Byte, Quotes};

/// The text of an answer, of which the series were left out: `{"status":…,"data":{"result":[]},…}`.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    text: Vec<u8>,
    quotes: Quotes,
    /// Where the last text began, in `text`.
    begin: usize,
    /// The last text as a whole, in `text`.
    last: (usize, usize),
    /// What is open: objects and lists.
    open: Vec<u8>,
    /// The name that is being told in the outermost object, and in the one in it.
    names: [Name; 2],
}

/// Of the names that lead to the series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Name {
    Data,
    Result,
    #[default]
    Other,
}

impl Envelope {
    /// Takes in the next byte. Says whether the series begin behind it.
    pub(super) fn add(&mut self, byte: u8) -> bool {
        if !self.quotes.is_open() && matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            // One is as good as many.
            if self.text.last().is_some_and(|last| *last != b' ') {
                self.text.push(b' ');
            }
            return false;
        }
        self.text.push(byte);
        match self.quotes.next(byte) {
            Byte::Outside => {}
            Byte::Begin => {
                self.begin = self.text.len() - 1;
                return false;
            }
            Byte::Inside => return false,
            Byte::End => {
                self.last = (self.begin, self.text.len());
                return false;
            }
        }
        match byte {
            b':' if self.open.last() == Some(&b'{') => {
                let name = self.name();
                if let Some(known) =
                    self.open.len().checked_sub(1).and_then(|depth| self.names.get_mut(depth))
                {
                    *known = name;
                }
            }
            b'{' | b'[' => {
                let begins =
                    byte == b'[' && self.open == [b'{', b'{'] && self.names == [Name::Data, Name::Result];
                if !begins {
                    self.open.push(byte);
                    if let Some(name) = self.names.get_mut(self.open.len() - 1) {
                        *name = Name::Other;
                    }
                }
                return begins;
            }
            b'}' => {
                self.open.pop();
            }
            // That of the series never was put on.
            b']' if self.open.last() == Some(&b'[') => {
                self.open.pop();
            }
            _ => {}
        }
        false
    }

    /// The text so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether it is none of an interface for programs.
    pub(super) fn is_page(&self) -> bool {
        self.text.first() == Some(&b'<')
    }

    fn name(&self) -> Name {
        let text = self.text.get(self.last.0..self.last.1).unwrap_or_default();
        match serde_json::from_slice::<String>(text).as_deref() {
            Ok("data") => Name::Data,
            Ok("result") => Name::Result,
            Ok(_) | Err(_) => Name::Other,
        }
    }
}
