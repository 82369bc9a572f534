use proptest::prelude::*;

use super::*;

/// A named value of an answer, and what else a bus may send.
#[derive(Debug, Clone)]
pub(in super::super) enum Value {
    Byte(u8),
    Bool(bool),
    U32(u32),
    U64(u64),
    Text(String),
    Texts(Vec<String>),
    /// `a(st)`, as nothing in systemd's manager has it but its neighbours do.
    Pairs(Vec<(String, u64)>),
    /// A variant in a variant.
    Nested(Box<Value>),
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Self::Byte(_) => "y",
            Self::Bool(_) => "b",
            Self::U32(_) => "u",
            Self::U64(_) => "t",
            Self::Text(_) => "s",
            Self::Texts(_) => "as",
            Self::Pairs(_) => "a(st)",
            Self::Nested(_) => "v",
        }
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Self::Byte(value) => to.bytes.push(*value),
            Self::Bool(value) => to.u32(u32::from(*value)),
            Self::U32(value) => to.u32(*value),
            Self::U64(value) => to.u64(*value),
            Self::Text(value) => to.text(value),
            Self::Texts(values) => to.array(4, |to| values.iter().for_each(|value| to.text(value))),
            Self::Pairs(pairs) => to.array(8, |to| {
                for (text, number) in pairs {
                    to.align(8);
                    to.text(text);
                    to.u64(*number);
                }
            }),
            Self::Nested(value) => to.variant(value),
        }
    }
}

/// Writes as a peer of either byte order would.
struct Writer {
    bytes: Vec<u8>,
    is_big_endian: bool,
}

