//! `cd` and `pushd`: where the shell may stand after them.

use super::Walker;
use super::state::State;
use crate::facts::paths;
use crate::model::path::AbsPath;
use crate::model::word::Word as Value;
use crate::world::FileKind;

impl Walker<'_> {
    pub(super) fn change_directory(&mut self, name: &str, arguments: &[Value], state: &mut State) {
        let operands: Vec<&Value> = arguments
            .iter()
            .filter(|word| !matches!(word.as_known(), Some("-P" | "-L" | "--" | "-e")))
            .collect();
        let before = state.directories.clone();
        let target = match (name, operands.as_slice()) {
            ("cd", []) => self.home.clone().map(Value::known),
            ("cd" | "pushd", [one]) => Some((*one).clone()),
            _ => None,
        };
        let cdpath = state.vars.get("CDPATH").is_some();
        let texts = match &target {
            Some(word) if !cdpath => word.values().unwrap_or_default().to_vec(),
            Some(_) | None => Vec::new(),
        };
        if texts.is_empty() || texts.iter().any(|text| text.starts_with('-')) {
            state.directories = None;
            return;
        }
        let mut reached = Some(Vec::new());
        let mut certain = true;
        for text in &texts {
            match self.directories_at(text, state) {
                Some((paths, all_there)) => {
                    certain &= all_there;
                    if let Some(reached) = &mut reached {
                        reached.extend(paths);
                    }
                }
                None => reached = None,
            }
        }
        state.directories = None;
        if let Some(reached) = reached {
            state.directories = Some(Vec::new());
            state.also_in(Some(reached));
        }
        // It may fail, and what follows may run all the same.
        if !state.stops || !certain {
            state.also_in(before);
        }
    }

    /// Where `text` leads from every directory it may be in, and whether all of them are there.
    fn directories_at(&self, text: &str, state: &State) -> Option<(Vec<AbsPath>, bool)> {
        let mut paths = Vec::new();
        let mut all_there = true;
        if text.starts_with('/') {
            let target = paths::target(text, None, self.place).ok()?;
            all_there &= self.is_directory(&target.written);
            paths.push(target.written);
            return Some((paths, all_there));
        }
        for directory in state.directories.as_deref()? {
            let target = paths::target(text, Some(directory), self.place).ok()?;
            all_there &= self.is_directory(&target.written);
            paths.push(target.written);
        }
        Some((paths, all_there))
    }

    pub(super) fn is_directory(&self, path: &AbsPath) -> bool {
        matches!(self.place.world.resolve(path).kind, Ok(FileKind::Directory))
    }
}
