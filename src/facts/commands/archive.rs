//! `tar`: what it packs and where it unpacks.
//!
//! Its first word may be options without a dash, whose values follow in order; the archive may lie
//! on another host; and it runs commands at checkpoints and for each file.

use super::Walker;
use super::state::{Input, State};
use super::tree::Filter;
use crate::catalogue::options::{Item, Reading};
use crate::catalogue::program::Kind;
use crate::model::access::{Role, Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::Extent;
use crate::model::word::Word;

/// Letters that take a value, in the old spelling: the values follow the letters in their order.
const OLD_WITH_VALUE: &str = "bfgCFHIKLNTVX";

impl Walker<'_> {
    /// Unpacking fills a directory with names that only the archive knows; packing reads trees.
    /// The archive is named from where the command stands, all else from `-C`.
    pub(super) fn tar(&mut self, reading: &Reading, state: &State) {
        let any = |names: &[&str]| names.iter().any(|name| reading.has(&[(*name).to_owned()]));
        let packs = any(&["-c", "-r", "-u", "-A", "--delete"]);
        let archives = |item: &&Item| item.is_any(&["-f".to_owned()]);
        for value in reading.items.iter().filter(archives).filter_map(value_of) {
            // A remote one is told by its colon, unless that is taken for a name.
            let kind = match (packs, any(&["--force-local"])) {
                (true, false) => Kind::RemoteWrite,
                (false, false) => Kind::RemoteRead,
                (true, true) => Kind::Write,
                (false, true) => Kind::Read,
            };
            if value.as_known() != Some("-") {
                self.word(kind, value, state, None);
            }
        }
        let actions = |item: &&Item| item.is_any(&["--checkpoint-action".to_owned()]);
        for value in reading.items.iter().filter(actions).filter_map(value_of) {
            match value.as_known() {
                Some(text) => {
                    if let Some(command) = text.strip_prefix("exec=") {
                        self.text(command, &mut state.clone(), &Input::default(), true);
                    }
                }
                None => self.unknown(Verb::Exec, Doubt::CommandOutput),
            }
        }
        let mut inside = state.clone();
        self.options_directory(reading, &mut inside);
        if any(&["-x"]) && !any(&["-O", "--to-command"]) {
            for mut target in self.targets(".", &inside, &[Verb::Write]) {
                target.extent = Extent::BelowUnknown(Doubt::TreeUnknown);
                self.certain(Target::Write(target));
            }
        }
        if packs || any(&["-d"]) {
            let kind = if any(&["--remove-files"]) { Kind::Move } else { Kind::Read };
            let kind = if any(&["--delete"]) { Kind::Text } else { kind };
            let filter = match reading.table {
                Some(table) => super::operands::filter_of("tar", table, reading),
                None => Filter::default(),
            };
            for item in reading.items.iter().filter(|item| item.arg.role == Role::Operand) {
                // bsdtar takes `@archive` for what is in it.
                let word = match item.arg.word.as_known().and_then(|text| text.strip_prefix('@')) {
                    Some(archive) => &Word::known(archive),
                    None => &item.arg.word,
                };
                self.word(kind, word, &inside, Some(&filter));
            }
        }
    }
}

fn value_of(item: &Item) -> Option<&Word> {
    match &item.arg.role {
        Role::Option { value, .. } => value.as_ref(),
        Role::Operand | Role::EndOfOptions => None,
    }
}

/// `tar xfC a d` is `tar -x -f a -C d`.
pub(super) fn dashed(words: &[Word]) -> Vec<Word> {
    let Some((Word::Known(first), rest)) = words.split_first() else { return words.to_vec() };
    if first.is_empty() || first.starts_with('-') {
        return words.to_vec();
    }
    let mut rest = rest.iter();
    let mut all = Vec::new();
    for letter in first.chars() {
        all.push(Word::known(format!("-{letter}")));
        if OLD_WITH_VALUE.contains(letter) {
            all.extend(rest.next().cloned());
        }
    }
    all.extend(rest.cloned());
    all
}

/// `ar rcs a` is `ar -rcs a`.
pub(super) fn lettered(words: &[Word]) -> Vec<Word> {
    let mut words = words.to_vec();
    if let Some(Word::Known(first)) = words.first_mut()
        && !first.starts_with('-')
    {
        first.insert(0, '-');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::dashed;
    use crate::model::word::Word;

    #[test]
    fn the_old_spelling_is_the_new_one() {
        for (old, new) in [
            ("xf a.tar", "-x -f a.tar"),
            ("cfz a.tgz src", "-c -f a.tgz -z src"),
            ("xfC a d x", "-x -f a -C d x"),
            ("-xf a", "-xf a"),
            ("xf", "-x -f"),
        ] {
            let words: Vec<Word> = old.split(' ').map(Word::known).collect();
            let shown: Vec<String> = dashed(&words).iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(" "), new);
        }
    }
}
