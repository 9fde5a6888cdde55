//! Titles and texts of tickets, with fields: `CPU of {{host}} at {{value}}`.
//!
//! A template is read when a rule is checked, so that an unknown field is refused there; drawing
//! cannot fail. What a field has no value for is drawn as a dash. What is drawn is bounded, because
//! labels and process names are other people's text.

use std::collections::BTreeMap;
use std::fmt::Write;

use muster_schemas::conditions::{Context, Directory};
use muster_schemas::telemetry::{Filesystem, Process};

use crate::figures;
use crate::rule::Priority;

/// The longest text of one field, in characters.
const FIELD_CHARS_MAX: usize = 512;

/// The longest text of a whole, in bytes: four times the longest template, so that one with fields
/// is not cut.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Hosts of a group that are named.
pub const HOSTS_NAMED_MAX: usize = 20;

const NOTHING: &str = "-";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Host,
    Metric,
    Instance,
    Value,
    Threshold,
    For,
    Since,
    Priority,
    Rule,
    TopProcesses,
    Filesystem,
    TopDirectories,
    Label(String),
    Count,
    Hosts,
}

/// The names of all fields, for messages and for the form in which rules are written.
pub const FIELDS: [&str; 15] = [
    "host",
    "metric",
    "instance",
    "value",
    "threshold",
    "for",
    "since",
    "priority",
    "rule",
    "top_processes",
    "filesystem",
    "top_directories",
    "label.<key>",
    "count",
    "hosts",
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    #[error("the field {0:?} is unknown")]
    UnknownField(String),
    #[error("a {{{{ is not closed")]
    Unclosed,
}

/// What the fields of a template are drawn from.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    pub host: &'a str,
    pub metric: &'a str,
    pub instance: &'a str,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// The metric's unit does not hold for these two: they are a share of hosts.
    pub is_share: bool,
    pub lasted_ms: i64,
    pub begun_at: i64,
    pub priority: Priority,
    pub rule: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    pub context: Option<&'a Context>,
    /// Of a group: how many hosts are concerned, and the first of them.
    pub count: usize,
    pub hosts: &'a [String],
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, after) = after.split_once("}}").ok_or(InvalidTemplate::Unclosed)?;
            parts.push(Part::Field(field(name.trim())?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    pub(crate) fn names_directories(&self) -> bool {
        self.parts.contains(&Part::Field(Field::TopDirectories))
    }

    pub fn render(&self, values: &Values<'_>) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(given) => text.push_str(given),
                Part::Field(field) => {
                    text.extend(draw(field, values).chars().take(FIELD_CHARS_MAX));
                }
            }
        }
        cut(&mut text, TEXT_BYTES_MAX);
        text
    }
}

/// Shortens to at most so many bytes, between two characters.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
    }
}

fn field(name: &str) -> Result<Field, InvalidTemplate> {
    Ok(match name {
        "host" => Field::Host,
        "metric" => Field::Metric,
        "instance" => Field::Instance,
        "value" => Field::Value,
        "threshold" => Field::Threshold,
        "for" => Field::For,
        "since" => Field::Since,
        "priority" => Field::Priority,
        "rule" => Field::Rule,
        "top_processes" => Field::TopProcesses,
        "filesystem" => Field::Filesystem,
        "top_directories" => Field::TopDirectories,
        "count" => Field::Count,
        "hosts" => Field::Hosts,
        _ => match name.strip_prefix("label.") {
            Some(key) if !key.is_empty() => Field::Label(key.to_owned()),
            _ => return Err(InvalidTemplate::UnknownField(name.chars().take(80).collect())),
        },
    })
}

fn draw(field: &Field, values: &Values<'_>) -> String {
    let text = match field {
        Field::Host => values.host.to_owned(),
        Field::Metric => values.metric.to_owned(),
        Field::Instance => values.instance.to_owned(),
        Field::Value => values.figure(values.value),
        Field::Threshold => values.figure(values.threshold),
        Field::For => figures::duration(values.lasted_ms),
        Field::Since => figures::time(values.begun_at),
        Field::Priority => values.priority.as_str().to_owned(),
        Field::Rule => values.rule.to_owned(),
        Field::TopProcesses => {
            values.context.map(|context| processes(&context.processes)).unwrap_or_default()
        }
        Field::Filesystem => {
            let filesystem = values.context.and_then(|context| context.filesystem.as_ref());
            filesystem.map(filesystem_line).unwrap_or_default()
        }
        Field::TopDirectories => directories(values.context),
        Field::Label(key) => values.labels.get(key).cloned().unwrap_or_default(),
        Field::Count => values.count.to_string(),
        Field::Hosts => named(values.hosts, values.count),
    };
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

impl Values<'_> {
    fn figure(&self, value: Option<f64>) -> String {
        match value {
            None => String::new(),
            Some(share) if self.is_share => format!("{} %", figures::number(share)),
            Some(value) => figures::value(self.metric, value),
        }
    }
}

