//! How long messages are held back after a connection was made, until the centre has told which
//! sequence numbers it has.
//!
//! A machine that is put back to a snapshot while the agent runs goes on with numbers that were
//! used before: what is sent under them is taken for a repetition, and lost. The agent cannot know
//! it by itself. It asks the centre at each connection, because a machine that is put back loses
//! its connections, and sends nothing before it was answered. A centre that does not answer must
//! not stop the data: after a while it is sent anyway, as it would be without a centre. That while
//! is counted over all connections since the last on which anything was let go: on a line that
//! breaks every few seconds it passes, too.
//!
//! A centre that has answered that numbers were used before is not forgotten when the next question
//! is not answered: nothing is sent until an epoch has begun.

use std::collections::BTreeMap;

use muster_schemas::Channel;

/// Ten seconds outlast a gateway that is being restarted, and are a third of a heartbeat's interval:
/// no host is taken for offline because of them.
pub const HOLD_MS_MAX: i64 = 10_000;

/// How soon to ask again meanwhile.
pub const ASK_AGAIN_MS: i64 = 1_000;

/// What is known of the newest connection. All times are milliseconds on a clock that is never put
/// back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hold {
    /// While something is held back: from when on it was not yet counted how long.
    uncounted_since: Option<i64>,
    /// How long something was held back, connected, since the last was let go.
    held_ms: i64,
    /// The centre knows numbers that the agent would use again.
    is_behind: bool,
}

impl Hold {
    /// A connection was made.
    pub fn begin(&mut self, now: i64) {
        self.uncounted_since = Some(now);
    }

    /// Whether a connection was made that nobody has told of: `newest` and `cleared` count them.
    pub fn has_missed(&self, newest: u64, cleared: u64) -> bool {
        newest > cleared && !self.is_on() && !self.is_behind
    }

    pub fn is_on(&self) -> bool {
        self.uncounted_since.is_some()
    }

    /// How long an answer may take; `None` where nothing is held back for it.
    pub fn patience_ms(&self, now: i64) -> Option<i64> {
        let since = self.uncounted_since?;
        Some((HOLD_MS_MAX - self.held_ms - (now - since)).max(ASK_AGAIN_MS))
    }

    /// The connection was lost just now.
    pub fn lost(&mut self, now: i64) {
        if let Some(since) = self.uncounted_since.replace(now) {
            self.held_ms = self.held_ms.saturating_add(now - since);
        }
    }

    /// There is no connection: nothing is sent in any case.
    pub fn is_away(&mut self, now: i64) {
        self.uncounted_since = self.uncounted_since.map(|_| now);
    }

    /// The centre was asked on a connection that is still there; answers when to ask again if
    /// messages are held back until then.
    pub fn asked(&mut self, now: i64, was_answered: bool) -> Option<i64> {
        self.uncounted_since?;
        self.lost(now);
        if was_answered || self.held_ms + ASK_AGAIN_MS >= HOLD_MS_MAX {
            *self = Self { is_behind: self.is_behind, ..Self::default() };
            return None;
        }
        Some(now + ASK_AGAIN_MS)
    }

    /// What the centre has answered of the agent's numbers, or that an epoch has begun.
    pub fn note_numbers(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
    }

    /// Whether the next numbers were used before, as far as was ever heard.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }
}

/// Whether the centre has numbers of this epoch that the agent has never shown to the bus: it was
/// put back to an earlier state.
pub fn is_behind(shown: &BTreeMap<Channel, i64>, centre: &BTreeMap<Channel, i64>) -> bool {
    centre.iter().any(|(channel, highest)| *highest > shown.get(channel).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_it_at_once() {
        let mut hold = Hold::default();
        assert_eq!(hold.asked(5, false), None, "nothing was held back");
        hold.begin(1_000);
        assert_eq!(hold.asked(1_010, true), None);
        assert_eq!(hold, Hold::default());
    }

    #[test]
    fn without_an_answer_it_is_asked_each_second_and_ends_after_ten() {
        let mut hold = Hold::default();
        hold.begin(0);
        let mut now = 3;
        let mut asked = 1;
        while let Some(again) = hold.asked(now, false) {
            assert_eq!(again, now + ASK_AGAIN_MS);
            now = again;
            asked += 1;
        }
        assert_eq!((asked, now), (10, 9_003));
    }

    #[test]
    fn an_answer_may_take_what_is_left_of_it() {
        let mut hold = Hold::default();
        assert_eq!(hold.patience_ms(7), None);
        hold.begin(0);
        assert_eq!(hold.patience_ms(0), Some(HOLD_MS_MAX));
        assert_eq!(hold.patience_ms(4_000), Some(6_000));
        assert_eq!(hold.patience_ms(9_990), Some(ASK_AGAIN_MS));
        hold.begin(60_000);
        assert_eq!(hold.patience_ms(60_000), Some(HOLD_MS_MAX), "another connection");
    }

    #[test]
    fn connections_that_are_lost_every_few_seconds_are_counted_together() {
        let mut hold = Hold::default();
        let (mut now, mut connections) = (0, 0);
        loop {
            connections += 1;
            hold.begin(now);
            if hold.asked(now + 2_000, false).is_none() {
                break;
            }
            hold.lost(now + 4_000);
            // Away for a minute: that says nothing about the centre.
            hold.is_away(now + 30_000);
            now += 64_000;
        }
        assert_eq!(connections, 3);
        hold.begin(now);
        assert_eq!(hold.patience_ms(now), Some(HOLD_MS_MAX), "it is counted from the last cleared");
    }

    #[test]
    fn numbers_that_were_used_are_remembered_until_an_epoch_has_begun() {
        let mut hold = Hold::default();
        hold.begin(0);
        hold.note_numbers(true);
        assert_eq!(hold.asked(10, true), None);
        assert!(hold.is_behind());
        assert_eq!(hold.asked(60_000, false), None);
        assert!(hold.is_behind(), "nobody answered: nothing is known better");
        assert!(!hold.has_missed(2, 0), "it is known what to wait for");
        hold.note_numbers(false);
        assert!(!hold.is_behind() && hold.has_missed(2, 0));
    }

    #[test]
    fn a_connection_that_nobody_told_of_is_noticed_by_its_number() {
        let mut hold = Hold::default();
        assert!(!hold.has_missed(0, 0) && !hold.has_missed(3, 3));
        assert!(hold.has_missed(4, 3));
        hold.begin(0);
        assert!(!hold.has_missed(4, 3), "it is asked for");
    }

    #[test]
    fn behind_is_who_has_shown_fewer_numbers_in_any_channel() {
        let of = |telemetry, signals| {
            BTreeMap::from([(Channel::Telemetry, telemetry), (Channel::Signals, signals)])
        };
        for (shown, centre, behind) in [
            (of(5, 9), of(5, 9), false),
            (of(5, 9), of(3, 9), false),
            (of(5, 9), of(5, 10), true),
            (of(5, 9), BTreeMap::new(), false),
            (BTreeMap::new(), of(0, 1), true),
            (BTreeMap::new(), of(0, 0), false),
        ] {
            assert_eq!(is_behind(&shown, &centre), behind, "{shown:?} {centre:?}");
        }
    }
}
