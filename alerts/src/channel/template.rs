//! The body of a webhook as its operator wants it: a text with `{{fields}}`.
//!
//! In a JSON template values are written as the inside of a JSON string, so that a title with
//! quotation marks breaks nothing; numbers are written bare (`null` where there is none), and
//! `{{notice}}` is the whole notice as JSON. A template that would not give JSON is refused when
//! the channel is saved, and not found out at the first page. Of several tickets, the fields of one
//! ticket are those of the most urgent.

use muster_schemas::Rejection;
use serde_json::Value;

use super::kinds::ContentType;
use super::notice::{Notice, NoticeKind, Ticket};
use super::text;
use crate::rule::Priority;

/// What may stand between the braces.
pub const FIELDS: [&str; 19] = [
    "kind",
    "key",
    "at",
    "title",
    "description",
    "recommendation",
    "text",
    "host",
    "hosts",
    "host_count",
    "count",
    "instance",
    "metric",
    "priority",
    "value",
    "threshold",
    "begun_at",
    "url",
    "notice",
];

/// Fields of one template. Each gives 8 kB at most, so that a body stays under a megabyte.
const PLACES_MAX: usize = 100;

/// The longest value of one field, in bytes.
const VALUE_BYTES_MAX: usize = 8 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    content_type: ContentType,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Field(&'static str),
}

/// What a field gives.
enum Content {
    Text(String),
    Number(Option<f64>),
    Json(String),
}

impl Template {
    pub fn parse(template: &str, content_type: ContentType) -> Result<Self, Rejection> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, behind)) = behind.split_once("}}") else {
                let at = template.len() - behind.len();
                let problem = format!("not closed at byte {at}");
                return Err(Rejection::bad_value("template", problem, "}} after each {{"));
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Field(field(name.trim())?));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        let places = parts.iter().filter(|part| matches!(part, Part::Field(_))).count();
        let notices = parts.iter().filter(|part| **part == Part::Field("notice")).count();
        if places > PLACES_MAX || notices > 1 {
            let expected = format!("{PLACES_MAX} fields at most, and {{{{notice}}}} once");
            return Err(Rejection::bad_value("template", format!("{places} fields"), expected));
        }
        Ok(Self { parts, content_type })
    }

    /// Whether it gives what it promises, with values in every field and with none.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.content_type != ContentType::Json {
            return Ok(());
        }
        for notice in [full_sample(), Notice::test("sample", 0, "sample")] {
            if let Err(error) = serde_json::from_str::<Value>(&self.render(&notice)) {
                let problem = format!("no JSON when it is filled in ({error})");
                let expected = "JSON, or \"content_type\": \"text/plain\"";
                return Err(Rejection::bad_value("template", problem, expected));
            }
        }
        Ok(())
    }

    pub fn render(&self, notice: &Notice) -> String {
        let mut body = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => body.push_str(text),
                Part::Field(name) => body.push_str(&self.write(content(name, notice))),
            }
        }
        body
    }

    fn write(&self, content: Content) -> String {
        let is_json = self.content_type == ContentType::Json;
        match content {
            Content::Json(json) => json,
            Content::Number(Some(number)) => text::number(number),
            Content::Number(None) if is_json => "null".into(),
            Content::Number(None) => String::new(),
            Content::Text(value) if is_json => {
                let quoted = Value::String(text::cut(&value, VALUE_BYTES_MAX)).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Content::Text(value) => text::cut(&value, VALUE_BYTES_MAX),
        }
    }
}

fn field(name: &str) -> Result<&'static str, Rejection> {
    FIELDS.iter().find(|known| **known == name).copied().ok_or_else(|| {
        let expected = format!("one of {}", FIELDS.join(", "));
        Rejection::bad_value("template", format!("{{{{{name}}}}}"), expected)
    })
}

