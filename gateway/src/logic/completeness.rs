//! How much of what hosts sent is here.
//!
//! A channel is complete when every sequence number from 1 to the largest known one is stored, or
//! refused for a reason and kept among the dead letters. The percentage is rounded down: 100 means
//! all. What is lost is missing for good; the rest is asked for and may still come.

use serde::Serialize;
use utoipa::ToSchema;

/// Gaps that are listed of a channel; more would say nothing more.
pub const GAPS_MAX: i64 = 1_000;

/// Ranges of time stored late that are listed, newest first; a host has a few a month.
pub const BACKFILLS_MAX: i64 = 200;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Completeness {
    /// Of all messages known to exist, rounded down to two decimals.
    pub percent: f64,
    pub channels: Vec<ChannelCompleteness>,
    /// The newest 200 ranges of time whose messages were stored much later than written.
    pub backfilled: Vec<Backfill>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChannelCompleteness {
    pub channel: String,
    pub percent: f64,
    /// Messages in the database.
    pub stored: i64,
    /// Messages refused for a reason and kept among the dead letters.
    pub dead: i64,
    /// The first 1000 ranges that are missing, oldest first.
    pub gaps: Vec<Gap>,
    /// Messages that were missing and are here now.
    pub repaired: i64,
    /// Messages that will never come: nobody has them any more.
    pub lost: i64,
}

/// Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    pub epoch: i64,
    /// The first and the last missing sequence number.
    pub from: i64,
    pub to: i64,
    /// When it was found, or, where that is not known, when the ledger last changed.
    pub since: i64,
    /// About when the first and the last of them were written; null until it was found, and once
    /// its history is no longer kept.
    pub from_at: Option<i64>,
    pub to_at: Option<i64>,
    pub state: GapState,
    /// Of a lost one: `dropped` (the journal was full or damaged), `trimmed` (the broker lost it
    /// after the journal had kept it long enough), `unknown_epoch` (the agent was installed anew),
    /// `not_written` (there was no such message); null where that is no longer known.
    pub cause: Option<String>,
    /// How often the agent was asked for it.
    pub attempts: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapState {
    /// Not asked for yet, or its host does not answer.
    Open,
    /// On its way again.
    Repairing,
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Backfill {
    pub channel: String,
    /// When the first and the last of the messages were written.
    pub from: i64,
    pub to: i64,
    pub messages: i64,
    /// When the last of them was stored.
    pub at: i64,
}

/// What the ledger says of one channel, over all epochs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelLedger {
    pub channel: String,
    pub stored: i64,
    pub dead: i64,
    /// What is lost included.
    pub missing: i64,
    pub lost: i64,
    pub repaired: i64,
    pub holes: Vec<Hole>,
}

/// One range of missing sequence numbers, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    pub epoch: i64,
    pub from: i64,
    pub to: i64,
    pub since: i64,
    pub state: GapState,
    pub cause: Option<String>,
    pub attempts: i64,
    /// Of the gap it belongs to: its first and last number, and when they were written.
    pub bounds: Option<Bounds>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub from: i64,
    pub to: i64,
    pub from_at: i64,
    pub to_at: i64,
}

impl Bounds {
    /// About when a number was written: between the ends at an even rate.
    fn time_of(&self, number: i64) -> i64 {
        let (numbers, time) =
            (i128::from(self.to) - i128::from(self.from), self.to_at - self.from_at);
        let place = i128::from(number) - i128::from(self.from);
        if numbers <= 0 {
            return self.from_at;
        }
        self.from_at + (i128::from(time) * place / numbers) as i64
    }
}

pub fn completeness(ledgers: Vec<ChannelLedger>, backfilled: Vec<Backfill>) -> Completeness {
    let percent = percent_of(&ledgers);
    Completeness { percent, channels: ledgers.into_iter().map(channel).collect(), backfilled }
}

/// Of all channels together.
pub fn percent_of(ledgers: &[ChannelLedger]) -> f64 {
    let total = |count: fn(&ChannelLedger) -> i64| -> i128 {
        ledgers.iter().map(|ledger| i128::from(count(ledger))).sum()
    };
    percent_down(total(|l| l.stored) + total(|l| l.dead), total(|l| l.missing))
}

fn channel(ledger: ChannelLedger) -> ChannelCompleteness {
    let accounted = i128::from(ledger.stored) + i128::from(ledger.dead);
    ChannelCompleteness {
        percent: percent_down(accounted, i128::from(ledger.missing)),
        gaps: ledger.holes.into_iter().map(gap).collect(),
        channel: ledger.channel,
        stored: ledger.stored,
        dead: ledger.dead,
        repaired: ledger.repaired,
        lost: ledger.lost,
    }
}

/// Nothing expected is all there: 100.
fn percent_down(accounted: i128, missing: i128) -> f64 {
    let expected = accounted + missing;
    if missing <= 0 || expected <= 0 {
        return 100.0;
    }
    (accounted * 10_000 / expected) as f64 / 100.0
}

fn gap(hole: Hole) -> Gap {
    let Hole { epoch, from, to, since, state, cause, attempts, bounds } = hole;
    let time_of = |number| bounds.map(|bounds| bounds.time_of(number));
    Gap {
        epoch,
        from,
        to,
        since,
        from_at: time_of(from),
        to_at: time_of(to),
        state,
        cause,
        attempts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(stored: i64, dead: i64, missing: i64) -> ChannelLedger {
        ChannelLedger { stored, dead, missing, ..ChannelLedger::default() }
    }

    #[test]
    fn only_all_is_100_percent() {
        for (stored, dead, missing, percent) in [
            (0, 0, 0, 100.0),
            (10, 0, 0, 100.0),
            (9, 1, 0, 100.0),
            (0, 0, 5, 0.0),
            (999_999, 0, 1, 99.99),
            (2, 0, 1, 66.66),
            (1, 0, i64::MAX - 1, 0.0),
        ] {
            let got = completeness(vec![ledger(stored, dead, missing)], vec![]);
            assert!((got.percent - percent).abs() < 1e-9, "{stored} {dead} {missing}");
            assert!((got.channels[0].percent - percent).abs() < 1e-9);
        }
        assert!((percent_of(&[]) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn all_channels_count_together() {
        let got = percent_of(&[ledger(90, 0, 10), ledger(100, 0, 0)]);
        assert!((got - 95.0).abs() < 1e-9);
    }

    #[test]
    fn a_part_of_a_gap_has_its_part_of_the_time() {
        let bounds = Bounds { from: 11, to: 21, from_at: 1_000, to_at: 2_000 };
        for (number, at) in [(11, 1_000), (16, 1_500), (21, 2_000)] {
            assert_eq!(bounds.time_of(number), at);
        }
        let one = Bounds { to: 11, ..bounds };
        assert_eq!(one.time_of(11), 1_000);
        let absurd = Bounds { from: 1, to: i64::MAX - 1, ..bounds };
        assert_eq!(absurd.time_of(i64::MAX - 1), 2_000);
    }
}
