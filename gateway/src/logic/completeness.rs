//! How much of what a host sent is here.
//!
//! A channel is complete when every sequence number from 1 to the largest known one is stored, or
//! refused for a reason and kept among the dead letters. The percentage is rounded down: 100 means
//! all. Agents drop the oldest first when their journal is full, and say how many: so many of the
//! oldest missing messages of an epoch are lost, the rest are open and may still come.

use serde::Serialize;
use utoipa::ToSchema;

/// Gaps that are listed of a channel; more would say nothing more.
pub const GAPS_MAX: i64 = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Completeness {
    /// Of all messages known to exist, rounded down to two decimals.
    pub percent: f64,
    pub channels: Vec<ChannelCompleteness>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ChannelCompleteness {
    pub channel: String,
    pub percent: f64,
    /// Messages in the database.
    pub stored: i64,
    /// Messages refused for a reason and kept among the dead letters.
    pub dead: i64,
    /// The first 1000 gaps, oldest first.
    pub gaps: Vec<Gap>,
    pub repaired: i64,
    /// Messages the agent had to drop before anybody had them.
    pub lost: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    pub epoch: i64,
    /// The first and the last missing sequence number.
    pub from: i64,
    pub to: i64,
    /// Milliseconds since the Unix epoch at which the ledger last changed.
    pub since: i64,
    pub state: GapState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapState {
    Open,
    Lost,
}

/// What the ledger says of one channel, over all epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelLedger {
    pub channel: String,
    pub stored: i64,
    pub dead: i64,
    pub missing: i64,
    pub lost: i64,
    pub holes: Vec<Hole>,
}

/// One range of missing sequence numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    pub epoch: i64,
    pub from: i64,
    pub to: i64,
    pub since: i64,
    /// What the agent dropped in this epoch altogether.
    pub dropped: i64,
}

pub fn completeness(ledgers: Vec<ChannelLedger>) -> Completeness {
    let total = |count: fn(&ChannelLedger) -> i64| -> i128 {
        ledgers.iter().map(|ledger| i128::from(count(ledger))).sum()
    };
    let percent = percent_down(total(|l| l.stored) + total(|l| l.dead), total(|l| l.missing));
    Completeness { percent, channels: ledgers.into_iter().map(channel).collect() }
}

fn channel(ledger: ChannelLedger) -> ChannelCompleteness {
    let accounted = i128::from(ledger.stored) + i128::from(ledger.dead);
    ChannelCompleteness {
        percent: percent_down(accounted, i128::from(ledger.missing)),
        gaps: label(&ledger.holes),
        channel: ledger.channel,
        stored: ledger.stored,
        dead: ledger.dead,
        repaired: 0,
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

/// `holes` come oldest first within an epoch. One that is lost only in part is still open.
fn label(holes: &[Hole]) -> Vec<Gap> {
    let mut epoch = None;
    let mut missing: i64 = 0;
    holes
        .iter()
        .map(|hole| {
            if epoch.replace(hole.epoch) != Some(hole.epoch) {
                missing = 0;
            }
            missing = missing.saturating_add(hole.to - hole.from).saturating_add(1);
            let state = if missing <= hole.dropped { GapState::Lost } else { GapState::Open };
            let Hole { epoch, from, to, since, .. } = *hole;
            Gap { epoch, from, to, since, state }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(stored: i64, dead: i64, missing: i64) -> ChannelLedger {
        let channel = "telemetry".into();
        ChannelLedger { channel, stored, dead, missing, lost: 0, holes: vec![] }
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
            let got = completeness(vec![ledger(stored, dead, missing)]);
            assert!((got.percent - percent).abs() < 1e-9, "{stored} {dead} {missing}");
            assert!((got.channels[0].percent - percent).abs() < 1e-9);
        }
        assert!((completeness(vec![]).percent - 100.0).abs() < 1e-9);
    }

    #[test]
    fn all_channels_count_together() {
        let got = completeness(vec![ledger(90, 0, 10), ledger(100, 0, 0)]);
        assert!((got.percent - 95.0).abs() < 1e-9);
    }

    #[test]
    fn the_oldest_gaps_of_an_epoch_are_the_lost_ones() {
        let hole = |epoch, from, to, dropped| Hole { epoch, from, to, since: 0, dropped };
        let holes =
            [hole(1, 1, 10, 12), hole(1, 20, 21, 12), hole(1, 30, 30, 12), hole(2, 1, 1, 0)];
        let states: Vec<GapState> = label(&holes).iter().map(|gap| gap.state).collect();
        assert_eq!(states, [GapState::Lost, GapState::Lost, GapState::Open, GapState::Open]);
    }
}
