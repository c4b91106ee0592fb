//! Exec patterns: `git push ...`, `rm -r? $tmp/*`, `{cargo,npm} test`, `curl ... | sh ...`.
//!
//! A pattern is a list of tokens over the arguments as the program's table classified them. It is
//! exact unless it has `...`; `*` never crosses a token; options may stand anywhere, and which of
//! those that the pattern does not name may be there depends on the stance (policy language
//! §11.15-16).

use super::path::PathPattern;
use super::text::TextPattern;
use super::{Anchors, PatternError, Stance, braces, check_text, foreign};
use crate::model::access::{Command, Program};
use crate::model::path::{AbsPath, Real};
use crate::model::truth::Truth;
use crate::model::word::Word;
use crate::policy::index::PathSet;

mod args;
mod cover;
pub(crate) mod keys;
mod shape;

pub(crate) use cover::Opening;

/// A compiled exec pattern.
#[derive(Debug, Clone)]
pub struct ExecPattern {
    stance: Stance,
    /// What its braces stand for.
    choices: Vec<Choice>,
    everything: bool,
}

#[derive(Debug, Clone)]
struct Choice {
    /// The last is the command that is judged; the ones before feed it by pipe.
    stages: Vec<Stage>,
}

#[derive(Debug, Clone)]
struct Stage {
    program: ProgramPattern,
    named: Vec<Named>,
    words: Vec<Item>,
}

#[derive(Debug, Clone)]
enum ProgramPattern {
    /// A program by its name.
    Name(TextPattern),
    /// That very file.
    File(PathPattern),
    /// `*`: any program, and so none in particular.
    Any,
}

/// One token after the program that stands anywhere.
#[derive(Debug, Clone)]
enum Named {
    /// `-x`, `--long`, `--long*`; `?` at its end says it may be absent.
    Option {
        name: TextPattern,
        cluster: Vec<TextPattern>,
        optional: bool,
        /// The word right behind it, by its place: its value, where the command's option has one.
        value: Option<usize>,
    },
    /// `key=value`, as `dd of=/dev/*` has it.
    KeyValue { key: String, value: ValuePattern },
    /// `--`: a command that has none is not meant. How many words the pattern has before it, if it
    /// says.
    End { before: Option<usize> },
}

/// One token after the program whose place among the others counts.
#[derive(Debug, Clone)]
enum Item {
    /// A word.
    Operand(TextPattern),
    /// A word that is a path.
    Path(PathPattern),
    /// `...`: any tokens of this one command.
    Rest,
}

/// What follows the `=` of a `key=value`.
#[derive(Debug, Clone)]
enum ValuePattern {
    Text(TextPattern),
    Path(PathPattern),
}

impl ExecPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If it is empty, a stage of its pipe is, or a path in it is no path pattern.
    pub fn parse(
        text: &str,
        anchors: &Anchors,
        stance: Stance,
    ) -> Result<ExecPattern, PatternError> {
        // Blanks between tokens may be tabs and line ends.
        check_text(&text.replace(['\t', '\n', '\r'], " "))?;
        foreign::command(text)?;
        let everything = text.trim() == "**";
        let choices = match everything {
            true => Vec::new(),
            false => braces::expand(text)?
                .iter()
                .map(|text| Choice::parse(text, anchors, stance))
                .collect::<Result<_, _>>()?,
        };
        Ok(ExecPattern { stance, choices, everything })
    }

    /// Whether `command` is one that this pattern names. `feeders` gives the commands whose output
    /// reaches it; `writable` are the roots below which no program is trusted.
    pub fn matches<'a, I: Iterator<Item = &'a Command>>(
        &self,
        command: &Command,
        feeders: impl Fn() -> I,
        writable: &Writable,
    ) -> Truth {
        if self.everything {
            return Truth::Yes;
        }
        let mut answer = Truth::No;
        for choice in &self.choices {
            answer = answer.or(choice.matches(command, &feeders, writable, self.stance));
            if answer == Truth::Yes {
                break;
            }
        }
        // What disturbs a command makes every loosening match of it a maybe; a deny that says
        // yes still says yes.
        match self.stance {
            Stance::Loosen if !command.doubts.is_empty() => answer.doubted(),
            Stance::Loosen | Stance::Tighten => answer,
        }
    }

    /// Whether it is `**` alone.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.everything
    }
}

