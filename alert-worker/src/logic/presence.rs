//! Who is online.
//!
//! - A host is online at its first heartbeat, and offline after more than two missed ones: when
//!   nothing was heard for three of its intervals and a second of tolerance.
//! - Absence is judged only by one who is current, that is, who has heard all the bus has stored.
//!   Whoever falls behind, loses the bus or the database, or stands still for a while has to
//!   become current again, and every host's silence then counts from that moment at the earliest:
//!   a restart of anything raises no false alarm.
//! - A heartbeat that is older than its own deadline says that the host was there, not that it
//!   is: it moves no host from offline to online. Live hosts send a fresh one soon.
//! - Several workers share the heartbeats and each hears only some. What is decided here is
//!   therefore a proposal; the database accepts it only if nobody has heard more, and answers
//!   with the row as it is, which is observed like any other fact.
//!
//! All times are the broker's, in milliseconds since the Unix epoch: neither a host's nor a
//! worker's clock has a say.

use std::collections::{BTreeSet, HashMap};

use muster_schemas::HostId;

/// How many intervals may pass in silence: the heartbeat that is due and two missed ones.
const SILENT_INTERVALS: i64 = 3;

/// A heartbeat travels and waits for its batch; a second more does not matter to anybody.
const TOLERANCE_MS: i64 = 1_000;

/// Whoever was not current for this long starts again: hosts' heartbeats may wait somewhere.
/// Shorter than three of the shortest intervals (1 s).
const LAG_MS_MAX: i64 = 2_500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Online,
    Offline,
}

/// A host as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub status: Status,
    pub heartbeat_at: i64,
    pub interval_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// When the broker stored it.
    pub at: i64,
    pub interval_ms: i64,
    /// What the host says of its clock. Nothing is judged by it here.
    pub clock_offset_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// All that the database knows; what it does not know is forgotten.
    Reloaded(Vec<(HostId, Row)>),
    /// What the database knows of one host; `None` where it knows nothing.
    Stored(HostId, Option<Row>),
    Heard(HostId, Heartbeat),
    /// Nothing waits on the bus.
    Current,
    /// The bus or the database is away.
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Online {
        host: HostId,
        at: i64,
        /// Since its last heartbeat, where there was one.
        away_ms: Option<i64>,
    },
    Offline {
        host: HostId,
        at: i64,
        last_heartbeat_at: i64,
        interval_ms: i64,
    },
}

#[derive(Debug, Default)]
pub struct Presence {
    hosts: HashMap<HostId, Row>,
    /// When each online host's silence would be too long, by its last heartbeat alone.
    deadlines: BTreeSet<(i64, HostId)>,
    current: Option<Current>,
    effects: Vec<Effect>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    since: i64,
    last: i64,
}

impl Row {
    fn allowance_ms(&self) -> i64 {
        self.interval_ms.saturating_mul(SILENT_INTERVALS).saturating_add(TOLERANCE_MS)
    }

    fn deadline(&self) -> i64 {
        self.heartbeat_at.saturating_add(self.allowance_ms())
    }
}

impl Presence {
    pub fn observe(&mut self, now: i64, fact: Fact) {
        match fact {
            Fact::Reloaded(rows) => self.reload(rows),
            Fact::Stored(host, row) => self.put(host, row),
            Fact::Heard(host, heartbeat) => self.hear(now, host, heartbeat),
            Fact::Current => self.become_current(now),
            Fact::Lost => self.current = None,
        }
    }

    /// Judges who has been silent for too long. Each is judged once; a proposal the database
    /// refuses comes back as [`Fact::Stored`].
    pub fn tick(&mut self, now: i64) {
        let Some(current) = self.current else { return };
        if now - current.last > LAG_MS_MAX {
            self.current = None;
            return;
        }
        let due: Vec<HostId> = self
            .deadlines
            .iter()
            .take_while(|(deadline, _)| now > *deadline)
            .map(|(_, host)| host.clone())
            .collect();
        for host in due {
            self.judge(now, current.since, host);
        }
    }

    /// The earliest time at which a tick can have an effect, if nothing is heard until then.
    pub fn next_deadline(&self) -> Option<i64> {
        let since = self.current?.since;
        let earliest = |(deadline, host): &(i64, HostId)| {
            let row = self.hosts.get(host)?;
            Some((*deadline).max(since.saturating_add(row.allowance_ms())) + 1)
        };
        self.deadlines.iter().filter_map(earliest).min()
    }

    pub fn drain_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub fn is_current(&self) -> bool {
        self.current.is_some()
    }

    pub fn count(&self, status: Status) -> usize {
        self.hosts.values().filter(|row| row.status == status).count()
    }

    fn reload(&mut self, rows: Vec<(HostId, Row)>) {
        self.hosts.clear();
        self.deadlines.clear();
        for (host, row) in rows {
            self.put(host, Some(row));
        }
    }

    fn put(&mut self, host: HostId, row: Option<Row>) {
        if let Some(old) = self.hosts.get(&host) {
            self.deadlines.remove(&(old.deadline(), host.clone()));
        }
        let Some(row) = row else {
            self.hosts.remove(&host);
            return;
        };
        if row.status == Status::Online {
            self.deadlines.insert((row.deadline(), host.clone()));
        }
        self.hosts.insert(host, row);
    }

    fn hear(&mut self, now: i64, host: HostId, heartbeat: Heartbeat) {
        let known = self.hosts.get(&host).copied();
        if known.is_some_and(|row| heartbeat.at <= row.heartbeat_at) {
            return;
        }
        let Heartbeat { at, interval_ms, .. } = heartbeat;
        let mut row = Row { status: Status::Online, heartbeat_at: at, interval_ms };
        match known {
            Some(Row { status: Status::Online, .. }) => {}
            Some(_) if now > row.deadline() => row.status = Status::Offline,
            Some(old) => {
                let away_ms = Some(at - old.heartbeat_at);
                self.effects.push(Effect::Online { host: host.clone(), at, away_ms });
            }
            None => self.effects.push(Effect::Online { host: host.clone(), at, away_ms: None }),
        }
        self.put(host, Some(row));
    }

    fn become_current(&mut self, now: i64) {
        let since = match self.current {
            Some(current) if now - current.last <= LAG_MS_MAX => current.since,
            _ => now,
        };
        self.current = Some(Current { since, last: now });
    }

    fn judge(&mut self, now: i64, current_since: i64, host: HostId) {
        let Some(row) = self.hosts.get(&host).copied() else { return };
        if now <= current_since.saturating_add(row.allowance_ms()) {
            return;
        }
        self.put(host.clone(), Some(Row { status: Status::Offline, ..row }));
        self.effects.push(Effect::Offline {
            host,
            at: now,
            last_heartbeat_at: row.heartbeat_at,
            interval_ms: row.interval_ms,
        });
    }
}

#[cfg(test)]
mod tests;
