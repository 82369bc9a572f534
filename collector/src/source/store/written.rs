//! How labels and samples are written: the few forms of JSON that most of an answer consists of.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::answer::{self, Sample};
use super::quotes::{Byte, Quotes};

/// A label and its value.
pub type Label<'t> = (Cow<'t, str>, Cow<'t, str>);

/// Powers of ten that are exact, as are all whole numbers of no more digits.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A sample as all stores write it, `[1700000000.5,"1e-7"]`; `None` for what has to be looked at more closely.
///
/// The time is the nearest number to what is written: both the digits and the power of ten are exact, and one division
/// rounds once.
pub(super) fn written_plainly(pair: &[u8]) -> Option<Sample> {
    let mut rest = pair.strip_prefix(b"[")?;
    let (mut digits, mut number, mut after_point) = (0, 0_u64, None);
    loop {
        let (byte, more) = rest.split_first()?;
        rest = more;
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                digits += 1;
                if digits >= POWERS.len() {
                    return None;
                }
            }
            b'.' if after_point.is_none() && digits > 0 => after_point = Some(digits),
            b',' => break,
            _ => return None,
        }
    }
    // JSON has no numbers that begin with a nought or end with a point.
    let decimals = after_point.map_or(0, |before| digits - before);
    if digits == 0 || pair.get(1) == Some(&b'0') || after_point.is_some() && decimals == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "15 digits are exact")]
    let at = number as f64 / POWERS.get(decimals)?;
    let text = rest.strip_prefix(b"\"")?.strip_suffix(b"\"]")?;
    Some(Sample { at, value: answer::number(std::str::from_utf8(text).ok()?)? })
}

/// Labels as they are written, in their order.
pub(super) struct Pairs<'t>(pub(super) Vec<Label<'t>>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((Text(label), Text(value))) = map.next_entry()? {
                    pairs.push((label, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// A text that is borrowed unless something in it is escaped.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Any)
    }
}

/// How deep in a value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skipped {
    depth: u32,
    quotes: Quotes,
}

impl Skipped {
    /// How many bytes of the value there are, and whether they are the end of it. What follows a number or a word is
    /// none of it.
    pub(super) fn run(&mut self, text: &[u8]) -> (usize, bool) {
        for (at, byte) in text.iter().enumerate() {
            match self.quotes.next(*byte) {
                Byte::End if self.depth == 0 => return (at + 1, true),
                Byte::Begin | Byte::Inside | Byte::End => continue,
                Byte::Outside => {}
            }
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' | b',' if self.depth == 0 => return (at, true),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ => {}
            }
        }
        (text.len(), false)
    }
}
