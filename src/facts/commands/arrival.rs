//! Names that arrive somewhere: what is copied, moved or linked is judged where it comes to lie.

use super::Walker;
use super::state::State;
use super::tree::Filter;
use crate::catalogue::options::Reading;
use crate::catalogue::program::Kind;
use crate::facts::paths;
use crate::model::access::{Role, Target};
use crate::model::doubt::Doubt;
use crate::model::path::{AbsPath, Extent, PathTarget, Route};
use crate::model::word::Word;
use crate::world::FileKind;

/// A destination, as it stood before the command made it.
pub(super) struct Arrival {
    into: PathTarget,
    /// A name may arrive in it: it is a directory, or may be one.
    inside: bool,
    /// What arrives may become it: it is no directory, or may be none.
    itself: bool,
}

/// Programs that leave what they copy where it was.
const COPIES: &[&str] = &["cp", "rsync"];
/// What belongs to the tree that it lies in, and means nothing elsewhere.
const CARRIED: &[&str] = &[
    ".git",
    ".github",
    ".husky",
    ".envrc",
    ".mcp.json",
    ".lsp.json",
    ".claude",
    ".claude-plugin",
    ".codex",
    ".agents",
    ".cursor",
    ".gemini",
    ".vscode",
    ".windsurf",
    ".clinerules",
];

