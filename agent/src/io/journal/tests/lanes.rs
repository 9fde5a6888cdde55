//! Two lanes, notes, what is read again, and new epochs at run time.

use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::telemetry::TelemetryFrame;
use muster_schemas::{ENVELOPE_VERSION, Envelope};

use super::*;

fn next(journal: &mut Journal, lane: Lane) -> Option<Ticket> {
    journal.next_to_send(lane).unwrap().map(|(ticket, _)| ticket)
}

fn acknowledge(journal: &mut Journal, lane: Lane, ticket: Ticket) {
    journal.acknowledge(lane, ticket, Outcome::Stored, 0);
}

fn acked(journal: &Journal) -> ChannelProgress {
    journal.progress(Channel::Telemetry).unwrap()
}

fn append_small(journal: &mut Journal, count: usize) {
    (0..count).for_each(|_| {
        append(journal, Channel::Telemetry, 10);
    });
}

#[test]
fn what_was_sent_ahead_counts_when_the_backlog_is_through() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    append_small(&mut journal, 3);
    journal.split();
    append_small(&mut journal, 2);
    assert_eq!(journal.unsent(), 2);
    let ahead = next(&mut journal, Lane::Ahead).unwrap();
    assert_eq!(ahead.seq, 4);
    acknowledge(&mut journal, Lane::Ahead, ahead);
    assert_eq!(acked(&journal).acked, 0);
    for seq in 1..=3 {
        let ticket = next(&mut journal, Lane::Main).unwrap();
        assert_eq!(ticket.seq, seq);
        acknowledge(&mut journal, Lane::Main, ticket);
    }
    let under_way = next(&mut journal, Lane::Ahead).unwrap();
    assert_eq!(next(&mut journal, Lane::Main), None);
    assert!(!journal.is_split());
    assert_eq!(acked(&journal).acked, 4);
    assert_eq!(journal.health().waiting, 1);
    acknowledge(&mut journal, Lane::Main, under_way);
    assert_eq!(acked(&journal), ChannelProgress { acked: 5, dropped: 0 });
    assert_eq!(next(&mut journal, Lane::Main), None);
}

#[test]
fn a_restart_sends_nothing_again_that_was_acknowledged_ahead() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    append_small(&mut journal, 2);
    for _ in 0..2 {
        journal.split();
        append_small(&mut journal, 2);
        let ticket = next(&mut journal, Lane::Ahead).unwrap();
        acknowledge(&mut journal, Lane::Ahead, ticket);
    }
    journal.maintain(0).unwrap();
    drop(journal);
    let mut journal = open(&directory);
    assert_eq!(journal.health().waiting, 4);
    let sent: Vec<Ticket> = std::iter::from_fn(|| next(&mut journal, Lane::Main)).collect();
    assert_eq!(sent.iter().map(|ticket| ticket.seq).collect::<Vec<_>>(), [1, 2, 4, 6]);
    let announced = sent.into_iter().map(|ticket| {
        acknowledge(&mut journal, Lane::Main, ticket);
        acked(&journal).acked
    });
    assert_eq!(announced.collect::<Vec<_>>(), [1, 3, 5, 6]);
    assert_eq!(acked(&journal).dropped, 0);
    assert_eq!(journal.health().waiting, 0);
}

#[test]
fn a_full_journal_drops_the_backlog_and_keeps_the_count_beside_a_lane_ahead() {
    let directory = TempDir::new().unwrap();
    let limits = JournalLimits { bytes_max: 1 << 18, retain_after_ack_ms: 1000 };
    let mut journal = open_with(&directory, limits);
    (0..5).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 10_000);
    });
    journal.split();
    for _ in 0..95 {
        append(&mut journal, Channel::Telemetry, 10_000);
        if let Some(ticket) = next(&mut journal, Lane::Ahead) {
            acknowledge(&mut journal, Lane::Ahead, ticket);
        }
    }
    while let Some(ticket) = next(&mut journal, Lane::Main) {
        acknowledge(&mut journal, Lane::Main, ticket);
    }
    assert!(!journal.is_split());
    assert_eq!(acked(&journal), ChannelProgress { acked: 100, dropped: 5 });
    assert_eq!(journal.health().waiting, 0);
}

