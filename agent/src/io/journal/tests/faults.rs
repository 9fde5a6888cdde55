//! Files that were cut, flipped, zeroed, removed or filled with anything.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

/// What the bus may have seen: the content of each number of an epoch.
type Seen = HashMap<(i64, Channel, i64), Vec<u8>>;

fn durable(directory: &Path) -> Journal {
    let options = JournalOptions { limits: LIMITS, durable: true };
    Journal::open(directory, options, 100).unwrap()
}

/// Messages of two channels, all different, some with a note.
fn write(journal: &mut Journal, count: usize, mark: u8) {
    for number in 0..count {
        let kind = if number % 3 == 1 { Kind::Logs } else { Kind::Telemetry };
        let note: &[u8] = if number % 3 == 1 { b"note" } else { b"" };
        journal.append(kind, note, 0, |seq| vec![mark, seq as u8, number as u8]).unwrap();
    }
}

fn send(journal: &mut Journal, seen: &mut Seen) -> usize {
    let sent = drain(journal);
    for (ticket, record) in &sent {
        let id = (ticket.epoch, ticket.kind.channel(), ticket.seq);
        let before = seen.insert(id, record.payload.clone());
        assert!(
            before.is_none_or(|before| before == record.payload),
            "{id:?} was used for two messages"
        );
    }
    sent.len()
}

/// A directory of segments, its marks, and what it has sent.
struct Original {
    files: BTreeMap<String, Vec<u8>>,
    seen: Seen,
    waiting: usize,
}

impl Original {
    fn make(acknowledged: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let mut journal = durable(directory.path());
        write(&mut journal, 8, b'a');
        let mut seen = Seen::new();
        for (ticket, record) in drain(&mut journal).into_iter().take(acknowledged) {
            journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 5);
            seen.insert((ticket.epoch, ticket.kind.channel(), ticket.seq), record.payload);
        }
        journal.maintain(5).unwrap();
        journal.rewind();
        let waiting = send(&mut journal, &mut seen);
        drop(journal);
        let files = fs::read_dir(directory.path()).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        });
        Self { files: files.collect(), seen, waiting }
    }

    /// Damages a copy, opens it twice and writes on; answers how many were waiting.
    fn damaged(&self, damage: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> usize {
        let directory = TempDir::new().unwrap();
        let mut files = self.files.clone();
        damage(&mut files);
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        let mut seen = self.seen.clone();
        let mut journal = durable(directory.path());
        let waiting = send(&mut journal, &mut seen);
        write(&mut journal, 6, b'b');
        assert_eq!(send(&mut journal, &mut seen), 6);
        let epoch = journal.epoch();
        drop(journal);
        let mut journal = durable(directory.path());
        assert_eq!(journal.epoch(), epoch, "damage is found once");
        write(&mut journal, 6, b'c');
        assert_eq!(send(&mut journal, &mut seen), waiting + 12);
        waiting
    }
}

#[test]
fn a_segment_cut_at_any_byte_uses_no_number_twice() {
    let original = Original::make(3);
    let name = file_name(1);
    let length = original.files[&name].len();
    for cut in 0..length {
        let waiting = original.damaged(|files| files.get_mut(&name).unwrap().truncate(cut));
        assert!(waiting <= original.waiting);
    }
    assert_eq!(original.damaged(|_| {}), original.waiting);
}

#[test]
fn a_record_that_was_being_written_is_cut_off_and_its_number_used_again() {
    let original = Original::make(3);
    let name = file_name(1);
    let torn = Record { kind: Kind::Logs, seq: 4, note: vec![1; 9], payload: vec![9; 40] }.encode();
    for written in 0..torn.len() {
        let waiting = original
            .damaged(|files| files.get_mut(&name).unwrap().extend_from_slice(&torn[..written]));
        assert_eq!(waiting, original.waiting);
    }
}

#[test]
fn any_flipped_byte_costs_one_message_at_most_and_no_number_is_used_twice() {
    let original = Original::make(3);
    let name = file_name(1);
    for at in HEADER_BYTES as usize..original.files[&name].len() {
        let waiting = original.damaged(|files| files.get_mut(&name).unwrap()[at] ^= 0x5a);
        assert!(waiting + 1 >= original.waiting, "flipped at {at}: {waiting} were waiting");
    }
    for at in 0..HEADER_BYTES as usize {
        original.damaged(|files| files.get_mut(&name).unwrap()[at] ^= 0x5a);
    }
    for other in ["progress.json", "end"] {
        for at in 0..original.files[other].len() {
            let waiting = original.damaged(|files| files.get_mut(other).unwrap()[at] ^= 0x5a);
            assert!(waiting >= original.waiting, "{other} flipped at {at}: {waiting}");
        }
    }
}

#[test]
fn zeros_instead_of_an_end_use_no_number_twice() {
    let original = Original::make(3);
    let name = file_name(1);
    for zeros in 0..original.files[&name].len() {
        original.damaged(|files| {
            let bytes = files.get_mut(&name).unwrap();
            let from = bytes.len() - zeros;
            bytes[from..].fill(0);
        });
    }
    let waiting = original.damaged(|files| {
        let bytes = files.get_mut(&name).unwrap();
        bytes.resize(bytes.len() + 4096, 0);
    });
    assert_eq!(waiting, original.waiting);
}