impl Walker<'_> {
    /// Where the names that a command copies, moves or links come to lie.
    pub(super) fn arrivals(&self, base: &str, reading: &Reading, state: &State) -> Vec<Arrival> {
        let moves = matches!(base, "cp" | "mv" | "install" | "ln" | "link" | "rsync" | "scp")
            || base == "git" && reading.subcommand.as_deref() == Some("mv");
        if !moves {
            return Vec::new();
        }
        let Some(text) = destination(base, reading) else { return Vec::new() };
        if matches!(base, "scp" | "rsync") && super::hosts::host_before_path(&text).is_some() {
            return Vec::new();
        }
        let only = has(reading, "-T") || base == "link";
        let many = sources(base, reading).len() > 1;
        let mut all = Vec::new();
        for into in self.looked_at(&text, state) {
            let kind = self.place.world.resolve(&into.written).kind;
            let (inside, itself) = match kind {
                _ if only => (false, true),
                _ if many || has(reading, "-t") => (true, false),
                Ok(FileKind::Directory) => (true, false),
                Ok(FileKind::Absent)
                    if self.place.workspace.is_within(&into.written)
                        || self.place.tmp.is_within(&into.written) =>
                {
                    (true, false)
                }
                // `mkdir d` may have made it, and rsync makes it.
                Ok(FileKind::Absent) => {
                    let made = self.made.contains(&into.written);
                    (made || base == "rsync" || text.ends_with('/'), true)
                }
                Ok(_) => (text.ends_with('/'), true),
                Err(_) => (true, true),
            };
            all.push(Arrival { into, inside, itself });
        }
        all
    }

    /// Judges every name that arrives.
    pub(super) fn arrive(
        &mut self,
        base: &str,
        reading: &Reading,
        arrivals: &[Arrival],
        state: &State,
    ) {
        let table_walks = reading.table.is_some_and(|t| t.tree || reading.has(&t.tree_options));
        let trees = table_walks || base == "ln";
        let follows = has(reading, "-L") && trees && base != "ln";
        let makes = makes_links(base, reading);
        if makes.is_some() && arrivals.is_empty() {
            self.links.add_anywhere();
        }
        for arrival in arrivals {
            for source in sources(base, reading) {
                let remote = |text: &String| {
                    matches!(base, "scp" | "rsync")
                        && super::hosts::host_before_path(text).is_some()
                };
                let texts = source.values().filter(|texts| !texts.iter().any(remote));
                let Some(texts) = texts else {
                    if arrival.inside || trees {
                        self.fills(&arrival.into);
                    }
                    if makes.is_some() && arrival.inside {
                        self.links.add_anywhere();
                    } else if makes.is_some() {
                        self.links.add(&arrival.into.written, None);
                    }
                    continue;
                };
                for text in texts {
                    let places = places(base, reading, arrival, text);
                    let there = (makes == Some(Makes::Text)).then(|| at_link(&places, arrival));
                    let from = there.as_ref().unwrap_or(state);
                    self.arrives(base, (text, &places), &arrival.into, follows, from);
                    match makes {
                        Some(makes) => self.link(text, &places, &arrival.into, makes, state),
                        None if keeps_links(base, reading) => {
                            self.carry_links(text, &places, &arrival.into, state);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    /// The targets of links that are made by their text. Nothing if `word` is no such.
    pub(super) fn linked(
        &mut self,
        base: &str,
        word: &Word,
        reading: &Reading,
        arrivals: &[Arrival],
    ) -> Option<()> {
        let texts = word.values()?;
        let by_text = makes_links(base, reading) == Some(Makes::Text) && !arrivals.is_empty();
        for text in texts.iter().filter(|_| by_text) {
            for arrival in arrivals {
                let there = at_link(&places(base, reading, arrival, text), arrival);
                self.word(Kind::Read, &Word::known(text), &there, None);
            }
        }
        by_text.then_some(())
    }

    /// What is changed in place is kept aside under a name that may lie anywhere: `sed -i'/x/*'`.
    pub(super) fn backups(&mut self, word: &Word, reading: &Reading, state: &State) {
        let Some(table) = reading.table else { return };
        let suffix = reading.items.iter().rev().find_map(|item| match &item.arg.role {
            Role::Option { value: Some(value), .. } if item.is_any(&table.in_place) => {
                value.as_known()
            }
            _ => None,
        });
        let Some(suffix) = suffix.filter(|suffix| suffix.contains(['*', '/'])) else { return };
        for text in word.values().unwrap_or_default() {
            // GNU sed 4.9 puts the name there as it is given, others its last part.
            let last = text.rsplit('/').next().unwrap_or_default();
            let names = match suffix.contains('*') {
                true => vec![suffix.replace('*', text), suffix.replace('*', last)],
                false => vec![format!("{text}{suffix}")],
            };
            for (at, name) in names.iter().enumerate() {
                if !names.iter().take(at).any(|before| before == name) {
                    self.word(Kind::Write, &Word::known(name), state, None);
                }
            }
        }
    }

    /// Names that nothing tells arrive below `into`.
    pub(super) fn fills(&mut self, into: &PathTarget) {
        let mut target = into.clone();
        target.extent = Extent::BelowUnknown(Doubt::TreeUnknown);
        self.certain(Target::Write(target));
    }

    fn arrives(
        &mut self,
        base: &str,
        (source, places): (&str, &[Option<String>]),
        into: &PathTarget,
        follows: bool,
        state: &State,
    ) {
        for from in self.looked_at(source, state) {
            let extent = match self.extent(&from, &Filter::default()) {
                Extent::Below(_) if follows => Extent::BelowUnknown(Doubt::TreeUnknown),
                Extent::Itself if self.was_filled(&from.written) => {
                    Extent::BelowUnknown(Doubt::TreeUnknown)
                }
                extent => extent,
            };
            for place in places {
                let to = match place {
                    None => Some(into.written.clone()),
                    Some(name) => paths::target(name, Some(&into.written), self.place)
                        .ok()
                        .map(|target| target.written),
                };
                let Some(to) = to else {
                    self.fills(into);
                    continue;
                };
                let mut target = paths::look_at(to, self.place);
                target.extent = match &extent {
                    Extent::Below(below) => {
                        Extent::Below(moved(below, &from.written, &target.written))
                    }
                    other => other.clone(),
                };
                if COPIES.contains(&base) {
                    self.leave_carried(&mut target);
                }
                self.made.insert(target.written.clone());
                if let Extent::Below(below) = &target.extent {
                    self.made.extend(below.iter().cloned());
                }
                if let Some(feeders) = self.written.get(&from.written).cloned() {
                    self.written.insert(target.written.clone(), feeders);
                }
                if target.written != into.written || target.extent != Extent::Itself {
                    self.certain(Target::Write(target));
                }
            }
        }
    }

    /// A tree that is copied aside carries its own `.git` and settings along. In `$tmp`, out of the
    /// workspace and of home, nothing looks for them: the copy of a repository is the copy of its
    /// files.
    fn leave_carried(&self, target: &mut PathTarget) {
        let root = target.written.clone();
        let within = |place: &AbsPath| root.is_within(place);
        let is_aside = within(self.place.tmp)
            && !within(self.place.workspace)
            && !self.place.world.home().is_some_and(|home| within(&home));
        let Extent::Below(below) = &mut target.extent else { return };
        if is_aside {
            below.retain(|path| {
                let rest = path.as_str().get(root.as_str().len()..).unwrap_or_default();
                !rest.split('/').any(|name| CARRIED.contains(&name))
            });
        }
    }

    /// Remembers a link for all that follows it in the text.
    fn link(
        &self,
        text: &str,
        places: &[Option<String>],
        into: &PathTarget,
        makes: Makes,
        state: &State,
    ) {
        for name in arrived(places, into) {
            if makes == Makes::Text {
                let parent = name.parent().unwrap_or_else(AbsPath::root);
                self.links.add(&name, Route::parse(Some(&parent), text).ok());
                continue;
            }
            for directory in super::program::each_directory(state) {
                let known = directory.is_some() || text.starts_with('/');
                let route = Route::parse(directory.as_ref(), text).ok().filter(|_| known);
                self.links.add(&name, route);
            }
        }
    }

    /// A link that is moved, or copied as one, is one where it comes to lie.
    fn carry_links(&self, text: &str, places: &[Option<String>], into: &PathTarget, state: &State) {
        for from in self.looked_at(text, state) {
            for to in arrived(places, into) {
                self.links.carry(&from.written, &to);
            }
        }
    }

    /// Whether this text put names below `path` that nothing tells.
    fn was_filled(&self, path: &AbsPath) -> bool {
        self.accesses.iter().any(|access| match &access.target {
            Target::Write(target) => {
                matches!(target.extent, Extent::BelowUnknown(_)) && path.is_within(&target.written)
            }
            _ => false,
        })
    }

    fn looked_at(&self, text: &str, state: &State) -> Vec<PathTarget> {
        let mut all = Vec::new();
        for directory in super::program::each_directory(state) {
            if let Ok(target) = paths::target(text, directory.as_ref(), self.place)
                && !all.contains(&target)
            {
                all.push(target);
            }
        }
        all
    }
}

/// Where the source `text` comes to lie, relative to the destination; nothing for right there.
fn places(base: &str, reading: &Reading, arrival: &Arrival, text: &str) -> Vec<Option<String>> {
    let relative = base == "cp" && has(reading, "--parents")
        || base == "rsync" && (has(reading, "-R") || has(reading, "--relative"));
    if relative {
        let below = text.rsplit_once("/./").map_or(text, |(_, below)| below);
        let below = below.trim_start_matches('/').to_owned();
        // `--parents` keeps it all, rsync what follows `/./`.
        return vec![Some(text.trim_start_matches('/').to_owned()), Some(below)];
    }
    let trimmed = text.trim_end_matches('/');
    let last = trimmed.rsplit('/').next().unwrap_or_default();
    let contents = matches!(last, "" | "." | "..") || base == "rsync" && text.ends_with('/');
    let mut all = Vec::new();
    if arrival.itself || contents {
        all.push(None);
    }
    if arrival.inside && !contents {
        all.push(Some(last.to_owned()));
    }
    all
}

/// Where a link lies: what its text says is meant from there.
fn at_link(places: &[Option<String>], arrival: &Arrival) -> State {
    let link = arrived(places, &arrival.into).pop();
    State::at(link.and_then(|link| link.parent()).as_ref())
}

/// How the links that a command makes name their target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// By the text as it stands, from where the link lies.
    Text,
    /// From where the command stands; a second name of a file is no other.
    File,
}

fn makes_links(base: &str, reading: &Reading) -> Option<Makes> {
    match base {
        "ln" if has(reading, "-s") && !has(reading, "-r") => Some(Makes::Text),
        "ln" | "link" => Some(Makes::File),
        "cp" if has(reading, "-s") || has(reading, "-l") => Some(Makes::File),
        _ => None,
    }
}

fn keeps_links(base: &str, reading: &Reading) -> bool {
    match base {
        "cp" => ["-r", "-a", "-d", "-P"].iter().any(|option| has(reading, option)),
        "mv" | "git" | "rsync" => true,
        _ => false,
    }
}

fn arrived(places: &[Option<String>], into: &PathTarget) -> Vec<AbsPath> {
    let place = |place: &Option<String>| match place {
        None => Some(into.written.clone()),
        Some(name) => into.written.join(name).ok(),
    };
    places.iter().filter_map(place).collect()
}

fn has(reading: &Reading, name: &str) -> bool {
    reading.has(&[name.to_owned()])
}

fn of_kind(reading: &Reading, kinds: &[Kind]) -> Vec<Word> {
    let fitting = reading
        .items
        .iter()
        .filter(|item| item.arg.role == Role::Operand && kinds.contains(&item.kind));
    fitting.map(|item| item.arg.word.clone()).collect()
}

/// `ln TARGET` alone makes a link of that name here.
fn is_here(base: &str, reading: &Reading) -> bool {
    let operands = reading.items.iter().filter(|item| item.arg.role == Role::Operand);
    base == "ln" && operands.count() == 1
}

fn sources(base: &str, reading: &Reading) -> Vec<Word> {
    let here = is_here(base, reading) && !has(reading, "-t");
    let kinds: &[Kind] =
        if here { &[Kind::Write] } else { &[Kind::Read, Kind::Move, Kind::RemoteRead] };
    of_kind(reading, kinds)
}

fn destination(base: &str, reading: &Reading) -> Option<String> {
    let given = reading.items.iter().find_map(|item| match &item.arg.role {
        Role::Option { spellings, value, .. } if spellings.iter().any(|s| s == "-t") => {
            value.clone()
        }
        _ => None,
    });
    if given.is_none() && is_here(base, reading) {
        return Some("./".to_owned());
    }
    let destination =
        given.or_else(|| of_kind(reading, &[Kind::Write, Kind::RemoteWrite]).pop())?;
    destination.as_known().map(str::to_owned)
}

fn moved(below: &[AbsPath], from: &AbsPath, to: &AbsPath) -> Vec<AbsPath> {
    let rest = |path: &AbsPath| path.as_str().strip_prefix(from.as_str()).map(str::to_owned);
    below.iter().filter_map(|path| to.join(rest(path)?.trim_start_matches('/')).ok()).collect()
}
