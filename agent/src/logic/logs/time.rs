//! Time stamps as log lines write them.
//!
//! A stamp is looked for where the caller points, never searched for. A stamp that is impossible,
//! more than [`AHEAD_MS_MAX`] ahead or from before 2020 is still a stamp (what follows it is a
//! level), but says no time: the line then gets the time of reading. So does a stamp that is a
//! time of day without a date. A date without a year lies in the year that puts it at most a day
//! ahead; a time without a zone, or with the name of one other than UTC, is the host's own.

use super::Clock;
use super::civil::{Civil, year_of};

/// The ingest worker takes lines up to five minutes ahead of its clock.
const AHEAD_MS_MAX: i64 = 300_000;
/// 2020-01-01: the schemas take nothing older.
const EARLIEST_MS: i64 = 1_577_836_800_000;
const DAY_MS: i64 = 86_400_000;
/// The longest stamp is well below this.
const STAMP_BYTES_MAX: usize = 64;

/// Names of zones that follow a time. Only UTC's are counted with: the others are ambiguous, and
/// a host writes its own.
const ZONES: [&[u8]; 30] = [
    b"CET", b"CEST", b"EST", b"EDT", b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT", b"BST",
    b"IST", b"JST", b"KST", b"MSK", b"WET", b"WEST", b"EET", b"EEST", b"AEST", b"AEDT", b"ACST",
    b"AWST", b"NZST", b"NZDT", b"SGT", b"HKT", b"BRT", b"SAST", b"PKT",
];

/// A stamp at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Milliseconds since 1970, where it is plausible.
    pub at: Option<i64>,
    pub len: usize,
    /// It has a date and a time of day, rather than being a bare number.
    pub dated: bool,
}

/// The stamp with which the text begins.
pub(super) fn at_start(text: &[u8], clock: Clock) -> Option<Stamp> {
    let first = *text.first()?;
    if !first.is_ascii_digit() && !first.is_ascii_uppercase() {
        return None;
    }
    let mut cursor = Cursor { text: &text[..text.len().min(STAMP_BYTES_MAX)], at: 0, clock };
    let (at, dated) = if first.is_ascii_digit() {
        cursor.digits_first()?
    } else {
        (cursor.letters_first()?, true)
    };
    Some(Stamp { at: at.plausible(clock), len: cursor.at, dated })
}