impl Writer {
    fn align(&mut self, size: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(size), 0);
    }

    fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u64(&mut self, value: u64) {
        self.align(8);
        self.bytes.extend(if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn text(&mut self, value: &str) {
        self.u32(u32::try_from(value.len()).unwrap());
        self.bytes.extend(value.bytes().chain([0]));
    }

    fn signature(&mut self, value: &str) {
        self.bytes.push(u8::try_from(value.len()).unwrap());
        self.bytes.extend(value.bytes().chain([0]));
    }

    fn variant(&mut self, value: &Value) {
        self.signature(value.signature());
        value.write(self);
    }

    fn array(&mut self, alignment: usize, write: impl FnOnce(&mut Self)) {
        self.u32(0);
        let at = self.bytes.len() - 4;
        self.align(alignment);
        let begin = self.bytes.len();
        write(self);
        let length = u32::try_from(self.bytes.len() - begin).unwrap();
        let length = if self.is_big_endian { length.to_be_bytes() } else { length.to_le_bytes() };
        self.bytes[at..at + 4].copy_from_slice(&length);
    }
}

/// A message of this kind with these header fields and this body.
fn message(is_big_endian: bool, kind: u8, fields: &[(u8, &Value)], signature: &str, body: &[u8]) -> Vec<u8> {
    let order = if is_big_endian { b'B' } else { b'l' };
    let mut writer = Writer { bytes: vec![order, kind, 0, 1], is_big_endian };
    writer.u32(u32::try_from(body.len()).unwrap());
    writer.u32(77);
    writer.array(8, |to| {
        for (code, value) in fields {
            to.align(8);
            to.bytes.push(*code);
            to.variant(value);
        }
        if !signature.is_empty() {
            to.align(8);
            to.bytes.push(field::SIGNATURE);
            to.signature("g");
            to.signature(signature);
        }
    });
    writer.align(8);
    writer.bytes.extend(body);
    writer.bytes
}

/// The answer to question `to`.
pub(in super::super) fn answer(is_big_endian: bool, to: u32, values: &[(String, Value)]) -> Vec<u8> {
    let mut body = Writer { bytes: Vec::new(), is_big_endian };
    body.array(8, |body| {
        for (name, value) in values {
            body.align(8);
            body.text(name);
            body.variant(value);
        }
    });
    let fields = [(field::REPLY_SERIAL, &Value::U32(to))];
    message(is_big_endian, METHOD_RETURN, &fields, "a{sv}", &body.bytes)
}

/// The answer to `Hello`, and the signal that follows it.
pub(in super::super) fn welcome() -> Vec<u8> {
    let name = {
        let mut body = Writer { bytes: Vec::new(), is_big_endian: false };
        body.text(":1.42");
        body.bytes
    };
    let member = Value::Text("NameAcquired".to_owned());
    [
        message(false, METHOD_RETURN, &[(field::REPLY_SERIAL, &Value::U32(1))], "s", &name),
        message(false, 4, &[(field::MEMBER, &member)], "s", &name),
    ]
    .concat()
}

/// A refusal of question 2.
pub(in super::super) fn refusal(name: &str, says: &str) -> Vec<u8> {
    let mut body = Writer { bytes: Vec::new(), is_big_endian: false };
    body.text(says);
    let name = Value::Text(name.to_owned());
    let fields = [(field::REPLY_SERIAL, &Value::U32(2)), (field::ERROR_NAME, &name)];
    message(false, ERROR, &fields, "s", &body.bytes)
}

#[test]
fn a_call_is_what_the_specification_says() {
    let call = Call {
        serial: 7,
        destination: Some("a.b"),
        path: "/o",
        interface: "i.f",
        member: "M",
        argument: Some("x"),
    };
    let mut bytes = Vec::new();
    call.write(&mut bytes);
    let expected: &[u8] = b"l\x01\x02\x01\x06\0\0\0\x07\0\0\0\x47\0\0\0\
        \x01\x01o\0\x02\0\0\0/o\0\0\0\0\0\0\
        \x02\x01s\0\x03\0\0\0i.f\0\0\0\0\0\
        \x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0\
        \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
        \x08\x01g\0\x01s\0\0\
        \x01\0\0\0x\0";
    assert_eq!(bytes, expected);
    assert_eq!(length(&bytes), Some(bytes.len()));
}

#[test]
fn a_refusal_says_why() {
    let expected = Answer::Refusal { why: "org.freedesktop.DBus.Error.AccessDenied: no".to_owned() };
    assert_eq!(read(&refusal("org.freedesktop.DBus.Error.AccessDenied", "no")), Some(expected));
}

#[test]
fn what_nests_too_deep_is_refused() {
    let mut value = Value::U64(1);
    for _ in 0..DEEPEST + 2 {
        value = Value::Nested(Box::new(value));
    }
    assert_eq!(read(&answer(false, 2, &[("a".to_owned(), value)])), None);
}

fn values() -> impl Strategy<Value = Vec<(String, Value)>> {
    let leaf = prop_oneof![
        any::<u8>().prop_map(Value::Byte),
        any::<bool>().prop_map(Value::Bool),
        any::<u32>().prop_map(Value::U32),
        any::<u64>().prop_map(Value::U64),
        "[a-zä]{0,20}".prop_map(Value::Text),
        prop::collection::vec("[a-z=]{0,9}", 0..4).prop_map(Value::Texts),
        prop::collection::vec(("[a-z]{0,9}", any::<u64>()), 0..4).prop_map(Value::Pairs),
    ];
    let value = leaf.prop_recursive(3, 8, 1, |inner| inner.prop_map(|value| Value::Nested(Box::new(value))));
    prop::collection::vec(("[A-Za-z]{1,30}", value), 0..12)
}

proptest! {
    #[test]
    fn the_numbers_are_found_among_everything_else(values in values(), is_big_endian: bool) {
        let bytes = answer(is_big_endian, 2, &values);
        prop_assert_eq!(length(&bytes[..FIXED_BYTES]), Some(bytes.len()));
        let numbers = values.iter().filter_map(|(name, value)| match value {
            Value::U32(number) => Some((name.clone(), u64::from(*number))),
            Value::U64(number) => Some((name.clone(), *number)),
            Value::Byte(_) | Value::Bool(_) | Value::Text(_) | Value::Texts(_) | Value::Pairs(_) | Value::Nested(_) => None,
        }).collect();
        prop_assert_eq!(read(&bytes), Some(Answer::Numbers { to: 2, numbers }));
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _any_answer_will_do = (length(&bytes), read(&bytes));
    }

    #[test]
    fn a_damaged_answer_is_no_panic(values in values(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = answer(false, 2, &values);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _any_answer_will_do = (length(&bytes), read(&bytes));
        bytes.truncate(cut.index(bytes.len()));
        let _any_answer_will_do = (length(&bytes), read(&bytes));
    }
}
