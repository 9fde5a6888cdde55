//! The thread itself, started and stopped as the agent does.

use std::thread;

use super::super::LogFollower;
use super::*;

/// Generous: the machine may be busy with other tests.
const DEADLINE: Duration = Duration::from_secs(30);

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < DEADLINE, "{what} did not happen in {DEADLINE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A journal whose lock was poisoned, say.
struct Broken;

impl LogSink for Broken {
    fn commit(&self, _: LogFrame, _: &[u8]) -> io::Result<i64> {
        panic!("the test wants it so")
    }

    fn notes(&self) -> io::Result<Vec<(i64, i64, Vec<u8>)>> {
        Ok(Vec::new())
    }

    fn last(&self) -> (i64, i64) {
        (1, 0)
    }

    fn checkpointed(&self, _: i64, _: i64) {}
}

#[test]
fn a_follower_that_has_failed_says_so_in_the_heartbeat() {
    let scene = Scene::new();
    let (sink, live) = (Arc::new(Broken), scene.live.clone());
    let follower = LogFollower::start(scene.settings.clone(), sink, live).unwrap();
    wait_for("the first checkpoint", || scene.settings.state_dir.join("logs/positions").exists());
    assert!(follower.facts().errors.is_empty());
    scene.write_error("x.log", 1);
    wait_for("an error", || follower.facts().errors.contains_key("logs"));
}

#[test]
fn a_follower_delivers_takes_settings_and_stops() {
    let scene = Scene::new();
    let (sink, live) = (scene.sink.clone(), scene.live.clone());
    let follower = LogFollower::start(scene.settings.clone(), sink, live).unwrap();
    wait_for("the first checkpoint", || scene.settings.state_dir.join("logs/positions").exists());
    scene.write_error("x.log", 1);
    wait_for("delivery", || scene.messages().len() == 1);
    assert_eq!(follower.facts().files, 1);
    let mut settings = scene.settings.clone();
    settings.paths = vec![scene.path("*.txt").display().to_string()];
    follower.apply(settings);
    wait_for("letting go", || follower.facts().files == 0);
    scene.write_error("y.txt", 2);
    wait_for("another file", || scene.messages().len() == 2);
    follower.stop();
    scene.assert_once(1..=2);
}