pub(super) fn is_plausible(at_ms: i64, clock: Clock) -> bool {
    (EARLIEST_MS..=clock.now_ms.saturating_add(AHEAD_MS_MAX)).contains(&at_ms)
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, told by its size.
pub(super) fn epoch_ms(number: f64) -> Option<i64> {
    let ms = match number {
        n if (1e8..1e11).contains(&n) => n * 1e3,
        n if (1e11..1e14).contains(&n) => n,
        n if (1e14..1e17).contains(&n) => n / 1e3,
        n if (1e17..1e20).contains(&n) => n / 1e6,
        _ => return None,
    };
    Some(ms.round() as i64)
}

/// The time klog writes after its letter, `1121 12:00:00.000000`: month and day, no year.
pub(super) fn klog(text: &[u8], clock: Clock) -> Option<Stamp> {
    let mut cursor = Cursor { text: &text[..text.len().min(STAMP_BYTES_MAX)], at: 0, clock };
    let (date, _) = cursor.number(4, 8)?;
    let mut civil = Civil { month: date / 100 % 100, day: date % 100, ..Civil::default() };
    cursor.byte(b' ')?;
    cursor.clock_time(&mut civil, b':')?;
    if date > 9999 {
        civil.year = date / 10_000;
    }
    let at = if civil.year > 0 { cursor.local(civil) } else { cursor.without_year(civil) };
    Some(Stamp { at: at.plausible(clock), len: cursor.at, dated: true })
}

/// What a stamp says; none for a time that never was.
#[derive(Clone, Copy)]
struct Moment(Option<i64>);

impl Moment {
    fn plausible(self, clock: Clock) -> Option<i64> {
        self.0.filter(|&at| is_plausible(at, clock))
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    clock: Clock,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn byte(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = self.peek();
        bytes.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    /// A run of digits and its length; nothing is taken unless the length fits.
    fn number(&mut self, least: usize, most: usize) -> Option<(i64, usize)> {
        let rest = &self.text[self.at.min(self.text.len())..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(least..=most).contains(&len) {
            return None;
        }
        self.at += len;
        Some((rest[..len].iter().fold(0, |n, byte| n * 10 + i64::from(byte - b'0')), len))
    }

    /// Takes what `part` takes, or nothing.
    fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.at;
        let taken = part(self);
        if taken.is_none() {
            self.at = before;
        }
        taken
    }

    fn digits_first(&mut self) -> Option<(Moment, bool)> {
        let (first, digits) = self.number(1, 19)?;
        let date = match digits {
            4 => self.year_first(first)?,
            1 | 2 => self.short_first(first)?,
            6 => self.compact(first + 20_000_000)?,
            8 => self.compact(first)?,
            10 | 13 | 16 | 19 => return Some((self.epoch(first, digits)?, false)),
            _ => return None,
        };
        Some((date, true))
    }

    /// `2026-11-21 12:00:00`, with other separators too.
    fn year_first(&mut self, year: i64) -> Option<Moment> {
        let separator = self.one_of(b"-/.")?;
        let (month, _) = self.number(1, 2)?;
        self.byte(separator)?;
        let (day, _) = self.number(1, 2)?;
        let mut civil = Civil { year, month, day, ..Civil::default() };
        let joint = self.one_of(b"T -_:,")?;
        if joint == b' ' || joint == b',' {
            self.spaces();
            // Gin's `2026/11/21 - 12:00:00`.
            self.attempt(|at| at.byte(b'-').and_then(|()| at.byte(b' ')));
        }
        self.attempt(|at| at.clock_time(&mut civil, b':'))
            .or_else(|| self.attempt(|at| at.clock_time(&mut civil, b'.')))?;
        Some(self.zoned(civil))
    }

    /// A day, a month or a year of two digits comes first: who writes which is told by the
    /// separator and by what follows.
    fn short_first(&mut self, first: i64) -> Option<Moment> {
        let separator = self.one_of(b"/-. ")?;
        if let Some(month) = self.attempt(Self::month_name) {
            return self.named_month(first, month, separator);
        }
        let (second, _) = self.number(1, 2).filter(|_| separator != b' ')?;
        let mut civil = Civil { month: first, day: second, ..Civil::default() };
        if self.attempt(|at| at.byte(separator)).is_some() {
            let (third, digits) = self.number(2, 4)?;
            civil = match (digits, separator) {
                (2, b'/') => Civil { year: 2000 + first, month: second, day: third, ..civil },
                (4, b'.') => Civil { year: third, month: second, day: first, ..civil },
                // The American order, unless there is no such month.
                (4, _) if first > 12 => Civil { year: third, month: second, day: first, ..civil },
                (4, _) => Civil { year: third, ..civil },
                _ => return None,
            };
        } else if separator == b'/' {
            return None;
        }
        self.attempt(|at| at.byte(b','));
        self.one_of(b" T")?;
        self.clock_time(&mut civil, b':')?;
        Some(if civil.year > 0 { self.zoned(civil) } else { self.without_year(civil) })
    }

    /// `21/Nov/2026:12:00:00 +0000`, `21-Nov-2026 12:00:00.123`, `21 Nov 2026 12:00:00.123`.
    fn named_month(&mut self, day: i64, month: i64, separator: u8) -> Option<Moment> {
        self.byte(separator)?;
        let (year, _) = self.number(4, 4)?;
        self.one_of(b": ")?;
        let mut civil = Civil { year, month, day, ..Civil::default() };
        self.clock_time(&mut civil, b':')?;
        Some(self.zoned(civil))
    }

    /// `20261121-12:00:00:606`, `20261121T120000Z`, `081109 203518`, `261121 12:00:00`.
    fn compact(&mut self, date: i64) -> Option<Moment> {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        let mut civil = Civil { year, month, day, ..Civil::default() };
        let joint = self.one_of(b"- T")?;
        if joint == b' ' {
            self.spaces();
        }
        if let Some((time, _)) = self.attempt(|at| at.number(6, 6)) {
            (civil.hour, civil.minute, civil.second) =
                (time / 10_000, time / 100 % 100, time % 100);
        } else {
            self.clock_time(&mut civil, b':')?;
        }
        Some(self.zoned(civil))
    }

    /// A bare number is a time only when it is plausible: `1732190400.123`.
    fn epoch(&mut self, number: i64, digits: usize) -> Option<Moment> {
        let mut ms = epoch_ms(number as f64)?;
        if digits == 10 && self.attempt(|at| at.byte(b'.')).is_some() {
            ms += self.fraction_ms()?;
        }
        let ends = !self.peek().is_ascii_alphanumeric();
        (ends && is_plausible(ms, self.clock)).then_some(Moment(Some(ms)))
    }

    /// `Nov 21 12:00:00`, `Nov 21 2026 12:00:00`, `Mon Nov 21 12:00:00 2026`,
    /// `Mon, 21 Nov 2026 12:00:00 +0000`.
    fn letters_first(&mut self) -> Option<Moment> {
        if self.attempt(Self::weekday).is_some() {
            let comma = self.attempt(|at| at.byte(b','));
            self.spaces();
            if comma.is_some() && self.peek().is_ascii_digit() {
                let (first, _) = self.number(1, 2)?;
                return self.short_first(first);
            }
        }
        let month = self.month_name()?;
        self.byte(b' ')?;
        self.spaces();
        let (day, _) = self.number(1, 2)?;
        let mut civil = Civil { month, day, ..Civil::default() };
        self.attempt(|at| at.byte(b','));
        self.byte(b' ')?;
        if let Some((year, _)) = self.attempt(|at| at.number(4, 4)) {
            civil.year = year;
            self.one_of(b" ,")?;
            self.spaces();
        }
        self.clock_time(&mut civil, b':')?;
        if civil.year > 0 {
            return Some(self.zoned(civil));
        }
        Some(self.year_last(civil))
    }

    /// The year of ctime stands behind the time, sometimes behind a zone.
    fn year_last(&mut self, mut civil: Civil) -> Moment {
        let year = self.attempt(|at| {
            at.byte(b' ')?;
            let utc = at.attempt(Self::zone_name).and_then(|utc| at.byte(b' ').map(|()| utc));
            let (year, _) = at.number(4, 4)?;
            (1900..2200).contains(&year).then_some((year, utc == Some(true)))
        });
        match year {
            Some((year, utc)) => {
                civil.year = year;
                if utc { Moment(civil.to_ms()) } else { self.local(civil) }
            }
            None => self.without_year(civil),
        }
    }

    fn clock_time(&mut self, civil: &mut Civil, separator: u8) -> Option<()> {
        (civil.hour, _) = self.number(1, 2)?;
        self.byte(separator)?;
        (civil.minute, _) = self.number(1, 2)?;
        if self.attempt(|at| at.byte(separator)).is_some() {
            (civil.second, _) = self.number(1, 2)?;
            civil.ms = self.attempt(Self::fraction).unwrap_or(0);
        }
        self.attempt(|at| at.half_of_day(civil));
        Some(())
    }

    fn fraction(&mut self) -> Option<i64> {
        self.one_of(b".,:")?;
        self.fraction_ms()
    }

    fn fraction_ms(&mut self) -> Option<i64> {
        let (number, digits) = self.number(1, 9)?;
        Some(number * 1_000_000_000 / 10_i64.pow(digits as u32) / 1_000_000)
    }

    fn half_of_day(&mut self, civil: &mut Civil) -> Option<()> {
        // Java writes a narrow space that does not break, since 20.
        for byte in if self.peek() == b' ' { " " } else { "\u{202f}" }.bytes() {
            self.byte(byte)?;
        }
        let half = self.one_of(b"AP")?;
        self.byte(b'M')?;
        civil.hour = civil.hour % 12 + if half == b'P' { 12 } else { 0 };
        Some(())
    }

    /// The moment of a civil time, with the zone that follows it if one does.
    fn zoned(&mut self, civil: Civil) -> Moment {
        match self.attempt(Self::zone) {
            Some(offset_ms) => Moment(civil.to_ms().map(|ms| ms - offset_ms)),
            None => self.local(civil),
        }
    }

    fn local(&self, civil: Civil) -> Moment {
        Moment(civil.to_ms().map(|ms| ms - self.clock.utc_offset_ms))
    }

    fn without_year(&mut self, mut civil: Civil) -> Moment {
        let offset_ms = self.attempt(Self::zone).unwrap_or(self.clock.utc_offset_ms);
        civil.year = year_of(self.clock.now_ms.saturating_add(offset_ms));
        let this_year = civil.to_ms().map(|ms| ms - offset_ms);
        if this_year.is_some_and(|at| at <= self.clock.now_ms.saturating_add(DAY_MS)) {
            return Moment(this_year);
        }
        civil.year -= 1;
        Moment(civil.to_ms().map(|ms| ms - offset_ms))
    }

    /// What the zone is ahead of UTC, in milliseconds.
    fn zone(&mut self) -> Option<i64> {
        if self.attempt(|at| at.byte(b'Z')).is_some() {
            return Some(0);
        }
        let spaced = self.attempt(|at| at.byte(b' ')).is_some();
        if let Some(sign) = self.one_of(b"+-") {
            let (hours, digits) = self.number(2, 4)?;
            let minutes = match digits {
                4 => hours / 100 * 60 + hours % 100,
                2 if self.attempt(|at| at.byte(b':')).is_some() => {
                    hours * 60 + self.number(2, 2)?.0
                }
                // A lone sign after a space is a dash between two fields.
                2 if !spaced => hours * 60,
                _ => return None,
            };
            return Some(if sign == b'-' { -minutes } else { minutes } * 60_000);
        }
        if !spaced {
            return None;
        }
        let utc = self.zone_name()?;
        Some(if utc { 0 } else { self.clock.utc_offset_ms })
    }

    /// Whether the name that stands here is one of UTC's.
    fn zone_name(&mut self) -> Option<bool> {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let (name, after) = rest.split_at(len);
        if after.first().is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let utc = matches!(name, b"UTC" | b"GMT" | b"Z");
        (utc || ZONES.contains(&name)).then(|| {
            self.at += len;
            utc
        })
    }

    fn spaces(&mut self) {
        while self.peek() == b' ' {
            self.at += 1;
        }
    }

    fn month_name(&mut self) -> Option<i64> {
        const MONTHS: [&[u8; 3]; 12] = [
            b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
            b"Dec",
        ];
        let name = self.text.get(self.at..self.at + 3)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        Some(month as i64 + 1)
    }

    fn weekday(&mut self) -> Option<()> {
        const DAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
        let name = self.text.get(self.at..self.at + 3)?;
        DAYS.iter().any(|day| *day == name).then_some(())?;
        self.at += 3;
        matches!(self.peek(), b' ' | b',').then_some(())
    }
}
