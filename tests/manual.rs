//! Help, manual pages and completions, made from the same words: none is empty, and each names
//! every command.
#![cfg(test)]

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn toolgate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_toolgate")).args(arguments).output().unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = toolgate(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let (_, commands) = help.split_once("\nCommands:\n").unwrap_or_default();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let name = |line: &str| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned);
    lines.filter_map(name).filter(|name| !name.is_empty() && name != "help").collect()
}

/// Every command, by its words, with its help.
fn commands() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::<String>::new()];
    while let Some(words) = open.pop() {
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = said(&arguments);
        let below = listed(&help).into_iter().map(|name| [words.clone(), vec![name]].concat());
        open.extend(below);
        found.push((words, help));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn every_help_has_an_example_and_the_exit_codes() {
    for (words, help) in commands() {
        let is_group = !listed(&help).is_empty();
        assert!(is_group || help.contains("\nExamples:\n  # "), "{words:?}: {help}");
        let line = format!("\n  toolgate {}", words.join(" "));
        assert!(is_group || help.contains(&line), "{words:?}: {help}");
        assert!(words.len() == 1 && is_group || help.contains("\nExit codes: 0 "), "{help}");
    }
}

#[test]
fn every_shell_has_completions_for_every_command() {
    let all: BTreeSet<String> = commands().into_iter().flat_map(|(words, _)| words).collect();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&["completions", shell]);
        for word in &all {
            assert!(script.contains(word.as_str()), "{shell} does not know `{word}`");
        }
    }
    assert_eq!(toolgate(&["completions", "none"]).status.code(), Some(2));
}

#[test]
fn every_command_has_its_page() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("man1");
    assert_eq!(said(&["man", "--out", directory.to_str().unwrap()]), "");
    let first = said(&["man"]);
    assert!(first.contains(".TH toolgate 1"), "{first}");
    for (words, _) in commands() {
        let name = [vec!["toolgate".to_owned()], words.clone()].concat().join("-");
        let page = std::fs::read_to_string(directory.join(format!("{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        let is_leaf = !page.contains(".SH SUBCOMMANDS");
        assert!(!is_leaf || page.contains("Exit codes: 0 "), "{page}");
        assert!(words.len() != 1 || first.contains(&format!("toolgate\\-{}", words[0])), "{name}");
    }
    let file = scratch.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = toolgate(&["man", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be written to `"));
}

#[test]
fn the_program_is_called_toolgate_whatever_its_file_is_called() {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
    let output = command.arg0("/opt/tg").args(["status", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Usage: toolgate status"), "{help}");
}
