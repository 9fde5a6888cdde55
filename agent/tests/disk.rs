//! Disks that are full or cannot be written: real ones, small file systems in memory.
//!
//! Each test starts itself again in a namespace of its own (`unshare`, which needs no root), where
//! it may mount. Machines that refuse that to users fail the tests, and say so.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use muster_agent::io::journal::{JournalOptions, Lane};
use muster_agent::logic::journal_policy::JournalLimits;
use muster_agent::recorder::Recorder;
use muster_agent::service::heartbeat;
use muster_schemas::codec::{ContentType, decode};
use muster_schemas::logs::LogFrame;
use muster_schemas::signals::{ChannelProgress, Heartbeat};
use muster_schemas::telemetry::{CustomMetric, Sample};
use muster_schemas::{Channel, Envelope, Kind};
use nix::mount::{MsFlags, mount};

/// Names the directory to mount at, in the namespace.
const DIRECTORY: &str = "MUSTER_TEST_DISK";

/// Runs an ignored test of this file where it may mount; answers what it said.
fn in_namespace(test: &str) {
    let directory = tempfile::TempDir::new().expect("a directory can be made");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().expect("a test knows where it is"))
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory.path())
        .output()
        .expect("unshare of util-linux is there");
    let said = words(&output);
    assert!(
        !is_refusal(&said),
        "this test needs user namespaces, and this machine refuses them (look at \
         kernel.unprivileged_userns_clone, user.max_user_namespaces and AppArmor): {said}"
    );
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Whatever `unshare` itself complains of: the wording differs with what refuses it.
fn is_refusal(said: &str) -> bool {
    said.lines().any(|line| line.starts_with("unshare:"))
}

#[test]
fn a_machine_that_refuses_namespaces_is_recognised_by_who_says_so() {
    for said in [
        "unshare: unshare failed: Operation not permitted\n",
        "unshare: write failed /proc/self/uid_map: Operation not permitted\n",
        "running 1 test\nunshare: cannot change root filesystem propagation: Permission denied",
    ] {
        assert!(is_refusal(said), "{said}");
    }
    assert!(!is_refusal("test full_disk ... ok"));
}

fn words(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Mounts a file system of so many bytes.
fn small_disk(bytes: usize, flags: MsFlags) -> PathBuf {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).expect("started by another test"));
    let size = format!("size={bytes}");
    mount(Some("tmpfs"), &directory, Some("tmpfs"), flags, Some(size.as_str()))
        .expect("a namespace of its own may mount");
    directory
}

fn open(directory: &Path) -> Recorder {
    open_as(directory, "web-3", 100)
}

fn open_as(directory: &Path, host: &str, now_ms: i64) -> Recorder {
    let limits = JournalLimits { bytes_max: 1 << 30, retain_after_ack_ms: 0 };
    let options = JournalOptions { limits, durable: true };
    let host = host.parse().expect("a host id");
    Recorder::open(host, &directory.join("journal"), options, now_ms).expect("the journal opens")
}

/// Writes until nothing more fits, as others on the disk would.
fn fill(directory: &Path) {
    let mut other = File::create(directory.join("other")).expect("an empty file needs no room");
    while other.write_all(&[1; 4096]).is_ok() {}
}

fn write_logs(recorder: &Recorder, count: i64) {
    for at in 0..count {
        recorder
            .record_logs(LogFrame { lines: Vec::new() }, &[7; 8 * 1024], at)
            .expect("there is room");
    }
}

/// The numbers of each channel that are kept, in order.
fn kept(recorder: &Recorder, channel: Channel) -> Vec<i64> {
    recorder.rewind();
    let next = || recorder.next_to_send(Lane::Main).expect("the journal can be read");
    std::iter::from_fn(next)
        .filter(|(ticket, _)| ticket.kind.channel() == channel)
        .map(|(ticket, _)| ticket.seq)
        .collect()
}

/// Dropped and kept are all that was written, each number once.
fn assert_accounted(recorder: &Recorder, channel: Channel, last: i64) -> ChannelProgress {
    let kept = kept(recorder, channel);
    let progress = recorder.health().1[&channel];
    assert_eq!(progress.acked, progress.dropped, "nothing was sent");
    assert_eq!(kept, (progress.dropped + 1..=last).collect::<Vec<i64>>());
    progress
}

#[test]
fn on_a_full_disk_what_is_dropped_and_what_is_kept_are_all_there_was_and_the_heartbeat_tells() {
    in_namespace("full_disk");
}

