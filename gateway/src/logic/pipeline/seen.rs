//! What was seen of the pipeline last, and when: the answers of the broker and the database, and
//! that there are none.

use std::collections::VecDeque;

use muster_nats::Stream;
use muster_nats::overview::{Overview, StreamView};
use muster_schemas::workers::WorkerState;

/// A question without an answer for this long counts as a failure: a database that was stopped
/// refuses nothing, it is only silent.
const SILENT_AFTER_MS: i64 = 3_000;

/// What a stream's inflow is measured over.
const HISTORY_MS: i64 = 60_000;

/// More looks than that are not kept of the time: one every two seconds.
const HISTORY_MAX: usize = 31;

/// One question that is asked over and over.
#[derive(Debug, Clone)]
pub struct Look<T> {
    /// The newest answer, and when it came.
    answer: Option<(i64, T)>,
    /// Since when there was none, and what was said instead.
    failure: Option<(i64, String)>,
    /// When the question was put that is not answered yet.
    asked_at: Option<i64>,
    /// When it was answered again after a time in which it was not.
    back_at: Option<i64>,
}

impl<T> Default for Look<T> {
    fn default() -> Self {
        Self { answer: None, failure: None, asked_at: None, back_at: None }
    }
}

impl<T> Look<T> {
    pub fn ask(&mut self, now: i64) {
        self.asked_at = Some(now);
    }

    pub fn answered(&mut self, now: i64, answer: Result<T, String>) {
        let was_away = self.away(now).is_some();
        let asked_at = self.asked_at.take().unwrap_or(now);
        match answer {
            Ok(answer) => {
                self.answer = Some((now, answer));
                self.failure = None;
                if was_away {
                    self.back_at = Some(now);
                }
            }
            Err(reason) => {
                let since = self.failure.take().map_or(asked_at, |(since, _)| since);
                self.failure = Some((since, reason));
            }
        }
    }

    /// Since when nothing was answered, and why.
    pub fn away(&self, now: i64) -> Option<(i64, &str)> {
        if let Some((since, reason)) = &self.failure {
            return Some((*since, reason));
        }
        let silent_since = self.asked_at.filter(|asked_at| now - asked_at >= SILENT_AFTER_MS)?;
        Some((silent_since, "it is silent"))
    }

    /// Whether it answers again, and has done so for less than a while.
    pub fn is_just_back(&self, now: i64, while_ms: i64) -> bool {
        self.back_at.is_some_and(|at| now - at < while_ms)
    }

    pub fn newest(&self) -> Option<&T> {
        self.answer.as_ref().map(|(_, answer)| answer)
    }

    pub fn as_of(&self) -> Option<i64> {
        self.answer.as_ref().map(|(at, _)| *at)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub broker: Look<Overview>,
    /// Earlier looks at the streams, the oldest first.
    history: VecDeque<Vec<StreamView>>,
    pub database: Look<Database>,
    /// What takes longer to find out.
    pub contents: Look<Contents>,
    /// The same host's journal as it was in an earlier heartbeat.
    earlier_journal: Option<Journal>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Database {
    pub version: String,
    pub engine: String,
    pub connections: i64,
    pub connections_max: i64,
    /// From the question to the answer.
    pub answer_ms: f64,
    /// The longest that a transaction has been open.
    pub oldest_transaction_s: f64,
    pub workers: Vec<WorkerRow>,
}

/// Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerRow {
    pub id: String,
    pub kind: String,
    pub hostname: String,
    pub pid: i64,
    pub version: String,
    pub started_at: i64,
    pub seen_at: i64,
    /// How old the row was, by the database's clock, when it was read.
    pub silent_ms: i64,
    pub state: WorkerState,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    pub database_bytes: i64,
    pub journals: Journals,
    pub ledger: LedgerTotals,
}

/// The agents' journals, as their newest heartbeats tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Journals {
    pub hosts: i64,
    pub hosts_with_backlog: i64,
    pub waiting: i64,
    pub bytes: i64,
    /// The one that has the least room left, for its size.
    pub fullest: Option<Journal>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    pub host: String,
    pub sent_at: i64,
    pub waiting: i64,
    pub bytes: i64,
    pub bytes_max: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerTotals {
    pub hosts_with_gaps: i64,
    pub gaps: i64,
    /// Messages that are missing and may still come.
    pub missing: i64,
    /// Messages that nobody has any more.
    pub lost: i64,
    /// Messages agents had to drop before anybody had them.
    pub dropped: i64,
}

impl Seen {
    pub fn broker_answered(&mut self, now: i64, answer: Result<Overview, String>) {
        if let Ok(overview) = &answer {
            self.history.push_back(overview.streams.clone());
            let is_old = |streams: &Vec<StreamView>| {
                streams
                    .first()
                    .zip(overview.streams.first())
                    .is_some_and(|(old, new)| new.at - old.at > HISTORY_MS)
            };
            while self.history.len() > HISTORY_MAX || self.history.front().is_some_and(is_old) {
                self.history.pop_front();
            }
        }
        self.broker.answered(now, answer);
    }

    pub fn contents_answered(&mut self, now: i64, answer: Result<Contents, String>) {
        let journal = |contents: &Contents| contents.journals.fullest.clone();
        if let (Ok(new), Some(old)) = (&answer, self.contents.newest()) {
            let (new, old) = (journal(new), journal(old));
            let is_news = |new: &Journal, old: &Journal| new.sent_at > old.sent_at;
            if new.zip(old.clone()).is_some_and(|(new, old)| is_news(&new, &old)) {
                self.earlier_journal = old;
            }
        }
        self.contents.answered(now, answer);
    }

    /// What comes into a stream, in bytes a second, as it was before the broker went away if it
    /// has.
    pub fn inflow_bytes_per_s(&self, stream: Stream) -> Option<f64> {
        let of =
            |streams: &Vec<StreamView>| streams.iter().find(|view| view.stream == stream).cloned();
        let (old, new) = (of(self.history.front()?)?, of(self.history.back()?)?);
        let seconds = (new.at - old.at) as f64 / 1000.0;
        let messages = new.last_seq.saturating_sub(old.last_seq) as f64;
        let size = new.bytes as f64 / new.messages.max(1) as f64;
        (seconds > 0.0).then(|| messages * size / seconds)
    }

    /// How fast the fullest journal grows, if it was seen to.
    pub fn journal_growth_bytes_per_s(&self) -> Option<f64> {
        let new = self.contents.newest()?.journals.fullest.as_ref()?;
        let old = self.earlier_journal.as_ref().filter(|old| old.host == new.host)?;
        let seconds = (new.sent_at - old.sent_at) as f64 / 1000.0;
        (seconds > 0.0 && new.bytes > old.bytes).then(|| (new.bytes - old.bytes) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_is_not_answered_is_a_failure_after_a_while() {
        let mut look: Look<u8> = Look::default();
        look.ask(0);
        look.answered(10, Ok(1));
        look.ask(1_000);
        assert_eq!(look.away(3_999), None);
        assert_eq!(look.away(4_000), Some((1_000, "it is silent")));
        look.answered(11_000, Err("timed out".into()));
        look.ask(12_000);
        look.answered(13_000, Err("refused".into()));
        assert_eq!(look.away(13_000), Some((1_000, "refused")));
        assert_eq!((look.newest(), look.as_of()), (Some(&1), Some(10)));
        look.answered(14_000, Ok(2));
        assert_eq!(look.away(14_000), None);
    }
}
