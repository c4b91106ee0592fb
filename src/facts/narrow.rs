//! Which files of a tree a search looks into, by the glob that it is given.

use super::commands::tree::fits;
use crate::model::path::{AbsPath, Extent};

/// A glob's alternatives are followed up to this many.
const ALTERNATIVES_MAX: usize = 64;

/// Patterns of which a file's name must fit one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Narrow(Vec<String>);

impl Narrow {
    /// Reads a glob as ripgrep takes it, or several apart by blanks or commas. Nothing where the
    /// names it leaves out are not sure: sets of characters, escapes, and globs that only leave
    /// out.
    pub(super) fn read(text: &str) -> Option<Narrow> {
        let mut names = Vec::new();
        for word in text.split_whitespace() {
            let parts: Vec<&str> = match word.contains('{') {
                true => vec![word],
                false => word.split(',').filter(|part| !part.is_empty()).collect(),
            };
            for part in parts.into_iter().filter(|part| !part.starts_with('!')) {
                if part.contains(['[', '\\']) {
                    return None;
                }
                for glob in alternatives(part)? {
                    // Wherever the rest of it leads, the file is called this.
                    let name = glob.rsplit('/').next().unwrap_or_default();
                    if name.is_empty() || name.contains("**") {
                        return None;
                    }
                    names.push(name.to_owned());
                }
            }
        }
        (!names.is_empty()).then_some(Narrow(names))
    }

    pub(super) fn nothing_left_out() -> Narrow {
        Narrow(vec!["*".to_owned()])
    }

    /// What is left of the names below a directory.
    pub(super) fn left_of(&self, extent: Extent) -> Extent {
        match extent {
            Extent::Below(mut all) => {
                all.retain(|path| self.takes(path));
                Extent::Below(all)
            }
            Extent::Itself | Extent::Seen(_) | Extent::BelowUnknown(_) | Extent::Fitting(_) => {
                extent
            }
        }
    }

    fn takes(&self, path: &AbsPath) -> bool {
        path.name().is_some_and(|name| self.0.iter().any(|pattern| fits(pattern, name)))
    }
}

/// `*.{a,b}` is `*.a` and `*.b`; nothing where braces stand in braces.
fn alternatives(glob: &str) -> Option<Vec<String>> {
    let mut done = vec![String::new()];
    let mut rest = glob;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, behind) = after.split_once('}')?;
        if before.contains('}') || inside.contains('{') {
            return None;
        }
        let add = |head: &String| {
            let head = format!("{head}{before}");
            inside.split(',').map(move |one| format!("{head}{one}"))
        };
        done = done.iter().flat_map(add).collect();
        if done.len() > ALTERNATIVES_MAX {
            return None;
        }
        rest = behind;
    }
    if rest.contains('}') {
        return None;
    }
    Some(done.into_iter().map(|head| head + rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_leaves_out_only_what_it_surely_leaves_out() {
        let all = ["a.rs", "b.ts", "c.tsx", ".env", ".env.rs"];
        for (glob, taken) in [
            ("*.rs", "a.rs .env.rs"),
            ("src/**/*.rs", "a.rs .env.rs"),
            ("*.{ts,tsx}", "b.ts c.tsx"),
            ("*.ts,*.tsx", "b.ts c.tsx"),
            ("*.ts *.tsx", "b.ts c.tsx"),
            ("*.rs !.env*", "a.rs .env.rs"),
            (".e*", ".env .env.rs"),
            ("a.rs", "a.rs"),
        ] {
            let narrow = Narrow::read(glob).unwrap();
            let path = |name: &&str| AbsPath::parse(&format!("/work/{name}")).unwrap();
            let left = all.into_iter().filter(|name| narrow.takes(&path(name)));
            assert_eq!(left.collect::<Vec<_>>().join(" "), taken, "{glob}");
        }
        for glob in ["", "!*.rs", "[a]*", "src/**", "src/", "*.{a,{b,c}}", "*.{a", "a}", "\\*"] {
            assert_eq!(Narrow::read(glob), None, "{glob}");
        }
    }
}
