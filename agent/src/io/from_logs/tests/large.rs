//! Very long lines and very many files.

use super::*;

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
    assert!(scene.worker.as_ref().unwrap().open.len() <= super::super::turns::OPEN_FILES_MAX);
    scene.settle();
    scene.assert_once(0..5000);
}