#[test]
#[ignore = "is started by another test, in a namespace"]
fn full_disk() {
    let directory = small_disk(2 << 20, MsFlags::empty());
    let recorder = open(&directory);
    let note = vec![7; 8 * 1024];
    let (mut logs, mut refused) = (0, 0);
    let mut write = |count: i64| {
        for at in 0..count {
            match recorder.record_logs(LogFrame { lines: Vec::new() }, &note, at) {
                Ok(seq) => logs = seq,
                Err(_) => refused += 1,
            }
            recorder.record_sample(Sample { at, ..Sample::default() }, at);
            recorder.close_frame(at);
        }
        (logs, refused)
    };
    let (_, refused) = write(1_000);
    assert_eq!(refused, 0, "the oldest gave way to the newest");
    // Somebody else takes what room is left, and more than once.
    fill(&directory);
    let (logs, _) = write(200);

    let progress = assert_accounted(&recorder, Channel::Logs, logs);
    assert!(progress.dropped > 800, "{progress:?}");
    let frames = kept(&recorder, Channel::Telemetry).last().copied().expect("some are kept");
    let frames_progress = assert_accounted(&recorder, Channel::Telemetry, frames);

    drop(recorder);
    let recorder = open(&directory);
    assert_eq!(assert_accounted(&recorder, Channel::Logs, logs), progress, "after a restart");
    assert_eq!(assert_accounted(&recorder, Channel::Telemetry, frames), frames_progress);
    fs::remove_file(directory.join("other")).expect("it is there");
    assert_eq!(said_dropped(&recorder, Channel::Logs), progress.dropped);
}

/// What the next heartbeat says.
fn said_dropped(recorder: &Recorder, channel: Channel) -> i64 {
    let started = tokio::time::Instant::now();
    recorder.record_heartbeat(7, |journal| heartbeat(journal, Duration::from_secs(30), started));
    recorder.rewind();
    let next = || recorder.next_to_send(Lane::Main).expect("the journal can be read");
    let (_, beat) = std::iter::from_fn(next)
        .find(|(ticket, _)| ticket.kind == Kind::Heartbeat)
        .expect("there is room for it");
    let beat: Envelope<Heartbeat> =
        decode(ContentType::Msgpack, &beat.payload).expect("it is a heartbeat");
    beat.body.channels[&channel].dropped
}

#[test]
fn a_new_epoch_that_the_disk_has_no_room_for_begins_without_the_oldest() {
    in_namespace("epoch_on_a_full_disk");
}

#[test]
#[ignore = "is started by another test, in a namespace"]
fn epoch_on_a_full_disk() {
    let directory = small_disk(4 << 20, MsFlags::empty());
    let recorder = open(&directory);
    // Notes are not copied: these messages are large themselves.
    let label = "x".repeat(8 * 1024);
    for at in 0..300 {
        let value = CustomMetric { name: label.clone(), ..CustomMetric::default() };
        recorder.record_sample(Sample { at, custom: vec![value], ..Sample::default() }, at);
        recorder.close_frame(at);
    }
    let before = recorder.waiting();
    fill(&directory);
    assert_eq!(recorder.begin_epoch(500).expect("the oldest made room"), 500);
    let after = recorder.waiting();
    assert!(after > 0 && after < before, "{after} of {before}");
    assert_eq!(kept(&recorder, Channel::Telemetry), (1..=after).collect::<Vec<i64>>());
    let notice = recorder.notice(500).expect("it is told");
    assert!(notice.contains(&format!("{} messages", before - after)), "{notice}");
    assert_eq!(said_dropped(&recorder, Channel::Telemetry), 0, "no number of this epoch");
    drop(recorder);
    let again = open(&directory);
    assert_eq!((again.epoch(), kept(&again, Channel::Telemetry).len() as i64), (500, after));
}

#[test]
fn a_clone_whose_disk_is_full_starts_in_place_of_what_was_left_to_the_other_host() {
    in_namespace("clone_on_a_full_disk");
}

#[test]
#[ignore = "is started by another test, in a namespace"]
fn clone_on_a_full_disk() {
    let directory = small_disk(4 << 20, MsFlags::empty());
    write_logs(&open(&directory), 300);
    fill(&directory);
    let clone = open_as(&directory, "web-4", 200);
    assert_eq!((clone.epoch(), clone.waiting()), (200, 0));
    let notice = clone.notice(200).expect("it is told");
    assert!(notice.contains("web-3") && notice.contains("300 messages"), "{notice}");
    write_logs(&clone, 5);
    assert_eq!(kept(&clone, Channel::Logs), [1, 2, 3, 4, 5]);
    drop(clone);
    assert_eq!(open_as(&directory, "web-4", 300).epoch(), 200);
}

#[test]
fn a_state_directory_that_is_read_only_ends_the_agent_with_one_line_that_names_it() {
    in_namespace("read_only_disk");
}

#[test]
#[ignore = "is started by another test, in a namespace"]
fn read_only_disk() {
    let directory = small_disk(1 << 20, MsFlags::MS_RDONLY);
    let output = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .env("MUSTER_AGENT_STATE_DIR", &directory)
        .env("MUSTER_AGENT_HOST_ID", "web-3")
        .env("MUSTER_AGENT_NATS_URL", "nats://127.0.0.1:9")
        .output()
        .expect("the agent is built");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let named = format!("cannot write to {}", directory.join("journal").display());
    assert!(said.contains(&named) && said.contains("Read-only file system"), "{said}");
    assert!(said.contains("MUSTER_AGENT_STATE_DIR"), "{said}");
}
