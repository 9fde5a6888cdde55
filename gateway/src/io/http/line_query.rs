//! Which log lines a request means: the parameters that the list and the counts share.

use muster_runtime::now_ms;
use muster_schemas::HostId;
use muster_schemas::logs::Severity;
use muster_schemas::telemetry::SAMPLE_AT_MS_MIN;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Problem;
use super::hosts::host_id;
use super::metrics::{TIME_MS_MAX, read_time};
use crate::io::from_postgres::line_filter::LineFilter;
use crate::logic::search::{BadSearch, FieldIs, Search};
use crate::logic::slices::Stuck;
use crate::logic::steps::Range;

/// What is searched for, or a name, is not longer than this.
const TEXT_CHARS_MAX: usize = 1_024;

/// Each is a condition of its own; who knows more of a line knows its id.
const FIELDS_MAX: usize = 8;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LineQuery {
    /// This bad or worse: `critical`, `failure`, `error`, `warn` or `info`.
    severity: Option<String>,
    /// Exactly this application.
    application: Option<String>,
    /// Exactly this file or `journal:<unit>`.
    source: Option<String>,
    /// Only of this host (where the address names none).
    host: Option<String>,
    /// Parts of the message, whatever the case: all words, in any order; `"a phrase"` as it
    /// stands; `-word` and `-"a phrase"` for what it must not contain.
    text: Option<String>,
    /// `name:value`, a structured field that equals this; several times for several fields, of
    /// which all have to.
    #[serde(default)]
    field: Vec<String>,
    /// Milliseconds since the Unix epoch or RFC 3339.
    from: Option<String>,
    /// As `from`, exclusive.
    to: Option<String>,
}

impl LineQuery {
    /// The host that the query names.
    pub(super) fn host(&self) -> Result<Option<HostId>, Problem> {
        present(self.host.as_deref()).map(host_id).transpose()
    }

    pub(super) fn filter<'a>(
        &'a self,
        host: Option<&'a HostId>,
    ) -> Result<LineFilter<'a>, Problem> {
        let text = bounded("text", self.text.as_deref())?.unwrap_or_default();
        Ok(LineFilter {
            host: host.map(HostId::as_str),
            severity: present(self.severity.as_deref()).map(read_severity).transpose()?,
            application: bounded("application", self.application.as_deref())?,
            source: bounded("source", self.source.as_deref())?,
            search: Search::read(text).map_err(refused)?,
            fields: self.fields()?,
        })
    }

    fn fields(&self) -> Result<Vec<FieldIs>, Problem> {
        if self.field.len() > FIELDS_MAX {
            return Err(Problem::unprocessable(format!(
                "field is given more than {FIELDS_MAX} times"
            )));
        }
        let given = self.field.iter().filter(|field| !field.is_empty());
        given
            .map(|field| {
                bounded("field", Some(field))?;
                FieldIs::read(field).map_err(refused)
            })
            .collect()
    }

    /// What is not bounded goes from the oldest line there can be to the end of time.
    pub(super) fn range(&self) -> Result<Range, Problem> {
        let time = |field, text: Option<&str>| {
            present(text).map(|text| read_time(field, text)).transpose()
        };
        let from = time("from", self.from.as_deref())?.unwrap_or(SAMPLE_AT_MS_MIN);
        let to = time("to", self.to.as_deref())?.unwrap_or(TIME_MS_MAX);
        Ok(Range { from: from.max(SAMPLE_AT_MS_MIN), to })
    }

    /// A range that ends and begins: now and so long before it where nothing was asked for.
    pub(super) fn bounded_range(&self, length_ms: i64) -> Result<Range, Problem> {
        let mut range = self.range()?;
        if present(self.to.as_deref()).is_none() {
            range.to = now_ms();
        }
        if present(self.from.as_deref()).is_none() {
            range.from = (range.to - length_ms).max(SAMPLE_AT_MS_MIN);
        }
        let Range { from, to } = range;
        if from >= to {
            let detail = format!("from is {from}, which is not before to, {to}");
            return Err(Problem::unprocessable(detail));
        }
        Ok(range)
    }
}

fn refused(bad: BadSearch) -> Problem {
    Problem::unprocessable(bad.to_string())
}

/// Where even a second of lines is too many, only asking for less helps.
pub(super) fn search_failed(failure: anyhow::Error) -> Problem {
    match failure.downcast::<Stuck>() {
        Ok(stuck) => {
            Problem::unavailable(format!("{stuck}: ask for one host, application or severity"))
        }
        Err(failure) => failure.into(),
    }
}

/// A form sends what is empty; it asks for nothing.
pub(super) fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

pub(super) fn bounded<'a>(field: &str, text: Option<&'a str>) -> Result<Option<&'a str>, Problem> {
    let text = present(text);
    if text.is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX || text.contains('\0')) {
        let detail = format!("{field} is longer than {TEXT_CHARS_MAX} characters or holds NUL");
        return Err(Problem::unprocessable(detail));
    }
    Ok(text)
}

fn read_severity(name: &str) -> Result<Severity, Problem> {
    Severity::from_name(name).ok_or_else(|| {
        let names = Severity::ALL.map(Severity::as_str).join(", ");
        let name: String = name.chars().take(60).collect();
        Problem::unprocessable(format!("severity is {name:?}, expected one of {names}"))
    })
}
