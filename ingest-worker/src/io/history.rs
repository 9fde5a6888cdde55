//! When what was written: marks that put sequence numbers to times, and the ranges of time that
//! were stored late. Written in the batch's transaction, after the ledger, whose locks keep two
//! workers from each other's rows.

use std::collections::{BTreeMap, HashMap};

use muster_runtime::time::system_time;
use muster_schemas::{Channel, Envelope, HostId};
use tokio::sync::Mutex;
use tokio_postgres::{Error, Transaction};

use super::ledger::Key;

/// A mark in so many milliseconds: between two of them the rate of a channel is taken as even.
pub const SLOT_MS: i64 = 600_000;

/// Stored so much later than written, a message was waiting for something. Batches, a restart of
/// the broker and a clock that is a little off take less.
const LATE_MS: i64 = 120_000;

/// The slots of a key that a worker remembers. What is fresh and what is replayed alternate; so
/// few are forgotten before they are over.
const SLOTS_REMEMBERED: usize = 4;

/// How many keys a worker remembers, some 20 MB; past it the memory starts afresh, which costs one
/// statement that changes nothing for each key.
const KEYS_MAX: usize = 200_000;

/// What a message says of time.
pub struct Written<'a> {
    pub host: &'a HostId,
    pub channel: Channel,
    pub epoch: i64,
    pub seq: i64,
    pub sent_at: i64,
}

impl<'a> Written<'a> {
    pub fn of<T>(envelope: &'a Envelope<T>, channel: Channel) -> Self {
        let Envelope { host, epoch, seq, sent_at, .. } = envelope;
        Self { host, channel, epoch: *epoch, seq: *seq, sent_at: *sent_at }
    }
}

/// The slots that are known to have their mark.
#[derive(Default)]
pub struct Marks {
    known: Mutex<HashMap<Key, Vec<i64>>>,
}

/// Marks that are missing, by key and slot: time and number.
#[derive(Default)]
pub struct Due {
    marks: BTreeMap<(Key, i64), (i64, i64)>,
}

impl Marks {
    pub async fn due<'a>(
        &self,
        written: impl IntoIterator<Item = Written<'a>>,
        now_ms: i64,
    ) -> Due {
        let known = self.known.lock().await;
        let mut marks = BTreeMap::new();
        for message in written {
            let at = message.sent_at.clamp(0, now_ms);
            let slot = at / SLOT_MS;
            let key = (message.host.clone(), message.channel, message.epoch);
            if !known.get(&key).is_some_and(|slots| slots.contains(&slot)) {
                marks.entry((key, slot)).or_insert((at, message.seq));
            }
        }
        Due { marks }
    }

    /// They are durable.
    pub async fn remember(&self, due: Due) {
        let mut known = self.known.lock().await;
        if known.len() + due.marks.len() > KEYS_MAX {
            known.clear();
        }
        for (key, slot) in due.marks.into_keys() {
            let slots = known.entry(key).or_default();
            if slots.len() == SLOTS_REMEMBERED {
                slots.remove(0);
            }
            slots.push(slot);
        }
    }
}

impl Due {
    pub async fn write(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        if self.marks.is_empty() {
            return Ok(());
        }
        let keys = || self.marks.keys().map(|((host, channel, epoch), _)| (host, channel, epoch));
        let hosts: Vec<&str> = keys().map(|(host, _, _)| host.as_str()).collect();
        let channels: Vec<&str> = keys().map(|(_, channel, _)| channel.as_str()).collect();
        let epochs: Vec<i64> = keys().map(|(_, _, epoch)| *epoch).collect();
        let slots: Vec<i64> = self.marks.keys().map(|(_, slot)| *slot).collect();
        let times: Vec<_> = self.marks.values().map(|(at, _)| system_time(*at)).collect();
        let numbers: Vec<i64> = self.marks.values().map(|(_, seq)| *seq).collect();
        let sql = "
            INSERT INTO ledger_marks (host_id, channel, epoch, slot, at, seq)
            SELECT * FROM unnest(
                $1::text[], $2::text[], $3::int8[], $4::int8[], $5::timestamptz[], $6::int8[]
            )
            ON CONFLICT DO NOTHING";
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&hosts, &channels, &epochs, &slots, &times, &numbers];
        transaction.execute(sql, &parameters).await?;
        Ok(())
    }
}

