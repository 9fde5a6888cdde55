//! One entry of the systemd journal as `journalctl --output=json` prints it: all values are text,
//! bytes that are no text are an array of numbers, and a field that occurs several times is an
//! array of those.

use serde::Deserialize;
use serde_json::Value;

/// What journald gives to each line that a service prints without a priority of its own. It takes
/// off a priority that is printed (`<6>`), so that one of 6 cannot be told from none: such a line
/// is judged by its level or its words as if it had none.
const UNASKED_PRIORITY: u8 = 6;

#[derive(Debug, PartialEq)]
pub struct Entry {
    pub cursor: String,
    pub at_ms: i64,
    /// As somebody said; `None` where a service printed the line and journald says 6, whether or
    /// not the service did.
    pub priority: Option<u8>,
    pub identifier: Option<String>,
    pub unit: Option<String>,
    pub message: Vec<u8>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    realtime_us: String,
    #[serde(rename = "PRIORITY", default)]
    priority: Value,
    #[serde(rename = "_TRANSPORT", default)]
    transport: Value,
    #[serde(rename = "SYSLOG_IDENTIFIER", default)]
    identifier: Value,
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
}

/// `None`: not an entry.
pub fn parse(line: &[u8]) -> Option<Entry> {
    let wire: Wire = serde_json::from_slice(line).ok()?;
    let text = |value: &Value| {
        let bytes = bytes(value);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    };
    let priority = text(&wire.priority).and_then(|digit| digit.parse().ok());
    let is_printed = wire.transport == "stdout";
    Some(Entry {
        at_ms: wire.realtime_us.parse::<i64>().ok()? / 1000,
        priority: priority.filter(|priority| !is_printed || *priority != UNASKED_PRIORITY),
        identifier: text(&wire.identifier),
        unit: text(&wire.unit),
        message: bytes(&wire.message),
        cursor: wire.cursor,
    })
}

/// Of several values, the first.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Array(values) if values.first().is_some_and(Value::is_number) => {
            values.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect()
        }
        Value::Array(values) => values.first().map(bytes).unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &[u8]) {
        let line = format!(
            r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1700000000123456","PRIORITY":"3",
            "SYSLOG_IDENTIFIER":"sshd","MESSAGE":{message}}}"#
        );
        let expected = Entry {
            cursor: "s=1;i=2".into(),
            at_ms: 1_700_000_000_123,
            priority: Some(3),
            identifier: Some("sshd".into()),
            unit: None,
            message: expected.to_vec(),
        };
        assert_eq!(parse(line.as_bytes()), Some(expected));
    }

    #[test]
    fn what_a_service_prints_has_no_priority_unless_it_is_another_than_what_is_given_unasked() {
        for (transport, priority, expected) in
            [("stdout", 6, None), ("stdout", 4, Some(4)), ("syslog", 6, Some(6))]
        {
            let line = format!(
                r#"{{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1700000000123456",
                "PRIORITY":"{priority}","_TRANSPORT":"{transport}","MESSAGE":"fatal"}}"#
            );
            assert_eq!(parse(line.as_bytes()).unwrap().priority, expected, "{transport}");
        }
    }

    #[test]
    fn messages_are_text_or_bytes_or_several() {
        check(r#""a\nb""#, b"a\nb");
        check("[255,65,0]", &[255, 65, 0]);
        check(r#"["first","second"]"#, b"first");
        check("[[254,65],[1]]", &[254, 65]);
        check("null", b"");
        assert_eq!(parse(b"{}"), None);
        assert_eq!(parse(b"-- Journal begins --"), None);
    }
}
