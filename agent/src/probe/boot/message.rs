//! Messages of D-Bus: a call with at most one string is written, an answer with numbers by name is read.
//!
//! A message is a fixed part, an array of header fields, and after padding to eight bytes the body; values are aligned to
//! their size, counted from the start of the message ("Message Format" and "Marshaling" in the specification).

/// Bytes of the fixed part, with the length of the header fields.
pub(super) const FIXED_BYTES: usize = 16;

/// Largest message that the protocol allows.
const MOST_BYTES: usize = 128 << 20;

/// How deep values may lie in values.
const DEEPEST: u32 = 32;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Nobody starts a program to answer us.
const NO_AUTO_START: u8 = 2;

/// Codes of header fields.
mod field {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const REPLY_SERIAL: u8 = 5;
    pub(super) const DESTINATION: u8 = 6;
    pub(super) const SIGNATURE: u8 = 8;
}

/// A question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// Its number, by which the answer refers to it.
    pub serial: u8,
    /// Who is asked, on a bus.
    pub destination: Option<&'a str>,
    /// Which of its objects.
    pub path: &'a str,
    /// By which interface.
    pub interface: &'a str,
    /// Which method of it.
    pub member: &'a str,
    /// The string that it takes.
    pub argument: Option<&'a str>,
}

impl Call<'_> {
    /// Appends the message. All strings are constants shorter than 256 bytes.
    pub(super) fn write(&self, messages: &mut Vec<u8>) {
        let mut body = Vec::new();
        if let Some(argument) = self.argument {
            string(&mut body, argument);
        }
        let mut fields = Vec::new();
        let strings = [
            (field::PATH, b'o', Some(self.path)),
            (field::INTERFACE, b's', Some(self.interface)),
            (field::MEMBER, b's', Some(self.member)),
            (field::DESTINATION, b's', self.destination),
        ];
        for (code, kind, text) in strings {
            if let Some(text) = text {
                pad(&mut fields);
                fields.extend([code, 1, kind, 0]);
                string(&mut fields, text);
            }
        }
        if self.argument.is_some() {
            pad(&mut fields);
            fields.extend([field::SIGNATURE, 1, b'g', 0, 1, b's', 0]);
        }
        let mut message = vec![b'l', METHOD_CALL, NO_AUTO_START, 1];
        message.extend(length_of(&body));
        message.extend(u32::from(self.serial).to_le_bytes());
        message.extend(length_of(&fields));
        message.extend(fields);
        pad(&mut message);
        message.extend(body);
        messages.extend(message);
    }
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(length_of(text.as_bytes()));
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The answer to question `to`: the numbers among its named values.
    Numbers {
        /// The question's number.
        to: u8,
        /// The numbers.
        numbers: Vec<(String, u64)>,
    },
    /// A refusal.
    Refusal {
        /// Its name, and what it says.
        why: String,
    },
    /// Something else, which nobody asked for.
    Other,
}

/// How long the whole message is, by its fixed part.
pub(super) fn length(fixed: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(fixed)?;
    let body = reader.u32()?;
    reader.u32()?;
    let fields = usize::try_from(reader.u32()?).ok()?;
    let head = FIXED_BYTES.checked_add(fields)?.checked_next_multiple_of(8)?;
    head.checked_add(usize::try_from(body).ok()?).filter(|length| *length <= MOST_BYTES)
}

/// Reads a whole message. `None` if it is none.
pub(super) fn read(message: &[u8]) -> Option<Answer> {
    let mut reader = Reader::new(message)?;
    let kind = *message.get(1)?;
    reader.u32()?;
    reader.u32()?;
    let end = FIXED_BYTES.checked_add(usize::try_from(reader.u32()?).ok()?)?;
    let (mut to, mut error, mut signature): (u32, &str, &[u8]) = (0, "", b"");
    while reader.at < end {
        reader.align(8)?;
        let code = reader.byte()?;
        match (code, reader.signature()?) {
            (field::REPLY_SERIAL, b"u") => to = reader.u32()?,
            (field::ERROR_NAME, b"s") => error = reader.string()?,
            (field::SIGNATURE, b"g") => signature = reader.signature()?,
            (_, other) => reader.skip_all(other, 0)?,
        }
    }
    reader.align(8)?;
    match (kind, signature) {
        (METHOD_RETURN, b"a{sv}") => {
            Some(Answer::Numbers { to: u8::try_from(to).ok()?, numbers: reader.numbers()? })
        }
        (ERROR, b"s") => Some(Answer::Refusal { why: format!("{error}: {}", reader.string()?) }),
        (ERROR, _) => Some(Answer::Refusal { why: error.to_owned() }),
        _ => Some(Answer::Other),
    }
}

