//! What a command comes to besides what its words name: its row's effects, and those of the
//! options that were given.

use super::Walker;
use super::state::{Input, State};
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::{Effects, Kind};
use crate::model::access::{Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::Extent;
use crate::model::url::Destination;
use crate::model::word::Word;

impl Walker<'_> {
    /// Everything that the row says of the command as it was given.
    /// `start` is where the accesses of its words begin.
    pub(super) fn besides(&mut self, reading: &Reading, state: &State, start: usize) {
        self.ports(reading, start);
        for effects in reading.effects() {
            self.come_to(effects, reading, state);
        }
    }

    /// The port of `nc HOST PORT`, `ssh -p PORT HOST`, or the program's own.
    fn ports(&mut self, reading: &Reading, start: usize) {
        let value = |item: &Item| match &item.arg.role {
            Role::Operand => Some(item.arg.word.clone()),
            Role::Option { value, .. } => value.clone(),
            Role::EndOfOptions => None,
        };
        let told = reading.items.iter().filter(|item| item.kind == Kind::Port).find_map(value);
        let own = reading.table.and_then(|table| table.port);
        let port = match &told {
            Some(word) => word.as_known().and_then(|text| text.parse().ok()),
            None => own,
        };
        for access in self.accesses.iter_mut().skip(start) {
            let Target::Connect(Destination::Network(network)) = &mut access.target else {
                continue;
            };
            match network.scheme.as_deref() {
                None if network.port.is_none() => network.port = port,
                Some("ssh") if told.is_some() => network.port = port,
                _ => {}
            }
        }
    }

    fn come_to(&mut self, effects: &Effects, reading: &Reading, state: &State) {
        effects.connects.iter().for_each(|url| self.address(url, state));
        for (texts, verb) in [(&effects.reads, Verb::Read), (&effects.writes, Verb::Write)] {
            for text in texts {
                self.paths(&self.place_of(text), state, &[verb], None);
            }
        }
        effects.fills.iter().for_each(|text| self.filled(&self.place_of(text), state));
        for verb in &effects.unknown {
            self.unknown(*verb, Doubt::Settings);
        }
        if !effects.adds.is_empty() || !effects.drops.is_empty() {
            self.renamed(effects, reading, state);
        }
        for text in &effects.runs {
            self.runs(text, state);
        }
    }

    /// A command that the program runs by itself.
    fn runs(&mut self, text: &str, state: &State) {
        if self.level >= crate::limits::WRAPPER_DEPTH_MAX {
            return self.everything(&Doubt::Limit("wrapper depth"));
        }
        let words: Vec<Word> = text.split_whitespace().map(Word::known).collect();
        let mut inner = state.clone();
        inner.bare = true;
        self.level += 1;
        self.hidden(|walker| walker.argv(&words, &mut inner, &Input::default(), &[]));
        self.level -= 1;
    }

    /// A path as a row writes it.
    fn place_of(&self, text: &str) -> String {
        match text.strip_prefix("$TMPDIR/") {
            Some(rest) => format!("{}/{rest}", self.place.tmp.as_str()),
            None => self.at_home(text),
        }
    }

    /// A directory that gets names which only the input tells.
    pub(super) fn filled(&mut self, text: &str, state: &State) {
        for mut target in self.targets(text, state, &[Verb::Write]) {
            target.extent = Extent::BelowUnknown(Doubt::TreeUnknown);
            self.certain(Target::Write(target));
        }
    }

    /// Names that begin so and end in letters or digits, as `split` makes them. Where the beginning
    /// tells nothing of the name, any name in the directory may be one.
    pub(super) fn begun(&mut self, text: &str, state: &State) {
        let (directory, start) = match text.rsplit_once('/') {
            Some((directory, start)) => (format!("{directory}/"), start),
            None => ("./".to_owned(), text),
        };
        if start.is_empty() || start.starts_with('.') {
            self.filled(&directory, state);
        } else {
            self.paths(&format!("{text}aa"), state, &[Verb::Write], None);
        }
    }

    /// `gzip a` makes `a.gz`, and `gunzip a.gz` makes `a`.
    fn renamed(&mut self, effects: &Effects, reading: &Reading, state: &State) {
        let operands = reading.items.iter().filter(|item| {
            item.arg.role == Role::Operand && matches!(item.kind, Kind::Update | Kind::Read)
        });
        for text in operands.filter_map(|item| item.arg.word.values()).flatten() {
            for ending in &effects.adds {
                self.paths(&format!("{text}{ending}"), state, &[Verb::Write], None);
            }
            let mut endings = effects.drops.iter().filter_map(|ending| text.strip_suffix(ending));
            if let Some(bare) = endings.next() {
                self.paths(bare, state, &[Verb::Write], None);
            }
        }
    }
}

/// The command that does what this tool of `cmake -E` does; what has a command's name is as that.
pub(super) fn cmake_tool(tool: &str) -> Vec<&str> {
    match tool {
        "copy" | "copy_if_different" => vec!["cp"],
        "copy_directory" | "copy_directory_if_different" => vec!["cp", "-r"],
        "create_hardlink" => vec!["ln"],
        "create_symlink" => vec!["ln", "-s"],
        "make_directory" => vec!["mkdir", "-p"],
        "remove" => vec!["rm"],
        "remove_directory" => vec!["rm", "-r"],
        "rename" => vec!["mv"],
        "touch_nocreate" => vec!["touch", "-c"],
        _ => vec![tool],
    }
}
