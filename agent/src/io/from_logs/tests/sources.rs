//! What else can have a name: links, pipes, files nobody may read, and the systemd journal.

use super::*;

#[test]
fn a_link_is_followed_to_where_it_leads_and_one_file_is_read_once() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("pods")).unwrap();
    scene.append("pods/0.txt", "old\n");
    std::os::unix::fs::symlink(scene.path("pods/0.txt"), scene.path("pod.log")).unwrap();
    std::os::unix::fs::symlink(scene.path("pods/0.txt"), scene.path("same.log")).unwrap();
    scene.start();
    scene.write_error("pods/0.txt", 1);
    scene.rounds(30);
    scene.assert_once(1..=1);
    assert_eq!(scene.facts().files, 1);
    scene.rename("pods/0.txt", "pods/0.txt.20260101-101112");
    scene.write_error("pods/0.txt", 2);
    scene.settle();
    scene.assert_once(1..=2);
}

#[test]
fn pipes_and_directories_are_not_followed() {
    let mut scene = Scene::new();
    nix::unistd::mkfifo(&scene.path("pipe.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(scene.path("directory.log")).unwrap();
    scene.start();
    scene.settle();
    assert_eq!(scene.facts().files, 0);
}

#[test]
fn lines_that_are_no_text_are_read() {
    let mut scene = Scene::started();
    scene.append("x.log", b"ERROR \xff\xfe caf\xe9\0\n\x80\x81\nERROR number 2\n");
    scene.settle();
    assert_eq!(scene.messages().len(), 2);
    scene.assert_once(2..=2);
}

#[test]
fn a_trace_written_in_pieces_is_one_event() {
    let mut scene = Scene::started();
    scene.append("x.log", "ERROR number one\n\tat a.b.C(C.java:1)\n");
    scene.rounds(3);
    scene.append("x.log", "\tat d.e.F(F.java:2)\n");
    scene.settle();
    let expected = "ERROR number one\n\tat a.b.C(C.java:1)\n\tat d.e.F(F.java:2)";
    assert_eq!(scene.messages(), [expected]);
}

#[test]
fn a_last_line_without_newline_waits_for_its_end_but_not_for_ever() {
    let mut scene = Scene::started();
    scene.append("x.log", "ERROR num");
    scene.rounds(20);
    scene.append("x.log", "ber 1\nERROR number 2");
    scene.rounds(30);
    scene.assert_once(1..=1);
    scene.settle();
    scene.assert_once(1..=2);
}

#[test]
fn other_paths_are_taken_up_without_losing_a_place() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.rounds(2);
    scene.write_error("old.txt", 0);
    let mut settings = scene.settings.clone();
    settings.paths.push(scene.path("*.txt").display().to_string());
    let now = scene.now;
    scene.write_error("x.log", 2);
    scene.worker.as_mut().unwrap().apply(settings, now);
    scene.settle();
    scene.write_error("x.log", 3);
    scene.write_error("old.txt", 4);
    scene.write_error("new.txt", 5);
    scene.settle();
    scene.assert_once(1..=5);
    let mut settings = scene.settings.clone();
    settings.paths = vec![scene.path("*.txt").display().to_string()];
    let now = scene.now;
    scene.worker.as_mut().unwrap().apply(settings, now);
    scene.settle();
    scene.write_error("x.log", 6);
    scene.write_error("new.txt", 7);
    scene.settle();
    scene.assert_once([1, 2, 3, 4, 5, 7]);
    assert_eq!(scene.facts().files, 2);
}

#[test]
fn directories_that_are_not_meant_any_more_are_not_watched() {
    let mut scene = Scene::new();
    for name in ["a", "b", "away"] {
        fs::create_dir(scene.path(name)).unwrap();
    }
    scene.append("away/0.txt", "");
    std::os::unix::fs::symlink(scene.path("away/0.txt"), scene.path("b/x.log")).unwrap();
    let pattern = |scene: &Scene, name: &str| scene.path(name).display().to_string();
    scene.settings.paths = vec![pattern(&scene, "a/*.log"), pattern(&scene, "b/*.log")];
    scene.start();
    let is_watching = |scene: &Scene, name: &str| {
        scene.worker.as_ref().unwrap().watcher.is_watching(&scene.path(name))
    };
    assert!(["a", "b", "away"].iter().all(|name| is_watching(&scene, name)));
    scene.write_error("away/0.txt", 1);
    let mut settings = scene.settings.clone();
    settings.paths.remove(0);
    let now = scene.now;
    scene.worker.as_mut().unwrap().apply(settings, now);
    scene.rounds(20);
    assert!(!is_watching(&scene, "a"));
    assert!(["b", "away"].iter().all(|name| is_watching(&scene, name)));
    scene.write_error("away/0.txt", 2);
    scene.rounds(30);
    scene.assert_once(1..=2);
}

#[test]
fn the_same_settings_again_change_nothing() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.rounds(3);
    let (settings, now) = (scene.settings.clone(), scene.now);
    let worker = scene.worker.as_mut().unwrap();
    let rest = worker.round(now);
    worker.apply(settings, now);
    assert_eq!(worker.round(now), rest, "no look around is due that was not");
}

#[test]
fn a_live_tail_shows_all_lines_while_it_is_open() {
    let mut scene = Scene::started();
    scene.append("x.log", "before\n");
    scene.rounds(2);
    scene.live.set_open(true);
    scene.append("x.log", "one\nERROR number 1\n");
    scene.rounds(2);
    let (lines, dropped) = scene.live.take();
    let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!((messages.as_slice(), dropped), (["one", "ERROR number 1"].as_slice(), 0));
    let many = "another line\n".repeat(5000);
    scene.append("x.log", many);
    scene.rounds(2);
    let (lines, dropped) = scene.live.take();
    assert_eq!((lines.len(), dropped), (2000, 3000));
    scene.live.set_open(false);
    scene.append("x.log", "after\n");
    scene.rounds(2);
    assert_eq!(scene.live.take(), (Vec::new(), 0));
}

#[test]
fn lines_wait_while_the_journal_takes_none_and_are_not_lost() {
    let mut scene = Scene::started();
    scene.sink.fail(&[Failure::Refused; 5]);
    scene.write_error("x.log", 1);
    scene.rounds(20);
    for number in 2..=3000 {
        scene.write_error("x.log", number);
    }
    scene.rounds(20);
    assert!(scene.messages().is_empty());
    scene.settle();
    scene.assert_once(1..=3000);
}

#[test]
fn a_burst_is_bounded_and_says_how_many_lines_are_left_out() {
    let mut scene = Scene::new();
    scene.settings.flood.lines_per_min = 100;
    scene.start();
    for number in 1..=5000 {
        scene.write_error("x.log", number);
    }
    scene.settle();
    scene.stop();
    let lines = scene.sink.lines();
    let suppressed: i64 = lines.iter().map(|line| line.suppressed).sum();
    let kept = lines.iter().filter(|line| line.suppressed == 0).count();
    assert_eq!(kept as i64 + suppressed, 5000);
    assert!(kept < 1000);
    let facts = scene.facts();
    assert_eq!(facts.error_lines, 5000);
    assert_eq!(facts.lines_suppressed as i64, suppressed);
}
