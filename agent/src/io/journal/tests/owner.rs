//! A state directory that comes to another host, with a cloned image or a changed id.

use muster_schemas::Envelope;
use muster_schemas::HostId;
use muster_schemas::codec::{ContentType, decode, encode};
use muster_schemas::logs::LogFrame;
use muster_schemas::telemetry::{Sample, TelemetryFrame};

use super::*;
use crate::recorder::Recorder;

fn recorder(directory: &TempDir, host: &str, now_ms: i64) -> Recorder {
    let options = JournalOptions { limits: LIMITS, durable: true };
    Recorder::open(host.parse().unwrap(), directory.path(), options, now_ms).unwrap()
}

const MACHINE: &str = "0123456789abcdef0123456789abcdef";

fn on_machine(directory: &TempDir, machine: &str, host: &str, now_ms: i64) -> Recorder {
    let options = JournalOptions { limits: LIMITS, durable: true };
    let host = host.parse().unwrap();
    Recorder::open_on(Some(machine), host, directory.path(), options, now_ms).unwrap()
}

fn sample(recorder: &Recorder, at: i64) {
    recorder.record_sample(Sample { at, ..Sample::default() }, at);
}

fn frame(recorder: &Recorder, at: i64) {
    sample(recorder, at);
    recorder.close_frame(at);
}

/// Who is named in what would be sent, and the times of the samples.
fn sent(recorder: &Recorder) -> Vec<(HostId, i64, i64, i64)> {
    let next = || recorder.next_to_send(Lane::Main).unwrap();
    std::iter::from_fn(next)
        .map(|(ticket, record)| {
            let frame: Envelope<TelemetryFrame> =
                decode(ContentType::Msgpack, &record.payload).unwrap();
            assert_eq!((frame.epoch, frame.seq), (ticket.epoch, ticket.seq));
            (frame.host, frame.epoch, frame.seq, frame.body.samples[0].at)
        })
        .collect()
}

fn host(id: &str) -> HostId {
    id.parse().unwrap()
}

fn dropped(recorder: &Recorder) -> Option<i64> {
    recorder.health().1.get(&Channel::Telemetry).map(|progress| progress.dropped)
}

/// Three frames, the first acknowledged, and a sample that waits for the fourth.
fn journal_of_web_3() -> TempDir {
    let directory = TempDir::new().unwrap();
    let original = on_machine(&directory, MACHINE, "web-3", 100);
    (1..=3).for_each(|at| frame(&original, at));
    let (first, _) = original.next_to_send(Lane::Main).unwrap().unwrap();
    original.acknowledge(Lane::Main, first, Outcome::Stored, 3);
    original.maintain(3);
    sample(&original, 4);
    directory
}

#[test]
fn a_cloned_image_sends_nothing_of_the_host_it_was_made_of_and_tells_it() {
    let directory = journal_of_web_3();
    let clone = recorder(&directory, "web-4", 200);
    assert_eq!((clone.epoch(), clone.waiting(), dropped(&clone)), (200, 0, None));
    assert_eq!(sent(&clone), []);
    assert_eq!(clone.notice(300).as_deref(), Some(LEFT_3));
    assert_eq!(clone.notice(200 + NOTICE_MS), None, "not for ever");
    frame(&clone, 7);
    assert_eq!(dropped(&clone), Some(0), "a gap in its own numbers is not to be taken for lost");
    assert_eq!(sent(&clone), [(host("web-4"), 200, 1, 7)]);
    drop(clone);

    let again = recorder(&directory, "web-4", 300);
    assert_eq!((again.epoch(), again.waiting(), dropped(&again)), (200, 1, Some(0)));
    assert_eq!(again.notice(300), None);
    assert_eq!(sent(&again), [(host("web-4"), 200, 1, 7)]);
}

const LEFT_3: &str = "the journal was written by host web-3 on another machine: 3 messages that it \
                      had not sent are left to it";

#[test]
fn a_clone_with_a_machine_id_of_its_own_is_another_machine() {
    let directory = journal_of_web_3();
    let clone = on_machine(&directory, &MACHINE.replace('0', "1"), "web-4", 200);
    assert_eq!((sent(&clone), clone.notice(200).as_deref()), (vec![], Some(LEFT_3)));
}

