//! Files that came and were rotated away while nobody looked.

use std::fs::File;
use std::time::SystemTime;

use super::super::discover::Discovery;
use super::super::table::identity;
use super::super::unseen;
use super::super::watch::Watcher;
use super::*;
use crate::logic::follow::Identity;

/// As the clock of a file system may be a tick behind, what is written now is given a time after
/// the checkpoint.
fn touch(scene: &Scene, name: &str) {
    let file = File::options().append(true).open(scene.path(name)).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
}

#[test]
fn a_file_created_and_rotated_while_the_agent_was_down_is_read_whole() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.stop();
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 3);
    touch(&scene, "x.log");
    scene.rename("x.log.1", "x.log.2");
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 4);
    // Never seen, under a name that was never seen.
    scene.write_error("y.log", 5);
    touch(&scene, "y.log");
    scene.rename("y.log", "y.log-20261121");
    scene.start();
    scene.settle();
    scene.assert_once(1..=5);
    let of_x = |message: &String| !message.ends_with('5');
    let order: Vec<String> = scene.messages().into_iter().filter(of_x).collect();
    assert_eq!(order, [1, 2, 3, 4].map(|number| format!("ERROR number {number}")));
    for _ in 0..2 {
        scene.kill();
        scene.start();
        scene.settle();
    }
    scene.assert_once(1..=5);
}

#[test]
fn what_was_found_unseen_is_read_on_after_a_kill() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.stop();
    for number in 2..=5000 {
        scene.write_error("y.log", number);
    }
    touch(&scene, "y.log");
    scene.rename("y.log", "y.log.1");
    for _ in 0..5 {
        scene.start();
        scene.kill();
    }
    scene.start();
    scene.settle();
    scene.assert_once(1..=5000);
}

#[test]
fn a_copy_made_while_the_agent_was_down_is_not_read_again() {
    let mut scene = Scene::started();
    for number in 1..=3 {
        scene.write_error("x.log", number);
        scene.write_error("y.log", 10 + number);
    }
    scene.settle();
    scene.stop();
    fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
    touch(&scene, "x.log.1");
    fs::write(scene.path("x.log"), "").unwrap();
    scene.write_error("x.log", 4);
    // Copied, but not truncated.
    fs::copy(scene.path("y.log"), scene.path("y.log.1")).unwrap();
    touch(&scene, "y.log.1");
    scene.write_error("y.log", 14);
    scene.start();
    scene.settle();
    scene.assert_once((1..=4).chain(11..=14));
}

#[test]
fn two_truncations_while_the_agent_was_down_lose_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.kill();
    scene.write_error("x.log", 2);
    fs::copy(scene.path("x.log"), scene.path("x.log.2")).unwrap();
    fs::write(scene.path("x.log"), "the second\n").unwrap();
    scene.write_error("x.log", 3);
    fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
    touch(&scene, "x.log.1");
    fs::write(scene.path("x.log"), "the third\n").unwrap();
    scene.write_error("x.log", 4);
    scene.start();
    scene.settle();
    scene.assert_once(1..=4);
}

#[test]
fn rotations_that_are_old_or_were_read_are_not_read_again() {
    let mut scene = Scene::new();
    scene.write_error("x.log.9", 100);
    scene.start();
    for number in 1..=3 {
        scene.write_error("x.log", number);
        scene.settle();
        scene.rename("x.log", &format!("x.log.{number}"));
        scene.settle();
    }
    scene.write_error("x.log", 4);
    scene.settle();
    scene.stop();
    scene.start();
    scene.settle();
    scene.assert_once(1..=4);
}

#[test]
fn two_rotations_between_two_looks_lose_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    for number in 2..=6 {
        scene.write_error("x.log", number);
        for rotated in (1..6).rev() {
            if scene.path(&format!("x.log.{rotated}")).exists() {
                scene.rename(&format!("x.log.{rotated}"), &format!("x.log.{}", rotated + 1));
            }
        }
        scene.rename("x.log", "x.log.1");
    }
    scene.write_error("x.log", 7);
    scene.settle();
    scene.assert_once(1..=7);
    let in_order: Vec<String> = (1..=7).map(|number| format!("ERROR number {number}")).collect();
    assert_eq!(scene.messages(), in_order);
}

#[test]
fn what_is_known_takes_no_place_among_what_may_be_unseen() {
    const KNOWN: usize = 20;
    let scene = Scene::new();
    for number in 0..=KNOWN {
        scene.write_error(&format!("x.log.{number}"), number);
    }
    let mut discovery = Discovery::new(&scene.settings.paths);
    discovery.rescan(&mut Watcher::new(), scene.now, &mut |_, _| {});
    let new = identity(&fs::metadata(scene.path("x.log.7")).unwrap());
    let list = |limit, is_known: &dyn Fn(Identity) -> bool| {
        let patterns = &scene.settings.paths;
        let listing = unseen::since(1, &discovery, patterns, is_known, limit);
        (listing.files.len(), listing.left_out)
    };
    assert_eq!(list(1, &|who| who != new), (1, 0));
    assert_eq!(list(KNOWN, &|_| false), (KNOWN, 1));
}

#[test]
fn two_rotations_just_before_a_kill_lose_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 3);
    scene.rounds(1);
    touch(&scene, "x.log");
    scene.rename("x.log.1", "x.log.2");
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 4);
    scene.kill();
    scene.start();
    scene.settle();
    scene.assert_once(1..=4);
}