/// The roots below which the agent can put a program.
#[derive(Debug, Default)]
pub struct Writable {
    /// Directories, by name.
    pub roots: Vec<AbsPath>,
    /// What the policy's own allows of `write` cover.
    pub patterns: PathSet,
}

impl Choice {
    fn parse(text: &str, anchors: &Anchors, stance: Stance) -> Result<Choice, PatternError> {
        let mut stages = Vec::new();
        for part in split_stages(text) {
            stages.push(Stage::parse(&part, anchors, stance)?);
        }
        Ok(Choice { stages })
    }

    fn matches<'a, I: Iterator<Item = &'a Command>>(
        &self,
        command: &Command,
        feeders: &impl Fn() -> I,
        writable: &Writable,
        stance: Stance,
    ) -> Truth {
        let Some((last, before)) = self.stages.split_last() else { return Truth::No };
        let mut answer = last.matches(command, writable, stance);
        for stage in before {
            if answer == Truth::No {
                return answer;
            }
            let fed = feeders().map(|feeder| stage.matches(feeder, writable, stance));
            answer = answer.and(fed.max().unwrap_or(Truth::No));
        }
        answer
    }
}

impl Stage {
    fn parse(text: &str, anchors: &Anchors, stance: Stance) -> Result<Stage, PatternError> {
        let tokens = split_tokens(text);
        shape::check(&tokens)?;
        let mut tokens = tokens.into_iter();
        let Some(program) = tokens.next() else {
            return Err(PatternError::new("a command pattern is empty")
                .help("write the program's name, as `git status`"));
        };
        let program = read_program(&program, anchors, stance)?;
        let mut stage = Stage { program, named: Vec::new(), words: Vec::new() };
        let mut after_option = false;
        for token in tokens {
            let (options, words) = (stage.named.len(), stage.words.len());
            stage.read(&token, anchors, stance)?;
            if let Some(Named::Option { value, .. }) = stage.named.last_mut()
                && after_option
                && matches!(stage.words.get(words), Some(Item::Operand(_) | Item::Path(_)))
            {
                *value = Some(words);
            }
            after_option = stage.named.len() > options
                && matches!(stage.named.last(), Some(Named::Option { .. }));
        }
        Ok(stage)
    }

    fn matches(&self, command: &Command, writable: &Writable, stance: Stance) -> Truth {
        let program = self.program.matches(&command.program, writable, stance);
        if program == Truth::No {
            return program;
        }
        program.and(args::matches(&self.named, &self.words, command, stance))
    }

    /// Reads one token after the program.
    fn read(&mut self, token: &str, anchors: &Anchors, stance: Stance) -> Result<(), PatternError> {
        let path = |text: &str| operand_path(text, anchors, stance);
        if token == "..." {
            self.words.push(Item::Rest);
        } else if token == "--" {
            let told = !self.words.iter().any(|item| matches!(item, Item::Rest));
            self.named.push(Named::End { before: told.then_some(self.words.len()) });
        } else if token.starts_with('-') && token.len() > 1 {
            let (name, optional) = match token.strip_suffix('?') {
                Some(name) => (name, true),
                None => (token, false),
            };
            let (name, cluster) = (TextPattern::parse(name), cluster(name));
            self.named.push(Named::Option { name, cluster, optional, value: None });
        } else if let Some((key, value)) = token.split_once('=')
            && !key.is_empty()
            && !key.contains('/')
        {
            // `key=value` counts as an option, and its value may be a path (§11.15).
            let value = match path_token(value) {
                Some(text) => ValuePattern::Path(path(&text)?),
                None => ValuePattern::Text(TextPattern::parse(value)),
            };
            self.named.push(Named::KeyValue { key: format!("{key}="), value });
        } else {
            self.words.push(match path_token(token) {
                Some(text) => Item::Path(path(&text)?),
                None => Item::Operand(TextPattern::parse(token)),
            });
        }
        Ok(())
    }
}

impl ProgramPattern {
    fn matches(&self, program: &Program, writable: &Writable, stance: Stance) -> Truth {
        match self {
            ProgramPattern::Any => Truth::Yes,
            ProgramPattern::File(pattern) => match &program.file {
                Some(file) => pattern.matches(file),
                // A bare name is found on PATH, which could lead there.
                None if stance == Stance::Tighten => Truth::No,
                None => Truth::No,
            },
            ProgramPattern::Name(name) => {
                let named = match program.word.values() {
                    Some(values) => {
                        let mut hits = values.iter().map(|value| name.matches(base_name(value)));
                        Truth::from(match stance {
                            Stance::Loosen => hits.all(|hit| hit),
                            Stance::Tighten => hits.any(|hit| hit),
                        })
                    }
                    None => could_be(&program.word, name),
                };
                match stance {
                    Stance::Tighten => named,
                    Stance::Loosen => named.and(trusted(program, writable)),
                }
            }
        }
    }
}