/// `web-1, web-2 and 198 more`.
pub(crate) fn named(hosts: &[String], count: usize) -> String {
    let shown = hosts.len().min(HOSTS_NAMED_MAX);
    let mut text = hosts[..shown].join(", ");
    if count > shown && shown > 0 {
        let _ = write!(text, " and {} more", count - shown);
    }
    text
}

fn processes(list: &[Process]) -> String {
    let line = |process: &Process| {
        format!(
            "{} (pid {}, {} % CPU, {})",
            process.name,
            process.pid,
            figures::number(process.cpu_percent.into()),
            figures::bytes(process.memory_bytes as f64)
        )
    };
    list.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Finding them out takes longer than to say that a disk is full.
fn directories(context: Option<&Context>) -> String {
    let Some(context) = context.filter(|context| !context.directories.is_empty()) else {
        return "not known yet".to_owned();
    };
    let line = |directory: &Directory| {
        format!("{} ({})", directory.path, figures::bytes(directory.bytes as f64))
    };
    let mut text = context.directories.iter().map(line).collect::<Vec<_>>().join(", ");
    if context.directories_partial {
        text.push_str("; not all was looked at");
    }
    text
}

fn filesystem_line(filesystem: &Filesystem) -> String {
    format!(
        "{} ({}): {} used, {} free",
        filesystem.mount,
        filesystem.device,
        figures::bytes(filesystem.used_bytes as f64),
        figures::bytes(filesystem.available_bytes as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, context: &Context) -> String {
        let labels = [("role".to_owned(), "web".to_owned())].into();
        let hosts: Vec<String> = (1..=25).map(|n| format!("web-{n}")).collect();
        let values = Values {
            host: "web-3",
            metric: "filesystem.used_percent",
            instance: "/var",
            value: Some(91.34),
            threshold: Some(90.0),
            is_share: false,
            lasted_ms: 300_000,
            begun_at: 1_732_100_000_000,
            priority: Priority::Critical,
            rule: "Disk critical",
            labels: &labels,
            context: Some(context),
            count: 200,
            hosts: &hosts,
        };
        Template::parse(template).unwrap().render(&values)
    }

    #[test]
    fn every_field_is_drawn_with_its_unit() {
        let context = Context {
            processes: vec![Process {
                pid: 7,
                name: "postgres".into(),
                cpu_percent: 88.0,
                memory_bytes: 1 << 30,
                ..Process::default()
            }],
            filesystem: Some(Filesystem {
                mount: "/var".into(),
                device: "sda1".into(),
                used_bytes: 3 << 30,
                available_bytes: 1 << 29,
                ..Filesystem::default()
            }),
            directories: vec![
                Directory { path: "/var/log".into(), bytes: 2 << 30 },
                Directory { path: "/var/tmp".into(), bytes: 1 << 29 },
            ],
            directories_partial: false,
        };
        for (template, text) in [
            ("plain", "plain"),
            ("", ""),
            ("{{ host }}{{instance}}", "web-3/var"),
            ("{{value}} > {{threshold}}", "91.3 % > 90 %"),
            ("{{for}} since {{since}}", "5 min since 2024-11-20 10:53:20 UTC"),
            ("{{priority}} {{rule}} {{metric}}", "critical Disk critical filesystem.used_percent"),
            ("{{top_processes}}", "postgres (pid 7, 88 % CPU, 1 GiB)"),
            ("{{filesystem}}", "/var (sda1): 3 GiB used, 512 MiB free"),
            ("{{top_directories}}", "/var/log (2 GiB), /var/tmp (512 MiB)"),
            ("{{label.role}} {{label.none}}", "web -"),
            ("{{count}}", "200"),
        ] {
            assert_eq!(rendered(template, &context), text);
        }
        assert!(rendered("{{hosts}}", &context).ends_with("web-19, web-20 and 180 more"));
        assert_eq!(rendered("{{top_processes}}", &Context::default()), "-");
        let partial = Context { directories_partial: true, ..context };
        assert!(rendered("{{top_directories}}", &partial).ends_with("; not all was looked at"));
        assert_eq!(rendered("{{top_directories}}", &Context::default()), "not known yet");
    }

    #[test]
    fn an_unknown_field_is_refused_by_name_and_nothing_is_unbounded() {
        for (template, said) in [
            ("{{hots}}", "the field \"hots\" is unknown"),
            ("{{label.}}", "the field \"label.\" is unknown"),
            ("a {{host", "a {{ is not closed"),
        ] {
            assert_eq!(Template::parse(template).unwrap_err().to_string(), said);
        }
        for name in FIELDS {
            let name = name.replace("<key>", "role");
            assert!(Template::parse(&format!("{{{{{name}}}}}")).is_ok(), "{name}");
        }
        let long = "é".repeat(20_000);
        assert!(rendered(&long, &Context::default()).len() <= TEXT_BYTES_MAX);
    }
}
