//! Notes of very many files at once, which have a limit.

use super::super::outbox::{Outbox, Place};
use super::*;
use crate::logic::follow::{Fingerprint, Identity, Note, Position};

/// As long as a path can be, and every byte of it takes two in a note.
fn position(number: u32, offset: u64, name_bytes: usize) -> Position {
    let name = format!("/{}{number}", "\u{e9}".repeat(name_bytes / 2));
    let fingerprint = Fingerprint::of(&vec![1; 300]);
    let identity = Identity(u64::MAX, u64::MAX - u64::from(number));
    Position { identity, fingerprint, offset, retired: true, path: Path::new(&name).into() }
}

fn outbox(sink: &Arc<Memory>) -> Outbox {
    let limits = FloodLimits { lines_per_min: 10_000_000, bytes_per_min: 10_000_000_000 };
    Outbox::new(sink.clone(), limits)
}

fn offer(outbox: &mut Outbox, number: u32, name_bytes: usize, now: Instant) {
    let message = format!("ERROR number {number}");
    let line = LogLine { message, severity: Severity::Error, ..LogLine::default() };
    let place = Place::File(number, position(number, u64::MAX, name_bytes));
    outbox.offer(line, place, now, 1);
}

/// How often each file is in the notes of all frames.
fn noted(sink: &Memory) -> Vec<usize> {
    let state = sink.state.lock().unwrap();
    state.frames.iter().map(|frame| Note::decode(&frame.note).unwrap().files.len()).collect()
}

#[test]
fn a_line_from_each_of_very_many_files_is_delivered_with_its_place() {
    for name_bytes in [20, 200, 4000] {
        let sink = Arc::new(Memory::default());
        let (mut outbox, now) = (outbox(&sink), Instant::now());
        (0..3000).for_each(|number| offer(&mut outbox, number, name_bytes, now));
        assert!(outbox.commit(now));
        assert_eq!(sink.lines().len(), 3000);
        assert_eq!(noted(&sink).iter().sum::<usize>(), 3000, "{name_bytes}");
    }
}

#[test]
fn places_without_lines_are_said_by_several_notes() {
    let sink = Arc::new(Memory::default());
    let (mut outbox, now) = (outbox(&sink), Instant::now());
    for number in 0..500 {
        outbox.note(number, position(number, 1, 1000));
    }
    assert!(outbox.has_much_to_note());
    for number in 1000..1010 {
        offer(&mut outbox, number, 20, now);
        assert!(outbox.commit(now));
    }
    assert!(!outbox.has_much_to_note());
    assert_eq!(sink.lines().len(), 10);
    assert_eq!(noted(&sink).iter().sum::<usize>(), 510);
}

#[test]
fn many_files_with_long_paths_that_lose_their_names_at_once_cost_no_line() {
    let mut scene = Scene::new();
    let deep = vec!["\u{e9}".repeat(120); 8].join("/");
    fs::create_dir_all(scene.path(&deep)).unwrap();
    scene.settings.paths = vec![scene.path(&deep).join("*.log").display().to_string()];
    let name = |number: usize| format!("{deep}/{number}.log");
    for number in 0..200 {
        scene.append(&name(number), format!("begun {number}\n"));
    }
    scene.start();
    scene.stop();
    for number in 0..200 {
        scene.write_error(&name(number), number);
        scene.rename(&name(number), &format!("{}.1", name(number)));
    }
    // No checkpoint can be written that would make the notes shorter.
    fs::create_dir(scene.settings.state_dir.join("logs/positions.new")).unwrap();
    scene.start();
    scene.settle();
    scene.assert_once(0..200);
}
