//! Where a repository really keeps its hooks and its configuration.
//!
//! Rules name `.git/hooks/` and `.git/config`. But `.git` may be a file that leads elsewhere, a
//! work tree shares another's directory, `core.hooksPath` moves the hooks, and `include.path` the
//! configuration. So a path that is written in such a place is looked at as what git takes it for
//! as well: `.husky/pre-commit` is `.git/hooks/pre-commit` where git says so. Only git's own files
//! are read, each up to a bound; one that cannot be read says nothing.

use super::Place;
use crate::limits::GIT_FILE_BYTES_MAX;
use crate::model::access::{Access, Target};
use crate::model::path::{AbsPath, Real};
use crate::world::FileKind;
use std::io::Read;

/// Includes are followed up to this depth, as few as anyone writes.
const INCLUDES_MAX: usize = 4;

/// Adds to each write what git would take its path for, in the repositories of the workspace and
/// of the working directory.
pub(super) fn settle(accesses: &mut [Access], cwd: Option<&AbsPath>, place: &Place<'_>) {
    let is_write = |access: &Access| matches!(access.target, Target::Write(_));
    if !accesses.iter().any(is_write) {
        return;
    }
    let roots = [Some(place.workspace), cwd.filter(|cwd| *cwd != place.workspace)];
    let mut kept = Kept { place, places: Vec::new() };
    for root in roots.into_iter().flatten() {
        let mut next = Some(root.clone());
        while let Some(root) = next {
            next = root.parent();
            if kept.repository(&root) {
                break;
            }
        }
    }
    for access in accesses {
        let Target::Write(path) = &mut access.target else { continue };
        let real = match &path.real {
            Real::At(real) => Some(real),
            Real::Unknown(_) => None,
        };
        let ways = std::iter::once(&path.written).chain(real).chain(&path.hops);
        let meant: Vec<AbsPath> = ways.flat_map(|way| kept.taken_for(way)).collect();
        for way in meant {
            if way != path.written && !path.hops.contains(&way) {
                path.hops.push(way);
            }
        }
    }
}

struct Kept<'a> {
    place: &'a Place<'a>,
    /// What lies in the first is what git looks for in the second.
    places: Vec<(AbsPath, AbsPath)>,
}

impl Kept<'_> {
    /// Whether a repository's work tree begins here; then all its places are kept.
    fn repository(&mut self, root: &AbsPath) -> bool {
        let Ok(git) = root.join(".git") else { return false };
        let found = self.place.world.resolve(&git);
        let own = match (found.kind, found.real) {
            (Ok(FileKind::Directory), Real::At(real)) => real,
            (Ok(FileKind::File), Real::At(file)) => {
                let text = self.read(&file).unwrap_or_default();
                let Some(named) = text.trim().strip_prefix("gitdir:") else { return true };
                let Some(real) = self.real(root, named.trim()) else { return true };
                real
            }
            _ => return false,
        };
        self.keep(own.clone(), &git);
        // A work tree's own directory names the one that it shares.
        let common = own.join("commondir").ok().and_then(|file| self.read(&file));
        let shared = common.and_then(|text| self.real(&own, text.trim()));
        if let Some(shared) = &shared {
            self.keep(shared.clone(), &git);
        }
        for directory in [Some(own), shared].into_iter().flatten() {
            for name in ["config", "config.worktree"] {
                if let Ok(file) = directory.join(name) {
                    self.configuration(&file, root, &git, INCLUDES_MAX);
                }
            }
        }
        if let Some(home) = self.place.world.home() {
            for name in [".gitconfig", ".config/git/config"] {
                if let Ok(file) = home.join(name) {
                    self.configuration(&file, root, &git, INCLUDES_MAX);
                }
            }
        }
        true
    }

    /// What a file of git's configuration moves elsewhere.
    fn configuration(&mut self, file: &AbsPath, root: &AbsPath, git: &AbsPath, left: usize) {
        let Some(text) = self.read(file) else { return };
        for (section, key, value) in settings(&text) {
            match (section.as_str(), key.as_str()) {
                ("core", "hookspath") => {
                    let hooks = self.expanded(root, value).zip(git.join("hooks").ok());
                    if let Some((from, to)) = hooks {
                        self.keep(from, &to);
                    }
                }
                ("include" | "includeif", "path") => {
                    let Some(from) = file.parent().and_then(|above| self.expanded(&above, value))
                    else {
                        continue;
                    };
                    if let Ok(to) = git.join("config") {
                        self.keep(from.clone(), &to);
                    }
                    if let Some(left) = left.checked_sub(1) {
                        self.configuration(&from, root, git, left);
                    }
                }
                _ => {}
            }
        }
    }

    fn keep(&mut self, from: AbsPath, to: &AbsPath) {
        // A place that holds the whole work tree, or none at all as `/dev/null`, is no place.
        let holds_all = to.is_within(&from);
        let is_device = from.components().next() == Some("dev");
        if from != *to && !holds_all && !is_device {
            self.places.push((from, to.clone()));
        }
    }

    /// What git takes a path for, each way of it.
    fn taken_for<'a>(&'a self, path: &'a AbsPath) -> impl Iterator<Item = AbsPath> + 'a {
        self.places.iter().filter_map(move |(from, to)| {
            let rest = path.is_within(from).then(|| path.as_str().get(from.as_str().len()..))??;
            AbsPath::parse(&format!("{to}{rest}")).ok().filter(|meant| meant != path)
        })
    }

    /// A path of git's as git takes it, where it really is.
    fn expanded(&self, base: &AbsPath, text: &str) -> Option<AbsPath> {
        match text.strip_prefix("~/") {
            Some(rest) => self.real(&self.place.world.home()?, rest),
            None => self.real(base, text),
        }
    }

    fn real(&self, base: &AbsPath, text: &str) -> Option<AbsPath> {
        let path = base.join(text).ok()?;
        match self.place.world.resolve(&path).real {
            Real::At(real) => Some(real),
            Real::Unknown(_) => Some(path),
        }
    }

    fn read(&self, file: &AbsPath) -> Option<String> {
        let mut text = String::new();
        let file = self.place.world.open(file).ok()?;
        file.take(GIT_FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }
}

/// The settings of a configuration, with their sections; names in lower case, as git reads them.
fn settings(text: &str) -> impl Iterator<Item = (String, String, &str)> {
    let mut section = String::new();
    text.lines().filter_map(move |line| {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let (name, after) = rest.split_once(']')?;
            let name = name.split_whitespace().next().unwrap_or_default();
            section = name.to_ascii_lowercase();
            line = after.trim();
        }
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        // A comment may follow a value that is not quoted.
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => value.split([';', '#']).next().unwrap_or_default().trim(),
        };
        Some((section.clone(), key.trim().to_ascii_lowercase(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::settings;

    #[test]
    fn what_git_reads() {
        let text = "# a\n[core]\n\tbare = false\n\thooksPath = .husky ; ours\n[Include] path = a\n\
                    [includeIf \"gitdir:~/w/\"]\n path = \"b c\" # x\n";
        let all: Vec<_> = settings(text).map(|(s, k, v)| format!("{s}.{k}={v}")).collect();
        assert_eq!(
            all,
            ["core.bare=false", "core.hookspath=.husky", "include.path=a", "includeif.path=b c"]
        );
    }
}