#[test]
fn a_refused_message_counts_as_dropped() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    append_small(&mut journal, 2);
    let ticket = next(&mut journal, Lane::Main).unwrap();
    journal.acknowledge(Lane::Main, ticket, Outcome::Refused, 0);
    let ticket = next(&mut journal, Lane::Main).unwrap();
    acknowledge(&mut journal, Lane::Main, ticket);
    assert_eq!(acked(&journal), ChannelProgress { acked: 2, dropped: 1 });
}

#[test]
fn candidates_are_found_over_all_lanes_in_order() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for kind in [Kind::Candidate, Kind::Telemetry, Kind::Heartbeat, Kind::Candidate] {
        journal.append(kind, b"", 0, |_| vec![1]).unwrap();
    }
    journal.split();
    journal.append(Kind::Candidate, b"", 0, |_| vec![1]).unwrap();
    let mut found = Vec::new();
    while let Found::Record(ticket, _) = journal.next_candidate().unwrap() {
        found.push(ticket);
    }
    assert_eq!(found.iter().map(|ticket| ticket.seq).collect::<Vec<_>>(), [1, 3, 4]);
    journal.candidate_acknowledged(&found[1], Outcome::Stored);
    assert!(journal.is_candidate_acknowledged(&found[0]));
    journal.maintain(0).unwrap();
    drop(journal);
    let mut journal = open(&directory);
    let Found::Record(ticket, _) = journal.next_candidate().unwrap() else { panic!("none") };
    assert_eq!(ticket.seq, 4);
}

#[test]
fn notes_survive_with_their_message_and_hold_a_segment_until_they_are_kept_elsewhere() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..4u8 {
        journal.append(Kind::Logs, &[number], 0, |_| vec![0; 70_000]).unwrap();
    }
    for (ticket, record) in drain(&mut journal) {
        assert_eq!(record.payload.len(), 70_000, "the note is not part of the message");
        acknowledge(&mut journal, Lane::Main, ticket);
    }
    journal.maintain(0).unwrap();
    drop(journal);
    let mut journal = open(&directory);
    journal.maintain(1 << 40).unwrap();
    let notes = journal.log_notes().unwrap();
    let expected = [(1, 0), (2, 1), (3, 2), (4, 3)].map(|(seq, note)| (100, seq, vec![note]));
    assert_eq!(notes, expected);
    journal.checkpointed_logs(99, 4);
    journal.maintain(1 << 40).unwrap();
    assert_eq!(journal.log_notes().unwrap(), expected, "another epoch's numbers say nothing");
    journal.checkpointed_logs(100, 2);
    journal.maintain(1 << 40).unwrap();
    journal.maintain(1 << 41).unwrap();
    assert_eq!(journal.log_notes().unwrap(), notes[2..]);
}

#[test]
fn what_was_sent_is_read_again_and_what_is_gone_is_named() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..9 {
        append(&mut journal, Channel::Telemetry, 40_000);
        append(&mut journal, Channel::Logs, 100 + number);
    }
    let sent = drain(&mut journal);
    for (ticket, _) in &sent[..14] {
        acknowledge(&mut journal, Lane::Main, *ticket);
    }
    fs::remove_file(journal.path(2)).unwrap();
    let mut again = journal.read_again(Channel::Telemetry, 100, 2, 12).survey().unwrap();
    assert_eq!(again.missing, [(3, 4), (10, 12)]);
    assert_eq!(again.found, 6);
    let mut seqs = Vec::new();
    while let Some((ticket, record)) = again.next_acknowledged().unwrap() {
        assert_eq!(record.payload, vec![ticket.seq as u8; 40_000]);
        seqs.push(ticket.seq);
    }
    assert_eq!(seqs, [2, 5, 6, 7], "the others wait and are on their way anyway");
    let again = journal.read_again(Channel::Telemetry, 99, 1, 2).survey().unwrap();
    assert_eq!((again.found, again.missing), (0, vec![(1, 2)]));
    assert_eq!(journal.epochs(), [100]);
}

fn frame(epoch: i64, seq: i64) -> Vec<u8> {
    let host = "web-3".parse().unwrap();
    let body = TelemetryFrame { samples: Vec::new() };
    encode(&Envelope { v: ENVELOPE_VERSION, host, epoch, seq, sent_at: seq, body })
}

