//! Files that are renamed, replaced, truncated, deleted and compressed under the reader.

use super::*;

#[test]
fn only_new_lines_that_matter_are_delivered_and_each_once() {
    let mut scene = Scene::new();
    scene.write_error("x.log", 0);
    scene.start();
    for number in 1..=5 {
        scene.write_error("x.log", number);
        scene.rounds(3);
    }
    scene.settle();
    scene.assert_once(1..=5);
    let line = &scene.sink.lines()[0];
    assert_eq!(line.source, scene.path("x.log").display().to_string());
    assert_eq!(scene.facts().lines_read, 10);
}

#[test]
fn a_file_is_read_from_its_start_where_that_is_wanted() {
    let mut scene = Scene::new();
    scene.settings.read_from_start = true;
    scene.write_error("x.log", 0);
    scene.start();
    scene.settle();
    scene.assert_once(0..=0);
}

#[test]
fn a_late_file_is_read_from_its_beginning_in_a_late_directory_too() {
    let mut scene = Scene::new();
    let root = scene.logs.path().display().to_string();
    scene.settings.paths = vec![format!("{root}/*.log"), format!("{root}/*/deep/*.log")];
    scene.start();
    scene.write_error("late.log", 1);
    scene.settle();
    scene.assert_once(1..=1);
    fs::create_dir_all(scene.path("app/deep")).unwrap();
    scene.write_error("app/deep/x.log", 2);
    scene.settle();
    scene.write_error("app/deep/x.log", 3);
    scene.settle();
    scene.assert_once(1..=3);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_then_its_heir() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.rounds(3);
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    // The writer has not noticed yet.
    scene.write_error("x.log.1", 3);
    scene.write_error("x.log", 4);
    scene.rounds(5);
    scene.write_error("x.log.1", 5);
    scene.settle();
    scene.assert_once(1..=5);
    assert_eq!(scene.facts().files, 1);
    let order: Vec<String> = scene.messages();
    assert_eq!(order[2], "ERROR number 3");
}

#[test]
fn a_quiet_file_that_was_closed_is_found_under_its_new_name() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.rounds(700);
    assert!(scene.worker.as_ref().unwrap().open.is_empty());
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 3);
    scene.settle();
    scene.assert_once(1..=3);
}

#[test]
fn rotations_and_compressed_files_are_not_read_again() {
    let mut scene = Scene::started();
    for number in 1..=3 {
        scene.write_error("x.log", number);
        scene.settle();
        if number > 1 {
            scene.rename("x.log.1", &format!("x.log.{number}"));
        }
        scene.rename("x.log", "x.log.1");
        fs::copy(scene.path("x.log.1"), scene.path(&format!("x{number}.log.gz"))).unwrap();
        fs::copy(scene.path("x.log.1"), scene.path("x.log-20260101")).unwrap();
        scene.settle();
    }
    scene.kill();
    scene.start();
    scene.settle();
    scene.assert_once(1..=3);
}

#[test]
fn a_renamed_file_that_is_still_meant_goes_on_where_it_was() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.rename("x.log", "y.log");
    scene.write_error("y.log", 2);
    scene.settle();
    scene.write_error("x.log", 3);
    scene.write_error("y.log", 4);
    scene.settle();
    scene.assert_once(1..=4);
    assert_eq!(scene.facts().files, 2);
}

#[test]
fn a_file_truncated_in_place_begins_again() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.write_error("x.log", 2);
    scene.rounds(20);
    fs::write(scene.path("x.log"), "").unwrap();
    scene.rounds(3);
    scene.write_error("x.log", 3);
    scene.rounds(20);
    // Longer than before at the next look, and yet another.
    fs::write(scene.path("x.log"), "ERROR number 4\nERROR number 5\nERROR number 6\n").unwrap();
    scene.settle();
    scene.assert_once(1..=6);
}

#[test]
fn what_was_copied_before_a_truncation_is_read_from_the_copy() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.write_error("x.log", 2);
    fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
    fs::write(scene.path("x.log"), "").unwrap();
    scene.write_error("x.log", 3);
    scene.settle();
    scene.assert_once(1..=3);
}

#[test]
fn a_rotation_while_the_agent_was_down_loses_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.stop();
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 3);
    scene.start();
    scene.settle();
    scene.assert_once(1..=3);
    scene.stop();
    scene.write_error("x.log", 4);
    scene.rename("x.log.1", "x.log.2");
    scene.rename("x.log", "x.log.1");
    scene.start();
    scene.settle();
    scene.assert_once(1..=4);
}

#[test]
fn a_copy_and_truncation_while_the_agent_was_down_loses_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.kill();
    scene.write_error("x.log", 2);
    fs::copy(scene.path("x.log"), scene.path("x.log.1")).unwrap();
    fs::write(scene.path("x.log"), "").unwrap();
    scene.write_error("x.log", 3);
    scene.start();
    scene.settle();
    scene.assert_once(1..=3);
}

#[test]
fn a_directory_that_is_mounted_late_goes_on_where_it_was() {
    let mut scene = Scene::new();
    scene.settings.paths = vec![scene.path("disk/*.log").display().to_string()];
    fs::create_dir(scene.path("disk")).unwrap();
    scene.start();
    scene.write_error("disk/x.log", 1);
    scene.settle();
    scene.stop();
    scene.rename("disk", "unmounted");
    scene.start();
    scene.settle();
    scene.kill();
    scene.start();
    scene.rename("unmounted", "disk");
    scene.write_error("disk/x.log", 2);
    scene.settle();
    scene.assert_once(1..=2);
}

#[test]
fn a_deleted_file_is_forgotten_once_it_was_read() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.rounds(2);
    scene.write_error("x.log", 2);
    fs::remove_file(scene.path("x.log")).unwrap();
    scene.settle();
    scene.assert_once(1..=2);
    assert_eq!(scene.facts().files, 0);
    assert!(scene.worker.as_ref().unwrap().open.is_empty());
}

#[test]
fn files_are_followed_without_inotify() {
    let mut scene = Scene::new();
    scene.write_error("x.log", 0);
    scene.start();
    scene.worker.as_mut().unwrap().watcher = super::super::watch::Watcher::without_inotify();
    scene.rounds(200);
    scene.write_error("x.log", 1);
    scene.rounds(12);
    scene.write_error("x.log", 2);
    scene.rename("x.log", "x.log.1");
    scene.write_error("x.log", 3);
    scene.write_error("late.log", 4);
    scene.settle();
    scene.assert_once(1..=4);
}
