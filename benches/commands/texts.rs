//! The commands that are read, the place where they are, and what they are read with.

use super::Failure;
use super::clock::{Contender, Figures, digits, milliseconds};
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use toolgate::facts::{Place, commands};
use toolgate::model::access::Access;
use toolgate::model::path::AbsPath;
use toolgate::world::Frozen;

/// Every command text of the tables.
///
/// # Errors
/// If a table cannot be read.
pub fn all(root: &Path) -> Result<Vec<String>, Failure> {
    let mut texts = Vec::new();
    for folder in ["tests/cases/commands", "tests/cases/commands/pairs", "tests/cases/ordinary"] {
        let mut files: Vec<_> = std::fs::read_dir(root.join(folder))?.collect::<Result<_, _>>()?;
        files.sort_by_key(std::fs::DirEntry::path);
        files.retain(|file| file.path().extension().is_some_and(|end| end == "toml"));
        for file in files {
            let table: toml::Table = std::fs::read_to_string(file.path())?.parse()?;
            let list = |name: &str| table.get(name).and_then(toml::Value::as_array);
            for case in list("case").into_iter().flatten() {
                texts.extend(case.get("text").and_then(toml::Value::as_str).map(str::to_owned));
            }
            for pair in list("pairs").into_iter().flatten() {
                let both = pair.as_array().into_iter().flatten();
                texts.extend(both.filter_map(toml::Value::as_str).map(str::to_owned));
            }
            for group in list("group").into_iter().flatten() {
                let calls = group.get("calls").and_then(toml::Value::as_array);
                let commands = calls.into_iter().flatten().filter_map(toml::Value::as_str);
                texts.extend(commands.map(str::to_owned));
            }
        }
    }
    Ok(texts)
}

/// Where the commands are read.
pub struct Scene {
    world: Frozen,
    workspace: AbsPath,
    tmp: AbsPath,
}

impl Scene {
    /// A small workspace in memory.
    ///
    /// # Errors
    /// If a path is none.
    pub fn new() -> Result<Scene, Failure> {
        let files = [
            "/work/.env",
            "/work/Cargo.toml",
            "/work/README.md",
            "/work/a",
            "/work/src/lib.rs",
            "/work/src/main.rs",
            "/work/target/x",
            "/work/tests/it.rs",
            "/home/agent/.ssh/id_rsa",
        ];
        let path = |text: &str| AbsPath::parse(text).map_err(|_| format!("`{text}` is no path"));
        let files: Result<Vec<AbsPath>, String> = files.iter().map(|file| path(file)).collect();
        let world = Frozen::with_files(&files?);
        Ok(Scene { world, workspace: path("/work")?, tmp: path("/tmp")? })
    }

    /// Everything that a text would do.
    #[must_use]
    pub fn read(&self, text: &str) -> Vec<Access> {
        let place = Place { world: &self.world, workspace: &self.workspace, tmp: &self.tmp };
        let mut all = Vec::new();
        commands::read(text, Some(&self.workspace), &place, &mut all);
        all
    }
}

/// The bare parser, ours up to words, and the whole reading.
pub fn contenders<'a>(texts: &'a [String], scene: &'a Scene) -> Vec<Contender<'a>> {
    let requests = texts.len();
    let text = |index: usize| texts.get(index).map_or("", String::as_str);
    vec![
        Contender {
            name: "the bare parser (shuck)",
            requests,
            ask: Box::new(move |index| {
                black_box(shuck_parser::parser::Parser::new(text(index)).parse());
                Ok(true)
            }),
        },
        Contender {
            name: "toolgate, to commands and words",
            requests,
            ask: Box::new(move |index| {
                let _ = black_box(toolgate::shell::parse(text(index), 0));
                Ok(true)
            }),
        },
        Contender {
            name: "toolgate, to all that it would do",
            requests,
            ask: Box::new(move |index| {
                black_box(scene.read(text(index)));
                Ok(true)
            }),
        },
    ]
}

/// What the very first command takes, in a program that has read none: its table is read, and
/// where the others lie.
#[must_use]
pub fn first(scene: &Scene) -> String {
    let (_, once) = milliseconds(|| black_box(scene.read("git status")));
    let (_, again) = milliseconds(|| black_box(scene.read("git status")));
    format!("the first command takes {once:.2} ms, the same again {again:.3} ms\n")
}

/// The figures, each beside the first contender's.
#[must_use]
pub fn table(
    texts: &[String],
    clock: u64,
    contenders: &[Contender<'_>],
    figures: &[Figures],
) -> String {
    let bytes: usize = texts.iter().map(String::len).sum();
    let mut out = format!(
        "{} commands of {} bytes on average, in microseconds; reading the clock takes {clock} ns \
         of each\n\n{:<40}{:>10}{:>10}{:>10}{:>10}{:>12}",
        digits(texts.len()),
        bytes / texts.len().max(1),
        "",
        "p50",
        "p99",
        "mean",
        "ratio",
        "calls",
    );
    let first = figures.first().map_or(1, |figures| figures.p50).max(1);
    for (contender, figures) in contenders.iter().zip(figures) {
        let micro = |nanoseconds: u64| format!("{:.1}", nanoseconds as f64 / 1e3);
        let Figures { p50, p99, mean, calls } = figures;
        let ratio = *p50 as f64 / first as f64;
        let (p50, p99, mean) = (micro(*p50), micro(*p99), micro(*mean));
        let _ = write!(
            out,
            "\n{:<40}{p50:>10}{p99:>10}{mean:>10}{ratio:>10.1}{:>12}",
            contender.name,
            digits(*calls)
        );
    }
    out
}