/// Values of a message, one after the other.
#[derive(Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big_endian: bool,
}

impl<'a> Reader<'a> {
    /// After the four bytes that say how the message is written.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_big_endian = match bytes.first()? {
            b'l' => false,
            b'B' => true,
            _ => return None,
        };
        Some(Self { bytes, at: 4, is_big_endian })
    }

    fn align(&mut self, size: usize) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(size)?;
        Some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn u64(&mut self) -> Option<u64> {
        self.align(8)?;
        let bytes = self.take(8)?.try_into().ok()?;
        Some(if self.is_big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.u32()?).ok()?;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.take(1)?;
        Some(text)
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        let types = self.take(length)?;
        self.take(1)?;
        Some(types)
    }

    /// The numbers of an array of named values.
    fn numbers(&mut self) -> Option<Vec<(String, u64)>> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.align(8)?;
        let end = self.at.checked_add(length)?;
        let mut numbers = Vec::new();
        while self.at < end {
            self.align(8)?;
            let name = self.string()?;
            match self.signature()? {
                b"t" => numbers.push((name.to_owned(), self.u64()?)),
                b"u" => numbers.push((name.to_owned(), u64::from(self.u32()?))),
                other => self.skip_all(other, 0)?,
            }
        }
        (self.at == end).then_some(numbers)
    }

    /// Goes past values of these types.
    fn skip_all(&mut self, mut types: &[u8], depth: u32) -> Option<()> {
        while !types.is_empty() {
            types = self.skip(types, depth)?;
        }
        Some(())
    }

    /// Goes past a value of the first of these types, and gives the rest of them.
    fn skip<'t>(&mut self, types: &'t [u8], depth: u32) -> Option<&'t [u8]> {
        if depth > DEEPEST {
            return None;
        }
        let (first, rest) = types.split_first()?;
        self.align(alignment(*first)?)?;
        match first {
            b's' | b'o' => drop(self.string()?),
            b'g' => drop(self.signature()?),
            b'v' => {
                let inner = self.signature()?;
                self.skip_all(inner, depth + 1)?;
            }
            b'a' => {
                let (element, rest) = one_type(rest)?;
                let length = usize::try_from(self.u32()?).ok()?;
                self.align(alignment(*element.first()?)?)?;
                self.take(length)?;
                return Some(rest);
            }
            b'(' | b'{' => {
                let (whole, rest) = one_type(types)?;
                let inner = whole.get(1..whole.len().checked_sub(1)?)?;
                self.skip_all(inner, depth + 1)?;
                return Some(rest);
            }
            // All others are as long as they are aligned.
            other => drop(self.take(alignment(*other)?)?),
        }
        Some(rest)
    }
}

/// To what a value of this type is aligned.
const fn alignment(kind: u8) -> Option<usize> {
    match kind {
        b'y' | b'g' | b'v' => Some(1),
        b'n' | b'q' => Some(2),
        b'b' | b'i' | b'u' | b'h' | b's' | b'o' | b'a' => Some(4),
        b'x' | b't' | b'd' | b'(' | b'{' => Some(8),
        _ => None,
    }
}

/// The first whole type of a signature, and the rest of it.
fn one_type(types: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut open = 0_u32;
    for (index, kind) in types.iter().enumerate() {
        match kind {
            b'(' | b'{' => open += 1,
            b')' | b'}' => open = open.checked_sub(1)?,
            _ => {}
        }
        if open == 0 && *kind != b'a' {
            return types.split_at_checked(index + 1);
        }
    }
    None
}

#[cfg(test)]
#[path = "message_tests.rs"]
pub(super) mod tests;
