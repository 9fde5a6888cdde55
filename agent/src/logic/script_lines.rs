//! What a script prints: one metric a line, `name value [unit]`.
//!
//! A name may be followed by what tells several of one name apart, in braces: `queue{q="in"} 12`.
//! Empty lines and lines that begin with `#` are nothing; any other is an error that names its line.

use muster_schemas::telemetry::CustomMetric;

/// The longest name, instance or unit, in bytes. They become labels of charts.
pub const NAME_BYTES_MAX: usize = 256;

#[derive(Debug, Default, PartialEq)]
pub struct Lines {
    pub metrics: Vec<CustomMetric>,
    /// Of the first bad line, and how many there are.
    pub bad: Option<String>,
}

pub fn parse_lines(text: &str) -> Lines {
    let mut lines = Lines::default();
    let mut bad = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(line) {
            Ok(metric) => lines.metrics.push(metric),
            Err(reason) => {
                bad += 1;
                lines.bad.get_or_insert_with(|| format!("line {number}: {reason}"));
            }
        }
    }
    if bad > 1 {
        lines.bad = lines.bad.map(|first| format!("{first}, and {} more bad lines", bad - 1));
    }
    lines
}

fn parse_line(line: &str) -> Result<CustomMetric, String> {
    let (name, instance, rest) = split_name(line)?;
    let mut words = rest.split_whitespace();
    let value = words.next().ok_or("there is no value")?;
    let value: f64 = value.parse().map_err(|_| format!("{:?} is not a number", shown(value)))?;
    if !value.is_finite() {
        return Err("the value is not finite".into());
    }
    let unit = words.next().unwrap_or_default();
    if words.next().is_some() {
        return Err("there is more than a name, a value and a unit".into());
    }
    if [name, instance, unit].iter().any(|text| text.len() > NAME_BYTES_MAX || text.contains('\0'))
    {
        return Err(format!("a name is longer than {NAME_BYTES_MAX} bytes or holds a NUL"));
    }
    Ok(CustomMetric {
        name: name.to_owned(),
        instance: instance.to_owned(),
        value,
        unit: unit.to_owned(),
    })
}

/// Name, braces (or nothing), and the rest. Braces may hold blanks and quoted braces.
pub fn split_name(line: &str) -> Result<(&str, &str, &str), String> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return Err("there is no name".into());
    }
    if !rest.starts_with('{') {
        return Ok((name, "", rest));
    }
    let end = end_of_braces(rest).ok_or("a brace is not closed")?;
    let (instance, rest) = rest.split_at(end);
    Ok((name, if instance == "{}" { "" } else { instance }, rest))
}

fn end_of_braces(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// Enough of a bad word to find it.
fn shown(word: &str) -> String {
    word.chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metric(name: &str, instance: &str, value: f64, unit: &str) -> CustomMetric {
        CustomMetric { name: name.into(), instance: instance.into(), value, unit: unit.into() }
    }

    #[test]
    fn good_lines_are_metrics_and_bad_ones_are_named() {
        let text = "# comment\nqueue.length 12\n\ntemp 3.5 celsius\nq{name=\"a }b\"} -1e3 1/s\n\
                    one\ntwo x\nthree 1 2 3\nfour NaN\n";
        let lines = parse_lines(text);
        let expected = [
            metric("queue.length", "", 12.0, ""),
            metric("temp", "", 3.5, "celsius"),
            metric("q", "{name=\"a }b\"}", -1000.0, "1/s"),
        ];
        assert_eq!(lines.metrics, expected);
        assert_eq!(lines.bad.unwrap(), "line 6: there is no value, and 3 more bad lines");
    }

    #[test]
    fn each_reason_is_told() {
        for (line, reason) in [
            ("two x", "line 1: \"x\" is not a number"),
            ("three 1 2 3", "line 1: there is more than a name, a value and a unit"),
            ("four inf", "line 1: the value is not finite"),
            ("five{a 1", "line 1: a brace is not closed"),
            ("{a} 1", "line 1: there is no name"),
        ] {
            assert_eq!(parse_lines(line).bad.as_deref(), Some(reason));
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text: String) {
            for metric in parse_lines(&text).metrics {
                prop_assert!(metric.value.is_finite() && !metric.name.is_empty());
            }
        }
    }
}
