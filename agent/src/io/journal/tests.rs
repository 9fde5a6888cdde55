//! The journal cut, killed, filled and opened again.

mod faults;
mod lanes;
mod owner;

use std::fs::OpenOptions;

use tempfile::TempDir;

use super::*;

const LIMITS: JournalLimits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 1000 };

fn open(directory: &TempDir) -> Journal {
    open_with(directory, LIMITS)
}

fn open_with(directory: &TempDir, limits: JournalLimits) -> Journal {
    let options = JournalOptions { limits, durable: false };
    Journal::open(directory.path(), options, 100).unwrap()
}

fn append(journal: &mut Journal, channel: Channel, bytes: usize) -> i64 {
    journal.append(first_kind(channel), b"", 0, |seq| vec![seq as u8; bytes]).unwrap()
}

/// The first kind of a channel.
fn first_kind(channel: Channel) -> Kind {
    Kind::from_index(channel.index()).unwrap()
}

fn drain(journal: &mut Journal) -> Vec<(Ticket, Record)> {
    std::iter::from_fn(|| journal.next_to_send(Lane::Main).unwrap()).collect()
}

fn seqs(sent: &[(Ticket, Record)]) -> Vec<(Channel, i64)> {
    sent.iter().map(|(ticket, _)| (ticket.kind.channel(), ticket.seq)).collect()
}

#[test]
fn what_was_not_acknowledged_is_sent_again_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for channel in [Channel::Telemetry, Channel::Signals, Channel::Telemetry] {
        append(&mut journal, channel, 10);
    }
    let sent = drain(&mut journal);
    let expected = [(Channel::Telemetry, 1), (Channel::Signals, 1), (Channel::Telemetry, 2)];
    assert_eq!(seqs(&sent), expected);
    journal.acknowledge(Lane::Main, sent[0].0, Outcome::Stored, 5);
    journal.maintain(5).unwrap();
    assert!(drain(&mut journal).is_empty());
    assert_eq!(journal.health().waiting, 2);
    drop(journal);

    let mut journal = open(&directory);
    assert_eq!(journal.epoch(), 100);
    assert_eq!(journal.health().waiting, 2);
    assert_eq!(seqs(&drain(&mut journal)), expected[1..]);
    assert_eq!(append(&mut journal, Channel::Telemetry, 10), 3);
    let acked = journal.progress(Channel::Telemetry).unwrap().acked;
    assert_eq!(acked, 1);
    assert!(journal.progress(Channel::Logs).is_none());
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_records_and_reuses_no_number_that_was_read() {
    let whole = TempDir::new().unwrap();
    let mut journal = open(&whole);
    (0..3).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 20);
    });
    let path = journal.path(1);
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    let record = (bytes.len() - HEADER_BYTES as usize) / 3;
    for cut in 0..=bytes.len() {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join(file_name(1)), &bytes[..cut]).unwrap();
        let mut journal = open(&directory);
        let kept = cut.saturating_sub(HEADER_BYTES as usize) / record;
        assert_eq!(drain(&mut journal).len(), kept, "cut at {cut}");
        assert_eq!(append(&mut journal, Channel::Telemetry, 20), kept as i64 + 1);
        drop(journal);
        assert_eq!(drain(&mut open(&directory)).len(), kept + 1, "cut at {cut}, written on");
    }
}

#[test]
fn a_flipped_bit_costs_its_record_and_is_counted_once() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    (0..5).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 40_000);
    });
    assert_eq!(journal.segments.len(), 3);
    let path = journal.path(2);
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let mut journal = open(&directory);
        let sent = drain(&mut journal);
        let seqs: Vec<i64> = sent.iter().map(|(ticket, _)| ticket.seq).collect();
        assert!(seqs.starts_with(&[1, 2, 4, 5]), "{seqs:?}");
        assert_eq!(append(&mut journal, Channel::Telemetry, 1), seqs.last().unwrap() + 1);
        assert_eq!(journal.epoch(), 100, "a later segment vouches for the numbers");
        for (ticket, _) in sent {
            journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 0);
        }
        let progress = journal.progress(Channel::Telemetry).unwrap();
        assert_eq!(progress, ChannelProgress { acked: *seqs.last().unwrap(), dropped: 1 });
    }
}

#[test]
fn over_its_limit_the_oldest_go_first_and_are_counted() {
    let directory = TempDir::new().unwrap();
    let limits = JournalLimits { bytes_max: 1 << 18, retain_after_ack_ms: 1000 };
    let mut journal = open_with(&directory, limits);
    for _ in 0..100 {
        append(&mut journal, Channel::Telemetry, 10_000);
    }
    let health = journal.health();
    assert!(health.bytes <= (1 << 18) + 80_000, "{health:?}");
    let sent = drain(&mut journal);
    let dropped = journal.progress(Channel::Telemetry).unwrap().dropped;
    assert!(dropped > 0);
    assert_eq!(sent.len() as i64 + dropped, 100);
    assert_eq!(sent[0].0.seq, dropped + 1);
    assert_eq!(health.waiting, sent.len() as i64);
    assert_eq!(journal.progress(Channel::Telemetry).unwrap().acked, dropped);
    journal.maintain(0).unwrap();
    drop(journal);
    let journal = open_with(&directory, limits);
    assert_eq!(journal.progress(Channel::Telemetry).unwrap().dropped, dropped);
}

