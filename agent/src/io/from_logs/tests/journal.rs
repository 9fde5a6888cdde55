//! A real systemd journal, made by `systemd-journal-remote` and read by `journalctl`. Where either
//! is missing, the tests say so and end.

use std::process::{Command, Stdio};
use std::thread;

use muster_runtime::time::now_ms;

use super::*;

const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// Generous: the machine may be busy with other tests.
const DEADLINE: Duration = Duration::from_secs(30);

struct Journal {
    scene: Scene,
    written: i64,
}

impl Journal {
    /// `None`: this host has no programs for it.
    fn new() -> Option<Self> {
        let has_journalctl = Command::new("journalctl").arg("--version").output().is_ok();
        if !Path::new(REMOTE).exists() || !has_journalctl {
            println!("skipped: {REMOTE} or journalctl is not installed");
            return None;
        }
        let mut scene = Scene::new();
        scene.settings.journald = true;
        scene.settings.journal_directory = Some(scene.logs.path().into());
        Some(Self { scene, written: 0 })
    }

    fn write(&mut self, priority: u8, message: &[u8]) {
        self.written += 1;
        let at_us = now_ms() * 1000 + self.written;
        let mut entry = format!(
            "__REALTIME_TIMESTAMP={at_us}\n__MONOTONIC_TIMESTAMP={at_us}\n\
             _BOOT_ID=0123456789abcdef0123456789abcdef\nPRIORITY={priority}\n\
             SYSLOG_IDENTIFIER=app\n_SYSTEMD_UNIT=app.service\nMESSAGE\n"
        )
        .into_bytes();
        entry.extend((message.len() as u64).to_le_bytes());
        entry.extend(message);
        entry.extend(b"\n\n");
        let mut remote = Command::new(REMOTE)
            .args(["-o", &self.scene.path("remote.journal").display().to_string(), "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        remote.stdin.take().unwrap().write_all(&entry).unwrap();
        assert!(remote.wait().unwrap().success());
    }

    fn wait_for(&mut self, what: &str, is_so: impl Fn(&Scene) -> bool) {
        let started = Instant::now();
        while !is_so(&self.scene) {
            assert!(started.elapsed() < DEADLINE, "{what} did not happen in {DEADLINE:?}");
            self.scene.rounds(1);
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for_messages(&mut self, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        self.wait_for("delivery", |scene| scene.messages().len() >= expected.len());
        assert_eq!(self.scene.messages(), expected);
    }
}

#[test]
fn the_systemd_journal_goes_on_where_it_was_after_a_kill() {
    let Some(mut journal) = Journal::new() else { return };
    journal.write(3, b"from before");
    thread::sleep(Duration::from_millis(10));
    journal.scene.start();
    // It has looked at what was there when it has a place to go on from.
    journal
        .wait_for("a cursor", |scene| scene.worker.as_ref().unwrap().journald.cursor().is_some());
    journal.write(3, b"first");
    journal.write(5, b"not that bad");
    journal.write(6, b"printed by a service");
    journal.wait_for_messages(&["first"]);
    journal.scene.kill();
    journal.write(2, b"second");
    journal.scene.start();
    journal.write(3, b"third \xff\n  of two lines");
    journal.wait_for_messages(&["first", "second", "third \u{fffd}\n  of two lines"]);
    let line = &journal.scene.sink.lines()[1];
    assert_eq!((line.source.as_str(), line.severity), ("journal:app.service", Severity::Critical));
    assert_eq!(line.application, "app");
}

#[test]
fn a_live_tail_shows_all_entries_of_the_systemd_journal() {
    let Some(mut journal) = Journal::new() else { return };
    journal.write(6, b"from before");
    thread::sleep(Duration::from_millis(10));
    journal.scene.start();
    journal.scene.live.set_open(true);
    journal
        .wait_for("a cursor", |scene| scene.worker.as_ref().unwrap().journald.cursor().is_some());
    journal.scene.live.take();
    journal.write(7, b"a detail");
    journal.write(3, b"an error");
    journal.wait_for_messages(&["an error"]);
    let (lines, _) = journal.scene.live.take();
    let shown: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(shown, ["a detail", "an error"]);
}
