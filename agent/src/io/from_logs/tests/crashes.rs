//! Killed anywhere, started again: each line that matters is delivered, and once.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Write {
        file: usize,
        lines: usize,
    },
    Rename {
        file: usize,
    },
    CopyAndTruncate {
        file: usize,
    },
    Rounds {
        count: usize,
    },
    Kill,
    Stop,
    /// The next commit is durable, but the agent dies before it hears so.
    KillInCommit,
    Refuse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 1..40_usize).prop_map(|(file, lines)| Step::Write { file, lines }),
        1 => (0..3_usize).prop_map(|file| Step::Rename { file }),
        1 => (0..3_usize).prop_map(|file| Step::CopyAndTruncate { file }),
        6 => (1..30_usize).prop_map(|count| Step::Rounds { count }),
        2 => Just(Step::Kill),
        1 => Just(Step::Stop),
        1 => Just(Step::KillInCommit),
        1 => Just(Step::Refuse),
    ]
}

struct Story {
    scene: Scene,
    written: usize,
    rotations: usize,
}

impl Story {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Write { file, lines } => {
                self.create(*file);
                self.write(*file, *lines);
            }
            Step::Rename { file } => {
                if let Some(rotated) = self.rotated(*file) {
                    self.scene.rename(&name(*file), &rotated);
                }
            }
            Step::CopyAndTruncate { file } => {
                if let Some(rotated) = self.rotated(*file) {
                    self.unblock();
                    self.write(*file, 2);
                    let path = self.scene.path(&name(*file));
                    fs::copy(&path, self.scene.path(&rotated)).unwrap();
                    fs::write(path, "").unwrap();
                    self.begin(*file);
                    // Rotated again before that is written down, the middle would be lost.
                    self.scene.rounds(12);
                }
            }
            Step::Rounds { count } => self.scene.rounds(*count),
            Step::Kill => self.restart(),
            Step::Stop => {
                self.scene.stop();
                self.scene.start();
            }
            Step::KillInCommit => {
                self.scene.sink.fail(&[Failure::Unheard]);
                let before = self.scene.sink.lines().len();
                for _ in 0..30 {
                    if self.scene.sink.lines().len() > before {
                        break;
                    }
                    self.scene.rounds(1);
                }
                self.scene.sink.fail(&[]);
                self.restart();
            }
            Step::Refuse => self.scene.sink.fail(&[Failure::Refused; 3]),
        }
    }

    fn restart(&mut self) {
        self.scene.kill();
        self.scene.start();
    }

    fn rotated(&mut self, file: usize) -> Option<String> {
        self.rotations += 1;
        let rotated = format!("{}.{}", name(file), self.rotations);
        self.scene.path(&name(file)).exists().then_some(rotated)
    }

    /// A file that comes and goes between two checkpoints was never there, for one who is killed.
    fn create(&mut self, file: usize) {
        if !self.scene.path(&name(file)).exists() {
            self.unblock();
            self.begin(file);
            self.scene.rounds(60);
        }
    }

    fn begin(&self, file: usize) {
        let line = format!("file {file} after {} rotations\n", self.rotations);
        self.scene.append(&name(file), line);
    }

    fn write(&mut self, file: usize, lines: usize) {
        for _ in 0..lines {
            self.written += 1;
            self.scene.write_error(&name(file), self.written);
        }
    }

    fn unblock(&mut self) {
        self.scene.sink.fail(&[]);
        self.scene.rounds(12);
    }
}

fn name(file: usize) -> String {
    format!("{file}.log")
}

fn check(steps: &[Step]) {
    let mut story = Story { scene: Scene::started(), written: 0, rotations: 0 };
    for step in steps {
        story.take(step);
    }
    story.scene.settle();
    story.scene.assert_once(1..=story.written);
}

proptest! {
    // Each case waits for the disk a few dozen times.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_line_is_delivered_once_whatever_happens(
        steps in proptest::collection::vec(step(), 1..40)
    ) {
        check(&steps);
    }
}

#[test]
fn a_kill_between_commit_and_checkpoint_doubles_nothing() {
    let write = Step::Write { file: 0, lines: 5 };
    let rounds = |count| Step::Rounds { count };
    for count in 1..40 {
        check(&[write.clone(), rounds(count), Step::Kill, write.clone(), rounds(2), Step::Kill]);
    }
}

#[test]
fn a_trace_that_was_growing_at_a_kill_is_delivered_whole() {
    let mut scene = Scene::started();
    scene.append("x.log", "all is well\nERROR first\n\tat a.b.C(C.java:1)\n");
    scene.rounds(2);
    scene.stop();
    scene.append("x.log", "\tat d.e.F(F.java:2)\n");
    scene.start();
    scene.settle();
    let expected = "ERROR first\n\tat a.b.C(C.java:1)\n\tat d.e.F(F.java:2)";
    assert_eq!(scene.messages(), [expected]);
}

#[test]
fn a_lost_checkpoint_is_made_up_for_by_notes() {
    let mut scene = Scene::started();
    scene.write_error("x.log", 1);
    scene.settle();
    scene.kill();
    fs::remove_file(scene.settings.state_dir.join("logs/positions")).unwrap();
    scene.sink.state.lock().unwrap().checkpointed = (0, 0);
    scene.write_error("x.log", 2);
    scene.start();
    scene.settle();
    scene.assert_once(1..=2);
}

#[test]
fn another_epoch_does_not_bring_old_lines_back() {
    let mut scene = Scene::started();
    for number in 1..=5 {
        scene.write_error("x.log", number);
        scene.settle();
    }
    scene.kill();
    {
        let mut state = scene.sink.state.lock().unwrap();
        state.epoch = 7;
        state.checkpointed = (0, 2);
    }
    scene.write_error("x.log", 6);
    scene.start();
    scene.settle();
    scene.assert_once(1..=6);
}
