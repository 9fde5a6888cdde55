//! As much of the D-Bus wire format as asking systemd for its units needs: a method call with
//! arrays of strings, and an answer that is a list of units.
//!
//! Source: the D-Bus Specification, "Message Protocol" and "Authentication Protocol". All values
//! are little-endian and aligned to their size, from the start of the message or of its body, both
//! of which begin at multiples of 8.

/// The fixed part of a message's header, up to the length of its fields.
pub const HEADER_BYTES: usize = 16;

/// Longer messages are refused: 10,000 units are listed in 3 MB.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

const LITTLE_ENDIAN: u8 = b'l';
const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const VERSION: u8 = 1;

/// Numbers of the header's fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// One unit, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub name: String,
    /// `active`, `failed`, ...
    pub active: String,
}

pub struct Call<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
    /// Each one argument: an array of strings.
    pub arguments: &'a [&'a [&'a str]],
}

impl Call<'_> {
    pub fn encode(&self, serial: u32) -> Vec<u8> {
        let mut body = Writer::default();
        for strings in self.arguments {
            body.array(4, |body| strings.iter().for_each(|text| body.string(text)));
        }
        let mut message = Writer::default();
        message.bytes.extend([LITTLE_ENDIAN, METHOD_CALL, 0, VERSION]);
        message.number(body.bytes.len() as u32);
        message.number(serial);
        message.array(8, |fields| {
            fields.field(PATH, "o", self.path);
            fields.field(INTERFACE, "s", self.interface);
            fields.field(MEMBER, "s", self.member);
            fields.field(DESTINATION, "s", self.destination);
            if !self.arguments.is_empty() {
                fields.field(SIGNATURE, "g", &"as".repeat(self.arguments.len()));
            }
        });
        message.align(8);
        message.bytes.extend(body.bytes);
        message.bytes
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(text.len() as u8);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    /// The length of an array is without the padding before its first item.
    fn array(&mut self, item_alignment: usize, items: impl FnOnce(&mut Self)) {
        self.number(0);
        let length_at = self.bytes.len() - 4;
        self.align(item_alignment);
        let start = self.bytes.len();
        items(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn field(&mut self, number: u8, kind: &str, value: &str) {
        self.align(8);
        self.bytes.push(number);
        self.signature(kind);
        if kind == "g" { self.signature(value) } else { self.string(value) }
    }
}

/// How long a message is in all, from its first [`HEADER_BYTES`].
pub fn message_length(header: &[u8]) -> Result<usize, String> {
    let mut reader = Reader { bytes: header, at: 4 };
    let strange = || "the bus sent what is no message".to_owned();
    if header.first() != Some(&LITTLE_ENDIAN) {
        return Err(strange());
    }
    let body = reader.number().ok_or_else(strange)? as usize;
    reader.at = 12;
    let fields = reader.number().ok_or_else(strange)? as usize;
    let length = (HEADER_BYTES.saturating_add(fields)).next_multiple_of(8).saturating_add(body);
    if length > MESSAGE_BYTES_MAX {
        return Err(format!("the bus sent a message of {length} bytes"));
    }
    Ok(length)
}

/// What a message is to the one who waits for the answer to a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The body of the answer.
    Answer(&'a [u8]),
    Refused(String),
    /// A signal, or the answer to another call.
    Other,
}

pub fn read_message(message: &[u8], serial: u32) -> Result<Message<'_>, String> {
    read(message, serial).ok_or_else(|| "the bus sent a broken message".into())
}

fn read(message: &[u8], serial: u32) -> Option<Message<'_>> {
    let kind = *message.get(1)?;
    let mut reader = Reader { bytes: message, at: 12 };
    let fields_end = reader.number()? as usize + HEADER_BYTES;
    let mut answers = None;
    while reader.at < fields_end {
        reader.align(8);
        let field = reader.byte()?;
        let signature = reader.signature()?;
        match signature {
            "u" => {
                let number = reader.number()?;
                if field == REPLY_SERIAL {
                    answers = Some(number);
                }
            }
            "s" | "o" => drop(reader.string()?),
            "g" => drop(reader.signature()?),
            _ => return None,
        }
    }
    let body = message.get(fields_end.next_multiple_of(8)..)?;
    if answers != Some(serial) {
        return Some(Message::Other);
    }
    match kind {
        METHOD_RETURN => Some(Message::Answer(body)),
        ERROR => {
            let reason = Reader { bytes: body, at: 0 }.string().unwrap_or("refused by the bus");
            Some(Message::Refused(reason.to_owned()))
        }
        _ => Some(Message::Other),
    }
}