#[test]
fn a_new_epoch_takes_along_what_waits_and_leaves_the_rest_readable() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for seq in 1..=6 {
        journal.append(Kind::Telemetry, b"n", 0, |_| frame(100, seq)).unwrap();
    }
    for (ticket, _) in drain(&mut journal).into_iter().take(4) {
        acknowledge(&mut journal, Lane::Main, ticket);
    }
    assert_eq!(journal.begin_epoch(500).unwrap(), 500);
    assert_eq!(journal.next_seq(Channel::Telemetry), 3);
    for _ in 0..2 {
        assert_eq!(journal.epoch(), 500);
        assert_eq!(journal.health().waiting, 2);
        let sent = drain(&mut journal);
        let envelopes: Vec<Envelope<TelemetryFrame>> = sent
            .iter()
            .map(|(_, record)| decode(ContentType::Msgpack, &record.payload).unwrap())
            .collect();
        let addresses = envelopes.iter().map(|e| (e.epoch, e.seq, e.sent_at)).collect::<Vec<_>>();
        assert_eq!(addresses, [(500, 1, 5), (500, 2, 6)]);
        assert!(sent.iter().all(|(ticket, record)| ticket.epoch == 500 && record.note.is_empty()));
        let notes = journal.log_notes().unwrap();
        assert_eq!(notes, [1, 2, 3, 4, 5, 6].map(|seq| (100, seq, b"n".to_vec())));
        let mut again = journal.read_again(Channel::Telemetry, 100, 1, 4).survey().unwrap();
        assert_eq!((again.found, again.missing.len()), (4, 0));
        assert_eq!(again.next_acknowledged().unwrap().unwrap().0.epoch, 100);
        drop(journal);
        journal = open(&directory);
    }
    assert_eq!(journal.begin_epoch(500).unwrap(), 501, "a later one has a higher number");
}

#[test]
fn a_candidate_that_overtook_a_frame_does_not_cost_it_in_a_new_epoch() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    journal.append(Kind::Telemetry, b"", 0, |seq| frame(100, seq)).unwrap();
    journal.append(Kind::Candidate, b"", 0, |seq| frame(100, seq)).unwrap();
    let found = journal.next_candidate().unwrap();
    let Found::Record(candidate, _) = found else { panic!("no candidate") };
    journal.candidate_acknowledged(&candidate, Outcome::Stored);
    journal.begin_epoch(500).unwrap();
    assert_eq!(seqs(&drain(&mut journal)), [(Channel::Telemetry, 1)]);
    assert_eq!(journal.health().waiting, 1);
}

#[test]
fn a_damaged_header_is_made_again_from_what_follows_it() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for seq in 1..=3 {
        journal.append(Kind::Telemetry, b"", 0, |_| frame(100, seq)).unwrap();
    }
    let path = journal.path(1);
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut journal = open(&directory);
    let sent: Vec<(i64, i64)> =
        drain(&mut journal).iter().map(|(ticket, _)| (ticket.epoch, ticket.seq)).collect();
    assert_eq!(sent, [(100, 1), (100, 2), (100, 3)]);
    assert_eq!(journal.epoch(), 101, "it was the last segment");
}

#[test]
fn an_epoch_that_was_not_finished_leaves_the_one_before() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    append_small(&mut journal, 2);
    journal.maintain(0).unwrap();
    let before = fs::read(directory.path().join("progress.json")).unwrap();
    journal.progress.unfinished = Some(2);
    journal.store_progress().unwrap();
    let unfinished = fs::read(directory.path().join("progress.json")).unwrap();
    drop(journal);
    fs::write(directory.path().join("progress.json"), before).unwrap();
    let mut journal = open(&directory);
    journal.begin_epoch(500).unwrap();
    drop(journal);
    fs::write(directory.path().join("progress.json"), unfinished).unwrap();
    let mut journal = open(&directory);
    assert_eq!(journal.epoch(), 100);
    assert_eq!(seqs(&drain(&mut journal)).len(), 2);
    assert_eq!(append(&mut journal, Channel::Telemetry, 1), 3);
}
