//! The catalogue as it is shipped: every file can be read, and every row says where it is from.

use super::embedded::texts;
use super::table::{Written, read, rows};
use super::{OptionSpec, Program, find};
use std::collections::BTreeSet;

#[test]
fn every_file_can_be_read() {
    for (name, text) in texts() {
        if let Err(error) = read(text) {
            panic!("{name}: {error}");
        }
    }
    assert!(find("git").unwrap().subcommands.contains_key("push"));
    assert!(find("mkfs.ext4").is_some());
}

fn spellings(program: &Program) -> impl Iterator<Item = &String> {
    program.options.iter().flat_map(|option: &OptionSpec| &option.spellings)
}

fn check(name: &str, program: &Program, outer: &BTreeSet<String>, wrong: &mut String) {
    let mut seen = BTreeSet::new();
    for spelling in spellings(program) {
        if !seen.insert(spelling.clone()) {
            *wrong += &format!("{name}: `{spelling}` stands twice\n");
        }
    }
    seen.extend(outer.iter().cloned());
    let given = program.first_given_by.iter().chain(&program.last_given_by);
    let given = given.chain(&program.tree_options).chain(&program.in_place);
    let variants = program.variants.iter().flat_map(|v| v.given.iter().chain(&v.absent));
    for option in given.chain(variants) {
        if !seen.contains(option) {
            *wrong += &format!("{name}: `{option}` is asked for and in no list\n");
        }
    }
    for (sub, subcommand) in &program.subcommands {
        check(&format!("{name} {sub}"), &subcommand.table, &seen, wrong);
    }
}

#[test]
fn every_option_stands_in_one_class_and_is_one() {
    let mut wrong = String::new();
    let mut names = BTreeSet::new();
    for (family, text) in texts() {
        for (name, program) in read(text).unwrap() {
            check(&name, &program, &BTreeSet::new(), &mut wrong);
            if !names.insert(name.clone()) {
                wrong += &format!("{name}: a second row in {family}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A row names its manual, says something of options, and has an example for itself and for each
/// row of subcommands in it.
#[test]
fn every_row_says_where_it_is_from_and_shows_itself() {
    let mut wrong = String::new();
    let mut read = 0;
    for (_, text) in texts() {
        for (name, row) in rows(text).unwrap() {
            let mut shown = Vec::new();
            gather(&name, &row, &mut shown);
            let (subrows, optioned) = extent(&row);
            read += usize::from(row.manual.as_ref().is_some_and(|m| !m.starts_with("not read")));
            if row.manual.as_ref().is_none_or(|manual| !manual.contains('(')) {
                wrong += &format!("{name}: no manual, as `tar(1), GNU tar 1.34`\n");
            }
            if shown.len() < 1 + subrows {
                wrong += &format!("{name}: {} examples for {} rows\n", shown.len(), 1 + subrows);
            }
            if !optioned {
                wrong += &format!("{name}: no options\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(read >= 450, "only {read} rows are from manuals that were read");
}

/// How many rows of subcommands a row has, and whether any of them knows an option.
fn extent(row: &Written) -> (usize, bool) {
    let mut all = (row.subcommands.len(), row.has_options());
    for (subrows, optioned) in row.subcommands.values().map(extent) {
        all = (all.0 + subrows, all.1 || optioned);
    }
    all
}

/// Every example of every row, by the program's name.
pub(crate) fn examples() -> Vec<(String, String, Vec<String>)> {
    let mut all = Vec::new();
    for (_, text) in texts() {
        for (name, row) in rows(text).unwrap_or_default() {
            gather(&name, &row, &mut all);
        }
    }
    all
}

fn gather(name: &str, row: &Written, all: &mut Vec<(String, String, Vec<String>)>) {
    all.extend(row.examples.iter().map(|e| (name.to_owned(), e.run.clone(), e.does.clone())));
    for sub in row.subcommands.values() {
        gather(name, sub, all);
    }
}
