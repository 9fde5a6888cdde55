//! The recorder killed, filled and put where it cannot write.

use muster_schemas::codec::{ContentType, decode};
use muster_schemas::telemetry::{Process, Processes};

use super::*;
use crate::logic::journal_policy::JournalLimits;

fn open(directory: &Path) -> Recorder {
    let limits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 0 };
    let options = JournalOptions { limits, durable: false };
    Recorder::open("web-3".parse().unwrap(), directory, options, 1).unwrap()
}

fn sample(at: i64) -> Sample {
    let top_cpu = vec![Process { pid: at, ..Process::default() }];
    let processes = Processes { total: 1, top_cpu, ..Processes::default() };
    Sample { at, processes, ..Sample::default() }
}

fn frames(recorder: &Recorder) -> Vec<Envelope<TelemetryFrame>> {
    std::iter::from_fn(|| recorder.next_to_send(Lane::Main).unwrap())
        .map(|(_, record)| decode(ContentType::Msgpack, &record.payload).unwrap())
        .collect()
}

#[test]
fn a_killed_agent_loses_no_sample_and_frames_none_twice() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    (1..=3).for_each(|at| recorder.record_sample(sample(at), at));
    recorder.close_frame(3);
    recorder.record_sample(sample(4), 4);
    drop(recorder);

    let recorder = open(directory.path());
    recorder.record_sample(sample(5), 5);
    recorder.close_frame(5);
    let times: Vec<(i64, Vec<i64>)> = frames(&recorder)
        .iter()
        .map(|frame| (frame.seq, frame.body.samples.iter().map(|s| s.at).collect()))
        .collect();
    assert_eq!(times, [(1, vec![1, 2, 3]), (2, vec![4]), (3, vec![5])]);
}

#[test]
fn a_long_time_without_writing_ends_in_several_frames_that_can_be_read() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    recorder.lock().pending = (1..=2000).map(sample).collect();
    recorder.close_frame(1);
    let frames = frames(&recorder);
    let counts: Vec<usize> = frames.iter().map(|frame| frame.body.samples.len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 2000);
    assert!(counts.iter().all(|count| *count <= SAMPLES_PER_FRAME_MAX), "{counts:?}");
    assert!(frames.iter().all(|frame| encode(frame).len() < 2 * FRAME_BYTES_MAX));
}

#[test]
fn samples_left_for_the_next_frame_are_staged_once_however_often_it_is_tried() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    let mut state = recorder.lock();
    state.pending = (1..=5).map(sample).collect();
    state.staging.add(2, &sample(4)).unwrap();
    recorder.write_frame(&mut state, 3, 5).unwrap();
    let staged: Vec<i64> = state.staging.recover(2, 2).unwrap().iter().map(|s| s.at).collect();
    assert_eq!(staged, [4, 5]);
}

#[test]
fn process_lists_travel_in_the_newest_sample_of_a_frame() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    (1..=3).for_each(|at| recorder.record_sample(sample(at), at));
    recorder.close_frame(3);
    let frames = frames(&recorder);
    let counts: Vec<usize> =
        frames[0].body.samples.iter().map(|s| s.processes.top_cpu.len()).collect();
    assert_eq!(counts, [0, 0, 1]);
}

#[test]
fn a_directory_that_cannot_be_written_costs_nothing_once_it_can_be() {
    let parent = tempfile::TempDir::new().unwrap();
    let (directory, away) = (parent.path().join("journal"), parent.path().join("away"));
    let recorder = open(&directory);
    std::fs::rename(&directory, &away).unwrap();
    for at in 1..=900 {
        recorder.record_sample(sample(at), at);
    }
    recorder.close_frame(900);
    let kept = recorder.lock().pending.len();
    assert_eq!(kept, SAMPLES_PER_FRAME_MAX);
    let logs = LogFrame { lines: Vec::new() };
    assert!(recorder.record_logs(logs, b"", 900).is_err());
    std::fs::rename(&away, &directory).unwrap();
    recorder.close_frame(901);
    let counts: Vec<usize> = frames(&recorder).iter().map(|f| f.body.samples.len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), kept);
}

#[test]
fn a_state_directory_that_cannot_be_written_is_named_with_what_to_do() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let limits = JournalLimits { bytes_max: 1 << 20, retain_after_ack_ms: 0 };
    let options = JournalOptions { limits, durable: true };
    let directory = file.path().join("journal");
    let refused = Recorder::open("web-3".parse().unwrap(), &directory, options, 1).err();
    let said = format!("{:#}", refused.unwrap());
    assert!(said.starts_with(&format!("cannot write to {}", directory.display())), "{said}");
    assert!(said.contains("MUSTER_AGENT_STATE_DIR") && !said.contains('\n'), "{said}");
}

#[test]
fn a_kill_right_after_an_epoch_has_begun_loses_no_sample() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    (1..=3).for_each(|at| {
        recorder.record_sample(sample(at), at);
        recorder.close_frame(at);
    });
    for (ticket, _) in std::iter::from_fn(|| recorder.next_to_send(Lane::Main).unwrap()) {
        recorder.acknowledge(Lane::Main, ticket, Outcome::Stored, 3);
    }
    recorder.record_sample(sample(4), 4);
    recorder.begin_epoch(500).unwrap();
    let staged = std::fs::read_dir(directory.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".samples")
    });
    assert_eq!(staged.count(), 0, "nothing is left to be done when the epoch has begun");
    drop(recorder);
    let recorder = open(directory.path());
    recorder.record_sample(sample(5), 5);
    recorder.close_frame(5);
    let frames: Vec<(i64, i64, i64)> =
        frames(&recorder).iter().map(|f| (f.epoch, f.seq, f.body.samples[0].at)).collect();
    assert_eq!(frames, [(500, 1, 4), (500, 2, 5)]);
}

#[test]
fn samples_that_wait_for_a_frame_go_along_into_a_new_epoch() {
    let directory = tempfile::TempDir::new().unwrap();
    let recorder = open(directory.path());
    recorder.record_sample(sample(1), 1);
    recorder.close_frame(1);
    recorder.record_sample(sample(2), 2);
    assert_eq!(recorder.begin_epoch(500).unwrap(), 500);
    drop(recorder);
    let recorder = open(directory.path());
    let frames: Vec<(i64, i64, i64)> =
        frames(&recorder).iter().map(|f| (f.epoch, f.seq, f.body.samples[0].at)).collect();
    assert_eq!(frames, [(500, 1, 1), (500, 2, 2)]);
}
