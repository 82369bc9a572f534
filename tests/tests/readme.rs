//! The README is followed to the letter: its commands run as they stand there.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; clippy exempts test functions, but not what they call"
)]

use std::process::Command;

use tierprobe_tests::{binary, repository};

/// Commands in the blocks of this language, line by line.
fn commands(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let opening = format!("```{language}");
    let mut commands = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line == opening {
            commands.extend(lines.by_ref().take_while(|line| *line != "```").map(str::to_owned));
        }
    }
    assert!(!commands.is_empty(), "the README has no block of {language}");
    commands
}

#[test]
fn the_commands_of_the_tour_run_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let directories =
        [binary::agent(), binary::collector()].map(|binary| binary.parent().unwrap().to_owned());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(directories.into_iter().chain(std::env::split_paths(&path))).unwrap();
    for command in commands("console") {
        let line = command.trim_start_matches("$ ");
        let output = Command::new("bash")
            .args(["-ec", line])
            .current_dir(&folder)
            .env("PATH", &path)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{line}: {}\n{}", output.status, String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_two_commands_are_targets_of_the_makefile() {
    let targets = commands("sh");
    assert_eq!(targets, ["make demo", "make test"]);
    for command in targets {
        let words: Vec<&str> = command.split(' ').collect();
        let dry = Command::new(words[0]).args(["--dry-run", words[1]]).current_dir(repository("")).output();
        assert!(dry.unwrap().status.success(), "{command}");
    }
}