#[test]
fn files_that_are_missing_or_garbage_cost_what_was_in_them() {
    let original = Original::make(3);
    for other in ["progress.json", "end"] {
        for garbage in [&b""[..], b"{", b"garbage", b"{\"epoch\":1}", &[0; 200]] {
            let waiting = original.damaged(|files| {
                files.insert(other.into(), garbage.to_vec());
            });
            assert!(waiting >= original.waiting);
        }
        assert!(
            original.damaged(|files| {
                files.remove(other);
            }) >= original.waiting
        );
    }
    original.damaged(|files| {
        files.remove(&file_name(1));
    });
}

#[test]
fn a_segment_missing_in_the_middle_is_counted_and_the_rest_is_sent() {
    let directory = TempDir::new().unwrap();
    let mut journal = durable(directory.path());
    (0..8).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 40_000);
    });
    assert_eq!(journal.segments.len(), 4);
    fs::remove_file(journal.path(2)).unwrap();
    drop(journal);
    let mut journal = durable(directory.path());
    assert_eq!(journal.epoch(), 100);
    for (ticket, _) in drain(&mut journal) {
        journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 0);
    }
    let progress = journal.progress(Channel::Telemetry).unwrap();
    assert_eq!(progress, ChannelProgress { acked: 8, dropped: 2 });
    fs::remove_file(journal.path(4)).unwrap();
    drop(journal);
    assert_eq!(durable(directory.path()).epoch(), 101, "the end is gone: numbers are uncertain");
}

#[test]
fn segments_removed_under_a_running_agent_cost_what_was_in_them_and_nothing_else() {
    for removed in [vec![1], vec![2], vec![4], vec![1, 2, 3, 4]] {
        let directory = TempDir::new().unwrap();
        let limits = JournalLimits { bytes_max: 1 << 18, retain_after_ack_ms: 1000 };
        let mut journal = open_with(&directory, limits);
        (0..8).for_each(|_| {
            append(&mut journal, Channel::Telemetry, 40_000);
        });
        let newest = journal.segments.back().unwrap().index;
        assert!(newest >= 4);
        for index in &removed {
            fs::remove_file(journal.path(newest - 4 + index)).ok();
        }
        for seq in 9..=30 {
            assert_eq!(append(&mut journal, Channel::Telemetry, 40_000), seq, "{removed:?}");
        }
        for (ticket, _) in drain(&mut journal) {
            journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 0);
        }
        assert_eq!(journal.progress(Channel::Telemetry).unwrap().acked, 30);
        assert_eq!(journal.health().waiting, 0);
        assert_eq!(journal.epoch(), 100);
    }
}

#[test]
fn a_sender_passes_by_a_segment_that_somebody_removed() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    (0..8).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 40_000);
    });
    fs::remove_file(journal.path(1)).unwrap();
    for (ticket, _) in drain(&mut journal) {
        journal.acknowledge(Lane::Main, ticket, Outcome::Stored, 0);
    }
    let progress = journal.progress(Channel::Telemetry).unwrap();
    assert_eq!(progress, ChannelProgress { acked: 8, dropped: 2 });
    assert_eq!(journal.health().waiting, 0);
    journal.maintain(1 << 40).unwrap();
    assert_eq!(journal.segments.len(), 1);
}

#[test]
fn samples_wait_for_their_frame_through_the_beginning_of_a_new_epoch() {
    use muster_schemas::telemetry::Sample;
    let directory = TempDir::new().unwrap();
    let mut journal = durable(directory.path());
    (0..3).for_each(|_| {
        append(&mut journal, Channel::Telemetry, 10);
    });
    let sample = Sample { at: 7, ..Sample::default() };
    journal.staging().add(4, &sample).unwrap();
    let path = journal.path(1);
    drop(journal);
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 30).unwrap();
    let journal = durable(directory.path());
    assert_eq!(journal.epoch(), 101);
    let staging = journal.staging();
    let wanted = [sample];
    assert_eq!(staging.recover(journal.staged_frame(), 1).unwrap(), wanted);
    assert_eq!(staging.recover(1, 1).unwrap(), wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_directory_of_anything_opens_and_can_be_written(
        garbage in prop::collection::vec(any::<u8>(), 0..2000),
        at in any::<prop::sample::Index>(),
        replaced in 0usize..400,
        file in prop::sample::select(vec![
            "00000000000000000001.segment", "00000000000000000002.segment",
            "18446744073709551614.segment", "progress.json", "end", "frame-9.samples",
        ]),
    ) {
        let original = Original::make(2);
        original.damaged(|files| {
            let bytes = files.entry(file.into()).or_default();
            let from = at.index(bytes.len() + 1);
            let to = (from + replaced).min(bytes.len());
            bytes.splice(from..to, garbage);
        });
    }
}