/// The answer to `ListUnitsByPatterns`, of signature `a(ssssssouso)`.
pub fn parse_units(body: &[u8]) -> Option<Vec<Unit>> {
    let mut reader = Reader { bytes: body, at: 0 };
    let length = reader.number()? as usize;
    reader.align(8);
    let end = reader.at.checked_add(length)?;
    let mut units = Vec::new();
    while reader.at < end {
        reader.align(8);
        let name = reader.string()?.to_owned();
        let (_description, _load) = (reader.string()?, reader.string()?);
        let active = reader.string()?.to_owned();
        let (_sub, _following, _path) = (reader.string()?, reader.string()?, reader.string()?);
        let _job = reader.number()?;
        let (_job_type, _job_path) = (reader.string()?, reader.string()?);
        units.push(Unit { name, active });
    }
    Some(units)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    fn number(&mut self) -> Option<u32> {
        self.align(4);
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = self.number()? as usize;
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.byte()?;
        Some(text)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        self.byte()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer of systemd with these units.
    fn answer(serial: u32, units: &[(&str, &str)]) -> Vec<u8> {
        let mut body = Writer::default();
        body.array(8, |body| {
            for (name, active) in units {
                body.align(8);
                for text in [*name, "described", "loaded", *active, "running", "", "/unit"] {
                    body.string(text);
                }
                body.number(0);
                body.string("");
                body.string("/");
            }
        });
        let mut message = Writer::default();
        message.bytes.extend([LITTLE_ENDIAN, METHOD_RETURN, 1, VERSION]);
        message.number(body.bytes.len() as u32);
        message.number(99);
        message.array(8, |fields| {
            fields.bytes.push(REPLY_SERIAL);
            fields.signature("u");
            fields.number(serial);
            fields.field(SIGNATURE, "g", "a(ssssssouso)");
        });
        message.align(8);
        message.bytes.extend(body.bytes);
        message.bytes
    }

    #[test]
    fn units_are_read_from_an_answer() {
        let message = answer(7, &[("ssh.service", "active"), ("x@1.service", "failed")]);
        assert_eq!(message_length(&message[..HEADER_BYTES]), Ok(message.len()));
        assert_eq!(read_message(&message, 8), Ok(Message::Other));
        let Ok(Message::Answer(body)) = read_message(&message, 7) else { panic!("no answer") };
        let unit = |name: &str, active: &str| Unit { name: name.into(), active: active.into() };
        let expected = vec![unit("ssh.service", "active"), unit("x@1.service", "failed")];
        assert_eq!(parse_units(body), Some(expected));
    }

    #[test]
    fn a_call_is_as_long_as_its_header_says() {
        for arguments in [&[][..], &[&["failed"][..], &[]][..]] {
            let call = Call {
                destination: "org.freedesktop.systemd1",
                path: "/org/freedesktop/systemd1",
                interface: "org.freedesktop.systemd1.Manager",
                member: "ListUnitsByPatterns",
                arguments,
            };
            let message = call.encode(3);
            assert_eq!(message_length(&message[..HEADER_BYTES]), Ok(message.len()));
            assert_eq!(read_message(&message, 3), Ok(Message::Other));
        }
    }

    proptest! {
        #[test]
        fn no_message_is_too_strange(bytes: Vec<u8>, at in 0usize..200, value: u8) {
            let _ = message_length(&bytes);
            let _ = read_message(&bytes, 1);
            let _ = parse_units(&bytes);
            let mut message = answer(1, &[("a.service", "active")]);
            let at = at % message.len();
            message[at] = value;
            if let Ok(Message::Answer(body)) = read_message(&message, 1) {
                let _ = parse_units(body);
            }
        }
    }
}