#[test]
fn a_machine_whose_id_changes_sends_what_waits_under_the_new_one_and_back_again() {
    let directory = journal_of_web_3();
    let renamed = on_machine(&directory, MACHINE, "dhcp-7", 200);
    let dhcp = |seq, at| (host("dhcp-7"), 200, seq, at);
    assert_eq!(sent(&renamed), [dhcp(1, 2), dhcp(2, 3), dhcp(3, 4)]);
    assert_eq!((dropped(&renamed), renamed.notice(200)), (Some(0), None));
    assert_eq!(renamed.epochs(), [200], "what was acknowledged is offered under no other name");
    sample(&renamed, 5);
    drop(renamed);
    let back = on_machine(&directory, MACHINE, "web-3", 300);
    let web = |seq, at| (host("web-3"), 300, seq, at);
    assert_eq!(sent(&back), [web(1, 2), web(2, 3), web(3, 4), web(4, 5)]);
    drop(back);
    assert_eq!(on_machine(&directory, MACHINE, "web-3", 400).epoch(), 300, "once");
}

#[test]
fn a_machine_without_a_name_is_who_it_was() {
    let directory = journal_of_web_3();
    assert_eq!(last_owner(directory.path(), MACHINE), Some(host("web-3")));
    assert_eq!(last_owner(directory.path(), "another"), None);
    assert_eq!(last_owner(&directory.path().join("none"), MACHINE), None);
}

#[test]
fn the_host_itself_is_not_taken_for_another() {
    let directory = journal_of_web_3();
    let same = recorder(&directory, "web-3", 200);
    assert_eq!((same.epoch(), dropped(&same)), (100, Some(0)));
    let times: Vec<i64> = sent(&same).iter().map(|(_, _, _, at)| *at).collect();
    assert_eq!(times, [2, 3, 4]);
}

#[test]
fn a_journal_that_names_no_owner_is_known_by_its_messages() {
    let directory = journal_of_web_3();
    fs::remove_file(directory.path().join("progress.json")).unwrap();
    let clone = recorder(&directory, "web-4", 200);
    assert_eq!((clone.epoch(), sent(&clone)), (200, vec![]));
    assert!(clone.notice(200).unwrap().contains("4 messages"), "one may have been acknowledged");
}

#[test]
fn a_journal_of_before_is_of_the_host_that_wrote_last_in_it() {
    let directory = TempDir::new().unwrap();
    let options = JournalOptions { limits: LIMITS, durable: true };
    let mut journal = Journal::open(directory.path(), options, 100).unwrap();
    for (id, at) in [("web-3", 1), ("web-4", 2)] {
        let body = TelemetryFrame { samples: vec![Sample { at, ..Sample::default() }] };
        let message =
            |seq| encode(&Envelope { v: 1, host: host(id), epoch: 100, seq, sent_at: at, body });
        journal.append(Kind::Telemetry, b"", at, message).unwrap();
    }
    drop(journal);
    let same = recorder(&directory, "web-4", 200);
    assert_eq!((same.epoch(), same.waiting(), same.notice(200)), (100, 2, None));
}

#[test]
fn a_kill_before_the_new_owner_is_written_down_changes_no_count() {
    let directory = journal_of_web_3();
    let progress = directory.path().join("progress.json");
    let before = fs::read(&progress).unwrap();
    let staged = directory.path().join("frame-4.samples");
    let samples = fs::read(&staged).unwrap();
    drop(recorder(&directory, "web-4", 200));
    fs::write(&progress, before).unwrap();
    fs::write(&staged, samples).unwrap();
    let clone = recorder(&directory, "web-4", 300);
    assert_eq!((clone.epoch(), sent(&clone)), (300, vec![]));
    assert_eq!(clone.notice(300).as_deref(), Some(LEFT_3));
}

#[test]
fn a_host_of_no_known_machine_that_gets_its_old_id_back_begins_anew_and_repeats_nothing() {
    let directory = journal_of_web_3();
    frame(&recorder(&directory, "web-4", 200), 7);
    let back = recorder(&directory, "web-3", 150);
    assert_eq!((back.epoch(), dropped(&back), sent(&back)), (201, None, vec![]));
    assert!(back.notice(150).unwrap().contains("1 messages"));
    assert_eq!(back.epochs(), [201], "what is left of others is offered to nobody");
}

#[test]
fn positions_in_log_files_stay_until_they_are_kept_elsewhere_and_repairs_offer_nothing_foreign() {
    let directory = TempDir::new().unwrap();
    let original = recorder(&directory, "web-3", 100);
    original.record_logs(LogFrame { lines: Vec::new() }, b"here", 1).unwrap();
    drop(original);
    let clone = recorder(&directory, "web-4", 200);
    assert_eq!(clone.log_notes().unwrap(), [(100, 1, b"here".to_vec())]);
    let again = clone.read_again(Channel::Logs, 100, 1, 1).unwrap();
    assert_eq!((again.found, again.missing), (0, vec![(1, 1)]));
    clone.maintain(300);
    assert_eq!(clone.log_notes().unwrap().len(), 1);
    clone.checkpointed_logs(100, 1);
    clone.maintain(300);
    assert!(clone.log_notes().unwrap().is_empty());
}
