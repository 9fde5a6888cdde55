//! Very long lines and very many files.

use std::sync::Arc;

use super::super::siblings;
use super::super::table::identity;
use super::super::watch::Watcher;
use super::*;
use crate::logic::follow::{Fingerprint, Position};

#[test]
fn a_line_of_50_mb_is_cut_and_the_next_one_is_read() {
    let mut scene = Scene::started();
    scene.append("x.log", "ERROR number 1\nERROR ");
    let piece = vec![b'x'; 1024 * 1024];
    for _ in 0..50 {
        scene.append("x.log", &piece);
        scene.rounds(1);
    }
    scene.append("x.log", "\nERROR number 2\n");
    scene.settle();
    scene.assert_once(1..=2);
    let line = &scene.sink.lines()[1];
    assert!(line.message.starts_with("ERROR xxx"), "{}", line.message.len());
    assert_eq!(line.message.len() + line.truncated_bytes as usize, 6 + 50 * piece.len());
}

#[test]
fn a_long_line_without_an_end_is_taken_after_a_while_and_survives_a_kill() {
    let mut scene = Scene::started();
    scene.append("x.log", "ERROR ".to_owned() + &"y".repeat(1_000_000));
    scene.rounds(3);
    scene.kill();
    scene.start();
    scene.settle();
    assert_eq!(scene.messages().len(), 1);
}

#[test]
fn many_files_are_followed_with_few_descriptors() {
    let mut scene = Scene::new();
    for number in 0..5000 {
        scene.append(&format!("{number}.log"), "begun\n");
    }
    scene.settings.files_max = 4000;
    scene.start();
    assert_eq!(scene.facts().files, 4000);
    scene.kill();
    scene.settings.files_max = 20_000;
    scene.start();
    for number in 0..5000 {
        scene.write_error(&format!("{number}.log"), number);
    }
    scene.rounds(3);
    assert!(scene.worker.as_ref().unwrap().open.len() <= super::super::descriptors::OPEN_FILES_MAX);
    scene.settle();
    scene.assert_once(0..5000);
}

/// Follows as many files as are asked for in one directory, and appends to some all over it.
fn follow_many(files: usize) {
    const APPENDED: usize = 1000;
    let mut scene = Scene::new();
    scene.settings.files_max = files;
    for number in 0..files {
        fs::write(scene.path(&format!("service-{number}.log")), "ERROR of before\n").unwrap();
    }
    let before = resident_bytes();
    scene.start();
    assert_eq!(scene.facts().files, files);
    let each = resident_bytes().saturating_sub(before) / files;
    println!("{files} files take {each} bytes of memory each");
    for number in 0..APPENDED {
        scene.write_error(&format!("service-{}.log", number * (files / APPENDED)), number);
    }
    scene.settle();
    scene.assert_once(0..APPENDED);
    scene.kill();
    scene.start();
    scene.settle();
    assert_eq!(scene.facts().files, files);
    scene.assert_once(0..APPENDED);
    assert_eq!(scene.messages().len(), APPENDED);
}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_directory_of_100_000_files_is_followed_and_each_line_read_once() {
    follow_many(100_000);
}

#[test]
fn more_files_rotated_at_once_than_may_be_open_are_all_read() {
    const FILES: usize = 600;
    const ROUNDS_MAX: usize = 40;
    let mut scene = Scene::started();
    for number in 0..FILES {
        scene.write_error(&format!("{number}.log"), number);
    }
    scene.settle();
    scene.stop();
    for number in 0..FILES {
        let name = format!("{number}.log");
        scene.write_error(&name, FILES + number);
        scene.rename(&name, &format!("{name}.1"));
        scene.write_error(&name, 2 * FILES + number);
    }
    scene.start();
    scene.rounds(ROUNDS_MAX);
    scene.assert_once(0..3 * FILES);
    // Their writers have not noticed yet.
    scene.write_error("7.log.1", 3 * FILES);
    scene.write_error("599.log.1", 3 * FILES + 1);
    scene.settle();
    scene.assert_once(0..3 * FILES + 2);
    scene.settle();
    assert_eq!(scene.facts().files, FILES);
}

#[test]
fn more_unfinished_lines_than_files_may_be_open_are_all_taken() {
    const FILES: usize = 600;
    let mut scene = Scene::started();
    for number in 0..FILES {
        scene.append(&format!("{number}.log"), format!("ERROR number {number}"));
    }
    scene.rounds(300);
    scene.assert_once(0..FILES);
}

#[test]
fn the_rest_of_a_file_is_found_however_many_rotations_are_beside_it() {
    const ROTATIONS: usize = 200;
    let scene = Scene::new();
    let position = |number: usize| {
        let name = format!("x.log.{number}");
        scene.write_error(&name, number);
        Position {
            identity: identity(&fs::metadata(scene.path(&name)).unwrap()),
            fingerprint: Fingerprint::of(b"all is well"),
            offset: 11,
            retired: false,
            path: Arc::from(scene.path("x.log")),
        }
    };
    let wanted: Vec<Position> = (0..ROTATIONS).map(position).collect();
    let found = siblings::find(scene.logs.path(), &wanted, 0, &|_| false);
    for (number, rest) in found.into_iter().enumerate() {
        assert_eq!(&*rest.unwrap().path, scene.path(&format!("x.log.{number}")));
    }
}

#[test]
fn the_newest_copy_has_the_rest_however_many_are_beside_it() {
    const COPIES: usize = 200;
    let scene = Scene::new();
    let beginning = "all is well, and all are alike\n";
    scene.append("x.log", "another\n");
    for number in 0..COPIES {
        let name = format!("x.log.{number}");
        scene.append(&name, format!("{beginning}ERROR number {number}\n"));
        let file = OpenOptions::new().append(true).open(scene.path(&name)).unwrap();
        // Whatever order the directory is listed in, the newest is somewhere in its middle.
        let age = Duration::from_secs(number.abs_diff(COPIES / 2) as u64);
        file.set_modified(std::time::SystemTime::now() - age).unwrap();
    }
    let wanted = Position {
        identity: identity(&fs::metadata(scene.path("x.log")).unwrap()),
        fingerprint: Fingerprint::of(beginning.as_bytes()),
        offset: beginning.len() as u64,
        retired: false,
        path: Arc::from(scene.path("x.log")),
    };
    let found = siblings::find(scene.logs.path(), &[wanted], 0, &|_| false).remove(0);
    assert_eq!(&*found.unwrap().path, scene.path(&format!("x.log.{}", COPIES / 2)));
}

#[test]
fn a_file_that_loses_its_name_while_it_waits_for_a_descriptor_is_found() {
    let mut scene = Scene::new();
    let waiting = super::super::descriptors::OPEN_FILES_MAX;
    for number in 0..=waiting {
        scene.append(&format!("{number}.log"), "begun\n");
    }
    scene.start();
    scene.worker.as_mut().unwrap().watcher = Watcher::without_inotify();
    scene.rounds(200);
    for number in 0..waiting {
        scene.append(&format!("{number}.log"), format!("ERROR number {number}"));
    }
    scene.rounds(12);
    let name = format!("{waiting}.log");
    scene.write_error(&name, waiting);
    // It is looked at, and all descriptors belong to lines that may go on.
    scene.rounds(12);
    scene.rename(&name, &format!("{name}.1"));
    scene.append(&name, "begun again\n");
    scene.settle();
    scene.assert_once(0..=waiting);
}