/// First and last time, and how many.
type Late = (i64, i64, i64);

/// Notes which ranges of time were stored late; nothing where nothing of the batch was.
pub async fn record_backfills<'a>(
    transaction: &Transaction<'_>,
    written: impl IntoIterator<Item = Written<'a>>,
    now_ms: i64,
) -> Result<(), Error> {
    let mut late: BTreeMap<(&HostId, Channel), Late> = BTreeMap::new();
    for message in written {
        let at = message.sent_at.max(0);
        if now_ms - at > LATE_MS {
            let range = late.entry((message.host, message.channel)).or_insert((at, at, 0));
            *range = (range.0.min(at), range.1.max(at), range.2 + 1);
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    extend_backfills(transaction, &late).await
}

/// A range that follows the newest one of its channel, or overlaps it, belongs to it.
async fn extend_backfills(
    transaction: &Transaction<'_>,
    late: &BTreeMap<(&HostId, Channel), Late>,
) -> Result<(), Error> {
    let hosts: Vec<&str> = late.keys().map(|(host, _)| host.as_str()).collect();
    let channels: Vec<&str> = late.keys().map(|(_, channel)| channel.as_str()).collect();
    let from: Vec<_> = late.values().map(|(from, _, _)| system_time(*from)).collect();
    let to: Vec<_> = late.values().map(|(_, to, _)| system_time(*to)).collect();
    let messages: Vec<i64> = late.values().map(|(_, _, messages)| *messages).collect();
    let sql = "
        WITH new AS (
            SELECT u.*, (
                SELECT b.id FROM backfills AS b
                WHERE b.host_id = u.host_id AND b.channel = u.channel
                  AND b.from_at <= u.to_at + interval '10 minutes'
                  AND b.to_at >= u.from_at - interval '10 minutes'
                  AND b.stored_at > now() - interval '1 hour'
                ORDER BY b.id DESC LIMIT 1
            ) AS extended
            FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::int8[])
                AS u (host_id, channel, from_at, to_at, messages)
        ), extended AS (
            UPDATE backfills AS b
            SET from_at = least(b.from_at, new.from_at), to_at = greatest(b.to_at, new.to_at),
                messages = b.messages + new.messages, stored_at = now()
            FROM new WHERE b.id = new.extended
        )
        INSERT INTO backfills (host_id, channel, from_at, to_at, messages)
        SELECT host_id, channel, from_at, to_at, messages FROM new WHERE extended IS NULL";
    transaction.execute(sql, &[&hosts, &channels, &from, &to, &messages]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(host: &HostId, seq: i64, sent_at: i64) -> Written<'_> {
        Written { host, channel: Channel::Telemetry, epoch: 1, seq, sent_at }
    }

    #[tokio::test]
    async fn a_slot_is_marked_once_and_no_mark_is_of_the_future() {
        let host: HostId = "web-3".parse().unwrap();
        let now = 100 * SLOT_MS + 5;
        let marks = Marks::default();
        let messages = || [(7, now - 3), (8, now - 2), (9, now + SLOT_MS), (1, now - 50 * SLOT_MS)];
        let due = async || {
            let messages = messages();
            let written = messages.iter().map(|(seq, at)| written(&host, *seq, *at));
            marks.due(written, now).await
        };
        let first = due().await;
        let found: Vec<(i64, i64)> = first.marks.values().copied().collect();
        assert_eq!(found, [(now - 50 * SLOT_MS, 1), (now - 3, 7)]);
        marks.remember(first).await;
        assert!(due().await.marks.is_empty());
    }
}