pub(crate) fn base_name(text: &str) -> &str {
    let slash = text.bytes().rposition(|byte| byte == b'/');
    slash.and_then(|at| text.get(at + 1..)).unwrap_or(text)
}

fn could_be(word: &Word, name: &TextPattern) -> Truth {
    match word {
        Word::Unknown(unknown) if unknown.prefix.contains('/') => Truth::Maybe,
        Word::Unknown(unknown) if !name.could_match_with_prefix(&unknown.prefix) => Truth::No,
        Word::Unknown(_) | Word::Known(_) | Word::OneOf(_) => Truth::Maybe,
    }
}

/// Whether the program lies outside every root that the agent can write (policy language §11.10).
pub(crate) fn trusted(program: &Program, writable: &Writable) -> Truth {
    let Some(file) = &program.file else { return Truth::Yes };
    let inside = |path: &AbsPath| writable.roots.iter().any(|root| path.is_within(root));
    if writable.patterns.may_cover(file) || inside(&file.written) || file.hops.iter().any(inside) {
        return Truth::No;
    }
    match &file.real {
        Real::At(real) if inside(real) => Truth::No,
        Real::At(_) => Truth::Yes,
        Real::Unknown(_) => Truth::Maybe,
    }
}

fn read_program(
    token: &str,
    anchors: &Anchors,
    stance: Stance,
) -> Result<ProgramPattern, PatternError> {
    if token == "*" {
        return Ok(ProgramPattern::Any);
    }
    match path_token(token) {
        Some(path) => Ok(ProgramPattern::File(operand_path(&path, anchors, stance)?)),
        None if token == "..." => {
            Err(PatternError::new("`...` cannot stand in the program's place")
                .help("write the program's name first, or `**` for every command"))
        }
        None => Ok(ProgramPattern::Name(TextPattern::parse(token))),
    }
}

/// A path of a command. What lies in a workspace below the directory for temporary files is no
/// temporary file: `rm -r $tmp/**` never means the work itself.
fn operand_path(
    text: &str,
    anchors: &Anchors,
    stance: Stance,
) -> Result<PathPattern, PatternError> {
    let pattern = PathPattern::parse(text, anchors, stance)?;
    let temporary =
        text.strip_prefix("$tmp").is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    match &anchors.workspace {
        workspace if temporary && workspace.is_within(&anchors.tmp) => {
            Ok(pattern.but_not(workspace))
        }
        _ => Ok(pattern),
    }
}

/// The token as a path pattern, if it is one; `./x` is a path of the workspace.
fn path_token(token: &str) -> Option<String> {
    if let Some(rest) = token.strip_prefix("./") {
        return Some(format!("$workspace/{rest}"));
    }
    let starts = ["/", "~/", "**/"].iter().any(|start| token.starts_with(start))
        || ["$workspace", "$home", "$tmp"].iter().any(|name| {
            token.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    starts.then(|| token.to_owned())
}

/// `-rf` is `-r` and `-f`; a single letter and `--long` are themselves.
fn cluster(name: &str) -> Vec<TextPattern> {
    let letters = name.trim_start_matches('-');
    let plain = !name.starts_with("--")
        && letters.chars().count() > 1
        && letters.chars().all(|c| c.is_ascii_alphanumeric());
    if !plain {
        return Vec::new();
    }
    letters.chars().map(|letter| TextPattern::parse(&format!("-{letter}"))).collect()
}

/// Splits a pattern at its unescaped `|`.
fn split_stages(text: &str) -> Vec<String> {
    split_unescaped(text, |c| c == '|', true)
}

/// Splits a stage at blanks; `\` keeps the next character.
fn split_tokens(text: &str) -> Vec<String> {
    split_unescaped(text, char::is_whitespace, false)
}

fn split_unescaped(text: &str, at: impl Fn(char) -> bool, keep_empty: bool) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if !escaped && at(c) {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts.retain(|part| keep_empty || !part.is_empty());
    parts
}

#[cfg(test)]
mod tests;