fn content(name: &str, notice: &Notice) -> Content {
    let ticket = notice.tickets.first();
    let of = |read: fn(&Ticket) -> Option<&str>| {
        Content::Text(ticket.and_then(read).unwrap_or_default().to_owned())
    };
    match name {
        "kind" => Content::Text(notice.kind.as_str().into()),
        "key" => Content::Text(notice.key.clone()),
        "at" => Content::Text(text::time(notice.at)),
        "title" => Content::Text(text::headline(notice)),
        "description" => of(|ticket| Some(&ticket.description)),
        "recommendation" => of(|ticket| Some(&ticket.recommendation)),
        "text" => Content::Text(text::body(notice, VALUE_BYTES_MAX)),
        "host" => of(|ticket| ticket.host.as_deref()),
        "hosts" => Content::Text(text::hosts(notice, VALUE_BYTES_MAX)),
        "host_count" => Content::Number(Some(f64::from(notice.host_count))),
        "count" => Content::Number(Some(f64::from(notice.count))),
        "instance" => of(|ticket| ticket.instance.as_deref()),
        "metric" => of(|ticket| ticket.metric.as_deref()),
        "priority" => Content::Text(notice.priority.as_str().into()),
        "value" => Content::Number(ticket.and_then(|ticket| ticket.value)),
        "threshold" => Content::Number(ticket.and_then(|ticket| ticket.threshold)),
        "begun_at" => {
            Content::Text(ticket.map(|ticket| text::time(ticket.begun_at)).unwrap_or_default())
        }
        "url" => Content::Text(notice.url.clone().unwrap_or_default()),
        _ => Content::Json(serde_json::to_string(notice).unwrap_or_default()),
    }
}

/// A notice that has something in every field, and what JSON has to escape.
fn full_sample() -> Notice {
    let ticket = Ticket {
        key: "1/\"host\"".into(),
        host: Some("host-1".into()),
        instance: Some("C:\\".into()),
        title: "A \"title\"".into(),
        description: "Two\nlines".into(),
        recommendation: "\t".into(),
        priority: Priority::High,
        metric: Some("cpu.usage_percent".into()),
        value: Some(91.5),
        threshold: Some(90.0),
        begun_at: 0,
        resolved_at: None,
        url: Some("https://muster.example/".into()),
    };
    Notice::of("sample", NoticeKind::Opened, 0, "sample", vec![ticket])
}

#[cfg(test)]
mod tests {
    use super::super::notice::examples::{opened, storm};
    use super::*;

    fn render(template: &str, content_type: ContentType, notice: &Notice) -> String {
        Template::parse(template, content_type).unwrap().render(notice)
    }

    #[test]
    fn each_field_is_filled_in() {
        for name in FIELDS {
            let filled = render(&format!("{{{{ {name} }}}}"), ContentType::Text, &opened());
            assert!(!filled.is_empty(), "{name}");
        }
        let template = "{{host}}: {{value}} > {{threshold}} since {{begun_at}}";
        let filled = render(template, ContentType::Text, &opened());
        assert_eq!(filled, "web-1: 91.25 > 90 since 2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_title_with_quotation_marks_leaves_the_json_whole() {
        let mut notice = opened();
        notice.tickets[0].title = "a \"b\" \\ \n {{host}}".into();
        let template = r#"{"t":"{{title}}","v":{{value}},"n":{{notice}}}"#;
        let body: Value =
            serde_json::from_str(&render(template, ContentType::Json, &notice)).unwrap();
        assert_eq!(body["t"], "[CRITICAL] a \"b\" \\ \n {{host}}");
        assert_eq!(body["v"], 91.25);
        assert_eq!(body["n"]["key"], notice.key);
    }

    #[test]
    fn nonsense_is_refused_and_the_field_is_named() {
        for (template, problem) in [
            ("{{hots}}", "template is {{hots}}, expected one of kind,"),
            ("{\"a\":1} {{title", "template is not closed at byte 10"),
            ("{\"a\": {{title}}}", "template is no JSON when it is filled in"),
            ("{\"a\": \"{{notice}}\"}", "template is no JSON when it is filled in"),
            (&"{{title}}".repeat(101), "template is 101 fields"),
        ] {
            let refused = Template::parse(template, ContentType::Json)
                .and_then(|template| template.check())
                .unwrap_err()
                .to_string();
            assert!(refused.starts_with(problem), "{refused}");
        }
        assert!(Template::parse("{{title}}!", ContentType::Text).unwrap().check().is_ok());
    }

    #[test]
    fn the_hosts_of_a_storm_do_not_make_a_body_without_end() {
        let template = "{{hosts}}".repeat(100);
        let body = render(&template, ContentType::Text, &storm(5_000));
        assert!(body.len() <= 100 * VALUE_BYTES_MAX);
        assert!(body.contains("more"));
    }
}
