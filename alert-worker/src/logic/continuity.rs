//! Where reading goes on, given how far a partition was decided about and what the stream holds.
//!
//! - Normally at the message after the last one.
//! - A stream that was made anew, or has lost its end and counts on from there, has given old
//!   numbers to new messages. Then reading goes on by time, at what was stored when the last message
//!   was: numbers say nothing there.
//! - A stream that has dropped what was not read yet (its retention, or somebody's purge) has
//!   nothing to offer but its first message.
//! - A partition that nobody ever read begins with the first message there is.
//!
//! All but the first and the last mean that candidates are lost, or may be, which is to be told.
//! What a host still suspects it says again, so that what lasts is decided about all the same.

use std::fmt;

/// How far a partition was decided about. Times are the broker's, milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    /// All up to this message, which need not be one of the partition.
    pub seq: u64,
    /// When that message was stored.
    pub at: Option<i64>,
    /// Of which stream; `None` where nobody has read yet.
    pub stream_created_at: Option<i64>,
    /// How often something was decided, with or without a message.
    pub decisions: i64,
    /// Before this nothing could be heard for a while.
    pub heard_from: Option<i64>,
}

/// As long as this nothing is heard only where the bus or we were away: somebody decides about each
/// partition once a minute, and a takeover takes ten seconds.
const DEAF_MS: i64 = 90_000;

impl Offset {
    /// Notes when something was heard, in order, `last` having been the time before. Answers that
    /// time.
    pub fn hear(&mut self, last: Option<i64>, at: i64) -> i64 {
        if last.is_some_and(|last| at.saturating_sub(last) > DEAF_MS) {
            self.heard_from = self.heard_from.max(Some(at));
        }
        last.map_or(at, |last| last.max(at))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    pub created_at: i64,
    pub first_seq: u64,
    pub last_seq: u64,
    /// When the message at the offset was stored, where one is there.
    pub stored_at_offset: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Sequence(u64),
    /// What was stored at this time or later.
    Time(i64),
}

/// What has become of the stream that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    MadeAnew,
    /// It ends before the offset.
    EndLost {
        last_seq: u64,
        offset: u64,
    },
    /// Another message is at the offset.
    EndReplaced {
        offset: u64,
    },
    /// It begins after the offset.
    Overtaken {
        first_seq: u64,
        offset: u64,
    },
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MadeAnew => f.write_str("the stream was made anew; what it held is lost"),
            Self::EndLost { last_seq, offset } => write!(
                f,
                "the stream ends at message {last_seq}, and {offset} was read: the bus has lost its end"
            ),
            Self::EndReplaced { offset } => write!(
                f,
                "message {offset} is not the one that was read: the bus has lost the stream's end"
            ),
            Self::Overtaken { first_seq, offset } => write!(
                f,
                "the stream begins at message {first_seq}, and {offset} was the last that was \
                 read: it has dropped what is between"
            ),
        }
    }
}

/// Where to go on, and what there is to tell.
pub fn go_on(offset: &Offset, stream: &Stream) -> (From, Option<Break>) {
    let Some(created_at) = offset.stream_created_at else {
        return (From::Sequence(stream.first_seq), None);
    };
    if created_at != stream.created_at {
        return (by_time(offset, stream), Some(Break::MadeAnew));
    }
    if offset.seq > stream.last_seq {
        let lost = Break::EndLost { last_seq: stream.last_seq, offset: offset.seq };
        return (by_time(offset, stream), Some(lost));
    }
    if offset.seq + 1 < stream.first_seq {
        let overtaken = Break::Overtaken { first_seq: stream.first_seq, offset: offset.seq };
        return (From::Sequence(stream.first_seq), Some(overtaken));
    }
    let is_another = |(read, there)| read != there;
    if offset.at.zip(stream.stored_at_offset).is_some_and(is_another) {
        return (by_time(offset, stream), Some(Break::EndReplaced { offset: offset.seq }));
    }
    (From::Sequence(offset.seq + 1), None)
}

fn by_time(offset: &Offset, stream: &Stream) -> From {
    offset.at.map_or(From::Sequence(stream.first_seq), From::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: i64 = 1_732_000_000_000;
    const READ: i64 = 1_732_100_000_000;

    fn stream() -> Stream {
        Stream { created_at: MADE, first_seq: 50, last_seq: 120, stored_at_offset: Some(READ) }
    }

    fn offset(seq: u64) -> Offset {
        Offset { seq, at: Some(READ), stream_created_at: Some(MADE), ..Offset::default() }
    }

    #[track_caller]
    fn check(offset: Offset, stream: Stream, from: From, broken: Option<Break>) {
        assert_eq!(go_on(&offset, &stream), (from, broken));
    }

    #[test]
    fn reading_goes_on_at_the_next_message() {
        check(offset(100), stream(), From::Sequence(101), None);
        check(offset(120), stream(), From::Sequence(121), None);
        let gone = Stream { stored_at_offset: None, ..stream() };
        check(offset(49), gone, From::Sequence(50), None);
    }

    #[test]
    fn a_partition_that_nobody_read_begins_with_the_first_message() {
        check(Offset::default(), stream(), From::Sequence(50), None);
    }

    #[test]
    fn a_stream_that_was_made_anew_is_told_and_read_by_time() {
        let anew = Stream { created_at: MADE + 1, first_seq: 1, last_seq: 300, ..stream() };
        check(offset(100), anew, From::Time(READ), Some(Break::MadeAnew));
        let empty = Stream { first_seq: 1, last_seq: 0, stored_at_offset: None, ..anew };
        let untimed = Offset { at: None, ..offset(100) };
        check(untimed, empty, From::Sequence(1), Some(Break::MadeAnew));
    }

    #[test]
    fn a_stream_that_has_lost_its_end_is_told_and_read_by_time() {
        let lost = Break::EndLost { last_seq: 120, offset: 121 };
        let there = Stream { stored_at_offset: None, ..stream() };
        check(offset(121), there, From::Time(READ), Some(lost));
        // It has counted on since, past the offset.
        let other = Stream { stored_at_offset: Some(READ + 9_000), ..stream() };
        check(offset(100), other, From::Time(READ), Some(Break::EndReplaced { offset: 100 }));
    }

    #[test]
    fn a_stream_that_has_dropped_what_was_not_read_is_told_and_read_from_its_beginning() {
        let overtaken = Break::Overtaken { first_seq: 50, offset: 48 };
        let there = Stream { stored_at_offset: None, ..stream() };
        check(offset(48), there, From::Sequence(50), Some(overtaken));
        assert!(overtaken.to_string().contains("begins at message 50, and 48 was"));
    }

    #[test]
    fn a_long_time_in_which_nothing_was_heard_is_noted_and_a_short_one_is_not() {
        let mut offset = Offset::default();
        let mut last = None;
        for at in [1_000, 61_000, 150_000, 151_000] {
            last = Some(offset.hear(last, at));
            assert_eq!(offset.heard_from, None);
        }
        last = Some(offset.hear(last, 300_000));
        assert_eq!((last, offset.heard_from), (Some(300_000), Some(300_000)));
        // What comes out of order is not another outage.
        last = Some(offset.hear(last, 200_000));
        assert_eq!((last, offset.heard_from), (Some(300_000), Some(300_000)));
    }
}
