//! Program texts of other languages (`python -c`, `node -e`, a heredoc to `perl`): what their
//! literal paths, hosts and process calls come to.
//!
//! `lexer` and `quotes` cut a text into tokens by the rules of its language, `reader` follows names
//! and texts through it, `tables` says what known functions do, `fold` what they give; `awk` and
//! `sed` have readers of their own. All of that is pure and linear in the text. What comes of it:
//!
//! - a known call with a known argument is an access that may happen (policy language §11.13); a
//!   command is read like any other, all levels down, and each of its accesses may happen;
//! - a string that is used in a way nobody knows is suspected: it counts where an ask or deny fits;
//! - a program is *understood* where it runs nothing that is not spelt: it then adds nothing else.
//!   A process, an `eval` or a module that only its run can tell, a path that was decoded, and a
//!   text that could not be read add an access of which only the verb is known;
//! - what a module of the workspace does is like a script that is run: its exec alone is judged.

mod awk;
mod binding;
mod calls;
mod effect;
mod expression;
mod fold;
mod import;
mod lexer;
mod postfix;
mod quotes;
mod reader;
mod roles;
mod sed;
mod strings;
mod syntax;
mod tables;
#[cfg(test)]
mod tests;
mod value;

use super::Walker;
use super::state::{Fed, Input, State};
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::{Access, Certainty, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::host::Authority;
use crate::model::url::{Destination, Network};
use crate::model::word::Word;
use effect::{Effect, Found, Use};
use syntax::Family;
use value::HOLE;

/// A longer string is no path.
const PATH_BYTES_MAX: usize = crate::limits::PATH_BYTES_MAX;

/// Everything that a text for the program `base` is seen to do.
fn read(base: &str, code: &str) -> Found {
    let syntax = syntax::of(base);
    match syntax.family {
        Family::Awk => awk::read(code),
        _ => reader::read(code, syntax),
    }
}

impl Walker<'_> {
    pub(super) fn code(&mut self, base: &str, code: &str, state: &State) {
        let doubt = Doubt::InlineCode(base.to_owned());
        if matches!(base, "sed" | "gsed") {
            return self.sed(code, state, &doubt);
        }
        if super::ex::speaks(base) {
            return self.ex(base, code, state);
        }
        if self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        let found = read(base, code);
        // awk does what stands at its few ways out, as sed does: what is spelt there is all of it.
        let sure = syntax::of(base).family == Family::Awk;
        let mut inner = state.clone();
        inner.bare = false;
        self.level += 1;
        for effect in found.effects {
            let start = self.accesses.len();
            self.hidden(|walker| {
                walker.apart(|walker| walker.does(effect, &mut inner, &doubt, sure));
            });
            self.may_be(start, &doubt, sure);
        }
        if found.lost {
            self.push(Access::possible(
                Target::Unknown { verb: Verb::Exec, reason: doubt.clone() },
                doubt.clone(),
            ));
            for word in code.split(|c: char| c.is_whitespace() || "'\"`(),;[]{}".contains(c)) {
                self.suspected(word, state, &doubt);
            }
        }
        self.level -= 1;
    }

    /// What was found from `start` on may happen, as far as the text tells.
    fn may_be(&mut self, start: usize, doubt: &Doubt, sure: bool) {
        for access in self.accesses.iter_mut().skip(start) {
            if access.certainty == Certainty::Certain && !sure {
                access.certainty = Certainty::Possible(doubt.clone());
            }
        }
    }

    fn does(&mut self, effect: Effect, state: &mut State, doubt: &Doubt, sure: bool) {
        match effect {
            Effect::Path { does, text, glob } => {
                let kind = match does {
                    Use::Read => Kind::Read,
                    Use::Write | Use::Delete => Kind::Write,
                    Use::Update => Kind::Update,
                };
                let text = if sure { text } else { self.at_home(&text) };
                if text.len() > PATH_BYTES_MAX {
                    return;
                }
                let words = match glob {
                    true => self.expand_globs(vec![Word::unknown(Doubt::Glob(text))], state),
                    false => vec![Word::known(text)],
                };
                words.iter().for_each(|word| self.word(kind, word, state, None));
            }
            Effect::Like(words) => self.like(&words, state),
            Effect::Shell(text) => self.shell_of_code(&text, state, sure, doubt),
            Effect::Argv(words) => {
                let known = |word: Option<String>| match word {
                    Some(text) => Word::known(text),
                    None => Word::unknown(doubt.clone()),
                };
                let words: Vec<Word> = words.into_iter().map(known).collect();
                let mut inner = state.clone();
                inner.bare = true;
                let input = self.fed_by_code(false, doubt);
                self.argv(&words, &mut inner, &input, &[]);
            }
            Effect::Enters(text) => {
                let to = text.map(|text| self.at_home(&text));
                let to =
                    to.and_then(|text| paths::target(&text, state.directory(), self.place).ok());
                match to {
                    Some(target) => state.also_in(Some(vec![target.written])),
                    None => state.directories = None,
                }
            }
            Effect::Url(text) => self.url_of_code(&text, state, doubt),
            Effect::Host(text) => match Authority::parse(&text) {
                Ok(authority) => self.connect(Network::from_authority(authority)),
                Err(error) => self.unknown(Verb::Connect, Doubt::Other(error.to_string())),
            },
            Effect::Suspect(text) => self.suspected(&text, state, doubt),
            Effect::Unknown(verb) => self.unknown(verb, doubt.clone()),
        }
    }

    pub(super) fn at_home(&self, text: &str) -> String {
        let home = self.home.as_deref();
        match (text.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                format!("{home}{rest}")
            }
            _ => text.to_owned(),
        }
    }

    /// What a command would do to paths; the command itself does not run.
    fn like(&mut self, words: &[String], state: &State) {
        let words: Vec<Word> = words.iter().map(|word| Word::known(self.at_home(word))).collect();
        let start = self.accesses.len();
        let mut inner = state.clone();
        inner.bare = true;
        self.argv(&words, &mut inner, &Input::default(), &[]);
        // A tree that is removed is one whoever removes it: rules on `rm -r` speak of it.
        let removes = words.first().and_then(Word::as_known) == Some("rm");
        let mut nth = 0;
        self.accesses.retain_mut(|access| {
            nth += 1;
            let is_exec = nth > start && matches!(access.target, Target::Exec(_));
            if is_exec && removes {
                access.certainty = Certainty::Possible(Doubt::InlineCode("rm".to_owned()));
            }
            !is_exec || removes
        });
        for access in self.accesses.iter_mut().skip(start) {
            access.within = self.within;
        }
    }

    /// A text for `sh`, whose holes are values that it cannot know.
    fn shell_of_code(&mut self, text: &str, state: &State, piped: bool, doubt: &Doubt) {
        if text.trim().is_empty() {
            return;
        }
        if text.contains(HOLE) {
            // What stands there may be more than a word.
            self.unknown(Verb::Exec, Doubt::Variable("code".to_owned()));
        }
        let text = text.replace(HOLE, "${code}");
        let words = [Word::known("sh"), Word::known("-c"), Word::known(text)];
        let mut inner = state.clone();
        inner.bare = true;
        let input = self.fed_by_code(piped, doubt);
        self.argv(&words, &mut inner, &input, &[]);
    }

    /// What a program runs has its input, or gets what the program prints into it.
    fn fed_by_code(&self, piped: bool, doubt: &Doubt) -> Input {
        let own = self.within.and_then(|own| Some((own, self.accesses.get(own)?)));
        let Some((own, Access { target: Target::Exec(command), .. })) = own else {
            return Input::default();
        };
        let mut feeders = command.fed_by.clone();
        if !piped {
            return Input { feeders, text: Fed::Nothing };
        }
        feeders.push(own);
        Input { feeders, text: Fed::Unknown(doubt.clone()) }
    }

    fn url_of_code(&mut self, text: &str, state: &State, doubt: &Doubt) {
        let Some((head, _)) = text.split_once(HOLE) else {
            if text.contains("://") {
                self.url(text, None, state);
            }
            return;
        };
        let network = head.split_once("://").filter(|(_, rest)| rest.contains('/'));
        match network.and_then(|_| Network::parse_url(head).ok()) {
            Some(network) => self.connect(Network { path: None, ..network }),
            None => self.unknown(Verb::Connect, doubt.clone()),
        }
    }

    /// A string of which nobody sees what is done with it.
    fn suspected(&mut self, text: &str, state: &State, doubt: &Doubt) {
        let strange = |c: char| matches!(c, '\n' | '*' | '(' | '|' | '<' | HOLE);
        if text.len() > PATH_BYTES_MAX || text.contains(strange) {
            return;
        }
        if text.contains("://") {
            if let Ok(network) = Network::parse_url(text) {
                let target = Target::Connect(Destination::Network(network));
                self.push(Access::suspected(target, doubt.clone()));
            }
            return;
        }
        let verbs = [Verb::Read, Verb::Write];
        self.suspect(&self.at_home(text), state, doubt, &verbs);
        // A part of a path, of which the rest is likely where the agent lives.
        if let Some(home) = self.home.clone()
            && (text.starts_with('.') || text.starts_with("/."))
        {
            let text = format!("{home}/{}", text.trim_start_matches('/'));
            self.suspect(&text, state, doubt, &verbs);
        }
    }

    /// What a sed program does besides printing.
    fn sed(&mut self, code: &str, state: &State, doubt: &Doubt) {
        for effect in sed::effects(code) {
            match effect {
                sed::Effect::Reads(file) => self.sed_file(&file, state, Verb::Read, doubt),
                sed::Effect::Writes(file) => self.sed_file(&file, state, Verb::Write, doubt),
                sed::Effect::Runs => self.unknown(Verb::Exec, doubt.clone()),
            }
        }
    }

    fn sed_file(&mut self, text: &str, state: &State, verb: Verb, doubt: &Doubt) {
        let text = text.trim();
        if text.is_empty() || super::operands::is_no_access(text) {
            return;
        }
        match paths::target(text, state.directory(), self.place) {
            Ok(target) if verb == Verb::Read => self.certain(Target::Read(target)),
            Ok(target) => self.certain(Target::Write(target)),
            Err(_) => self.unknown(verb, doubt.clone()),
        }
    }
}