#[test]
fn acknowledged_segments_go_after_the_time_to_retain() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for _ in 0..4 {
        append(&mut journal, Channel::Telemetry, 70_000);
    }
    for (ticket, _) in drain(&mut journal) {
        journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 10);
    }
    journal.maintain(1009).unwrap();
    assert_eq!(journal.segments.len(), 4);
    journal.maintain(1010).unwrap();
    assert_eq!(journal.segments.len(), 1);
    assert_eq!(
        journal.progress(Channel::Telemetry).unwrap(),
        ChannelProgress { acked: 4, dropped: 0 }
    );
    drop(journal);
    assert_eq!(append(&mut open(&directory), Channel::Telemetry, 1), 5);
}

#[test]
fn a_segment_that_was_acknowledged_and_then_written_on_is_kept_through_an_outage() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    append(&mut journal, Channel::Telemetry, 10);
    let (first, _) = drain(&mut journal)[0];
    journal.acknowledge(Lane::Main, first, Outcome::Stored, 10);
    for _ in 0..8 {
        journal.append(Kind::Telemetry, b"", 900_000, |_| vec![0; 10_000]).unwrap();
    }
    assert!(journal.segments.len() > 1);
    assert_eq!(journal.health().waiting, 8);
    drop(journal);
    assert_eq!(drain(&mut open(&directory)).len(), 9, "the acknowledgement was not written down");
}

#[test]
fn a_journal_that_lost_its_acknowledged_end_begins_a_new_epoch() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    (0..8).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 100);
    });
    for (ticket, _) in drain(&mut journal) {
        journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 10);
    }
    journal.maintain(10).unwrap();
    let path = journal.path(1);
    drop(journal);
    for damage in [200, 5] {
        let copy = TempDir::new().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[damage] ^= 1;
        fs::write(copy.path().join(file_name(1)), bytes).unwrap();
        fs::copy(directory.path().join("progress.json"), copy.path().join("progress.json"))
            .unwrap();
        let mut journal = open(&copy);
        assert_eq!(journal.epoch(), 101, "damaged at {damage}");
        append(&mut journal, Channel::Telemetry, 100);
        drop(journal);
        let mut journal = open(&copy);
        assert_eq!(journal.epoch(), 101, "damaged at {damage}, opened again");
        append(&mut journal, Channel::Telemetry, 100);
        let sent: Vec<i64> = drain(&mut journal).iter().map(|(ticket, _)| ticket.seq).collect();
        assert_eq!(sent, [1, 2], "damaged at {damage}");
    }
}

#[test]
fn a_message_too_large_to_read_again_is_refused_and_costs_nothing_else() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    (0..3).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 70_000);
    });
    let refused = journal.append(Kind::Telemetry, b"", 0, |_| vec![0; 2 << 20]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(append(&mut journal, Channel::Telemetry, 10), 4);
    let seqs: Vec<i64> = drain(&mut journal).iter().map(|(ticket, _)| ticket.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[test]
fn a_sample_is_kept_until_its_frame_is_in_the_journal() {
    use muster_schemas::telemetry::Sample;
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    let sample = Sample { at: 7, ..Sample::default() };
    let staging = journal.staging();
    staging.add(1, &sample).unwrap();
    staging.add(1, &sample).unwrap();
    let path = directory.path().join("frame-1.samples");
    let bytes = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(bytes - 3).unwrap();
    assert_eq!(staging.recover(1, 1).unwrap(), [sample]);

    append(&mut journal, Channel::Telemetry, 10);
    let next = journal.next_seq(Channel::Telemetry);
    assert!(staging.recover(next, next).unwrap().is_empty());
    assert!(!path.exists());
}

#[test]
fn what_is_only_written_was_not_shown_to_the_bus_until_it_is_sent_or_opened_again() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    (0..3).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 10);
    });
    assert!(journal.shown().is_empty());
    let (second, _) = drain(&mut journal)[1];
    journal.showing(&second);
    assert_eq!(journal.shown(), BTreeMap::from([(Channel::Telemetry, 2)]));
    drop(journal);
    let mut journal = open(&directory);
    assert_eq!(journal.shown(), BTreeMap::from([(Channel::Telemetry, 3)]));
    journal.begin_epoch(500).unwrap();
    assert!(journal.shown().is_empty(), "numbered anew, and none is sent");
    journal.showing(&second);
    assert!(journal.shown().is_empty(), "it is of the epoch before");
}

#[test]
fn two_agents_cannot_share_a_journal() {
    let directory = TempDir::new().unwrap();
    let options = JournalOptions { limits: LIMITS, durable: true };
    let first = Journal::open(directory.path(), options, 1).unwrap();
    let second = Journal::open(directory.path(), options, 1).err().unwrap();
    assert!(second.to_string().contains("another agent"), "{second}");
    drop(first);
    Journal::open(directory.path(), options, 1).unwrap();
}
