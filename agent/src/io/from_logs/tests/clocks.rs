//! Clocks that are wrong at one checkpoint, and files that are told apart by little.

use std::time::SystemTime;

use super::super::checkpoint;
use super::*;

const HOUR_MS: i64 = 3_600_000;

/// As if the clock had been behind when the agent stopped.
fn put_the_checkpoint_back(scene: &Scene) {
    let state_dir = &scene.settings.state_dir;
    let mut kept = checkpoint::load(state_dir).unwrap();
    kept.written_at -= HOUR_MS;
    checkpoint::store(state_dir, &kept).unwrap();
}

/// Files made after this have a later time than those before; the clock of a file system ticks.
fn wait_for_a_tick(scene: &Scene) {
    let made_at = |name: &str| {
        fs::write(scene.path(name), "").unwrap();
        fs::metadata(scene.path(name)).unwrap().modified().unwrap()
    };
    let before = made_at("tick");
    while made_at("tick") == before {}
}

#[test]
fn a_clock_that_was_behind_makes_no_old_rotation_new() {
    // Longer than a fingerprint, and shorter.
    for lines in [20, 1] {
        let mut scene = Scene::started();
        for number in 0..3 * lines {
            scene.write_error("x.log", number);
            if (number + 1) % lines == 0 && number + 1 < 3 * lines {
                scene.settle();
                scene.rename("x.log", &format!("x.log.{number}"));
                wait_for_a_tick(&scene);
            }
        }
        scene.settle();
        scene.stop();
        put_the_checkpoint_back(&scene);
        scene.start();
        scene.settle();
        scene.assert_once(0..3 * lines);
        scene.stop();
        // Now the newest one is another.
        put_the_checkpoint_back(&scene);
        wait_for_a_tick(&scene);
        scene.rename("x.log", "x.log.100");
        scene.write_error("x.log", 100);
        wait_for_a_tick(&scene);
        scene.rename("x.log", "x.log.101");
        scene.write_error("x.log", 101);
        scene.start();
        scene.settle();
        scene.assert_once((0..3 * lines).chain(100..=101));
    }
}

#[test]
fn the_time_of_the_last_look_is_never_put_back() {
    let mut scene = Scene::started();
    let ahead = scene.worker.as_ref().unwrap().keeping.written_at + HOUR_MS;
    scene.worker.as_mut().unwrap().keeping.written_at = ahead;
    scene.write_error("x.log", 1);
    scene.settle();
    scene.stop();
    assert_eq!(checkpoint::load(&scene.settings.state_dir).unwrap().written_at, ahead);
}

#[test]
fn of_files_that_begin_alike_with_few_bytes_none_is_lost_as_a_copy() {
    const BEGINNING: &str = "the server begins to write\n";
    let mut scene = Scene::started();
    scene.append("x.log", BEGINNING);
    scene.settle();
    scene.stop();
    scene.rename("x.log", "x.log.9.gz");
    for number in 1..=3 {
        scene.append("x.log", BEGINNING);
        scene.write_error("x.log", number);
        let file = OpenOptions::new().append(true).open(scene.path("x.log")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(number as u64)).unwrap();
        scene.rename("x.log", &format!("x.log.{number}"));
    }
    // Another copy of what is read already.
    fs::copy(scene.path("x.log.3"), scene.path("x.log.2026-11-21")).unwrap();
    let copied = OpenOptions::new().append(true).open(scene.path("x.log.2026-11-21")).unwrap();
    copied.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();
    scene.write_error("x.log", 4);
    scene.start();
    scene.settle();
    scene.assert_once(1..=4);
}
