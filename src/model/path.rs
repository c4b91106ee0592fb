//! Paths as values: absolute, lexically clean, and never the file system's business on this floor.

use super::doubt::Doubt;
use crate::limits::{PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX, PATH_DEPTH_MAX};

/// An absolute path in lexical normal form: no `.`, no `..`, no empty component, no NUL, within
/// `PATH_MAX`. `..` above the root is the root, as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(String);

/// Why a text is no usable path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is empty.
    #[error("the path is empty")]
    Empty,
    /// It does not start with `/`.
    #[error("the path is not absolute")]
    Relative,
    /// It holds a NUL byte, which no file name can.
    #[error("the path holds a NUL character")]
    Nul,
    /// It is longer or deeper than the kernel takes.
    #[error("the path is too long")]
    TooLong,
}

impl AbsPath {
    /// Reads an absolute path and folds `//`, `.` and `..` as text.
    ///
    /// # Errors
    /// If it is empty, relative, holds NUL, or is longer than the kernel takes.
    pub fn parse(text: &str) -> Result<AbsPath, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if !text.starts_with('/') {
            return Err(PathError::Relative);
        }
        fold(text)
    }

    /// The root directory.
    #[must_use]
    pub fn root() -> AbsPath {
        AbsPath("/".to_owned())
    }

    /// `text` as seen from this directory; an absolute `text` stands for itself.
    ///
    /// # Errors
    /// As [`AbsPath::parse`].
    pub fn join(&self, text: &str) -> Result<AbsPath, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return AbsPath::parse(text);
        }
        if !text.contains(['/', '\0']) && !matches!(text, "." | "..") {
            return self.child(text);
        }
        fold(&format!("{}/{text}", self.0))
    }

    /// A plain name in this directory: nothing to fold, so that a walk over a tree does not.
    fn child(&self, name: &str) -> Result<AbsPath, PathError> {
        let above = if self.0 == "/" { "" } else { self.0.as_str() };
        let depth = above.bytes().filter(|b| *b == b'/').count() + 1;
        let length = above.len() + 1 + name.len();
        if name.len() > PATH_COMPONENT_BYTES_MAX
            || length > PATH_BYTES_MAX
            || depth > PATH_DEPTH_MAX
        {
            return Err(PathError::TooLong);
        }
        let mut path = String::with_capacity(length);
        path.push_str(above);
        path.push('/');
        path.push_str(name);
        Ok(AbsPath(path))
    }

    /// The path as text; always starts with `/`, never ends in one unless it is the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// The last component; nothing for the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The directory it lies in; nothing for the root.
    #[must_use]
    pub fn parent(&self) -> Option<AbsPath> {
        let (head, name) = self.0.rsplit_once('/')?;
        if name.is_empty() {
            return None;
        }
        Some(AbsPath(if head.is_empty() { "/".to_owned() } else { head.to_owned() }))
    }

    /// True if this path is `root` or lies below it, by whole components.
    #[must_use]
    pub fn is_within(&self, root: &AbsPath) -> bool {
        match self.0.strip_prefix(root.0.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || root.0 == "/",
            None => false,
        }
    }
}

/// An absolute path as the kernel walks it: `..` is still in it, and is taken after the links
/// before it. Folding it as text first would name another file wherever a link comes before `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    components: Vec<String>,
    folded: AbsPath,
}

impl Route {
    /// The way to `text` from `base`; an absolute `text` starts at the root.
    ///
    /// # Errors
    /// As [`AbsPath::parse`]; a relative `text` needs a `base`.
    pub fn parse(base: Option<&AbsPath>, text: &str) -> Result<Route, PathError> {
        let folded = match base {
            Some(base) => base.join(text)?,
            None => AbsPath::parse(text)?,
        };
        let start = base.filter(|_| !text.starts_with('/'));
        let before = start.into_iter().flat_map(AbsPath::components);
        let own = text.split('/').filter(|part| !part.is_empty() && *part != ".");
        let components: Vec<String> = before.chain(own).map(str::to_owned).collect();
        if components.len() > PATH_DEPTH_MAX {
            return Err(PathError::TooLong);
        }
        Ok(Route { components, folded })
    }

    /// The components, `..` among them, outermost first.
    #[must_use]
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// The path as text alone says it.
    #[must_use]
    pub fn folded(&self) -> &AbsPath {
        &self.folded
    }
}

impl From<&AbsPath> for Route {
    fn from(path: &AbsPath) -> Route {
        Route { components: path.components().map(str::to_owned).collect(), folded: path.clone() }
    }
}

impl std::fmt::Display for AbsPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it means something else to each process: `/proc/self`, `/proc/<pid>/...`, `/dev/fd`.
#[must_use]
pub fn is_magic(path: &AbsPath) -> bool {
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some("proc"), Some(second)) => {
            matches!(second, "self" | "thread-self") || second.bytes().all(|b| b.is_ascii_digit())
        }
        (Some("dev"), Some("fd" | "stdin" | "stdout" | "stderr")) => true,
        _ => false,
    }
}

/// Where a path through a process's own root or working directory leads, if the process is the one
/// that uses the path, in `cwd`: it surely is a place that is meant, whatever else may be.
#[must_use]
pub fn through_process(path: &AbsPath, cwd: Option<&AbsPath>) -> Vec<AbsPath> {
    let mut led = Vec::new();
    let mut next = path.clone();
    // Each turn takes two components or more.
    while is_magic(&next) {
        let text = next.as_str().to_owned();
        let mut rest = text.split('/').skip(3);
        let mut door = rest.next();
        if door == Some("task") {
            door = rest.nth(1);
        }
        let rest = rest.collect::<Vec<_>>().join("/");
        let from = match (door, cwd) {
            (Some("root"), _) => AbsPath::root(),
            (Some("cwd"), Some(cwd)) => cwd.clone(),
            (Some(_) | None, _) => break,
        };
        next = if rest.is_empty() { from } else { from.join(&rest).unwrap_or(from) };
        led.push(next.clone());
        if led.len() > PATH_DEPTH_MAX {
            break;
        }
    }
    led
}

fn fold(text: &str) -> Result<AbsPath, PathError> {
    if text.contains('\0') {
        return Err(PathError::Nul);
    }
    let mut kept: Vec<&str> = Vec::new();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name if name.len() > PATH_COMPONENT_BYTES_MAX => return Err(PathError::TooLong),
            name => kept.push(name),
        }
    }
    let length: usize = kept.iter().map(|component| component.len() + 1).sum();
    if length > PATH_BYTES_MAX || text.len() > PATH_BYTES_MAX || kept.len() > PATH_DEPTH_MAX {
        return Err(PathError::TooLong);
    }
    Ok(AbsPath(format!("/{}", kept.join("/"))))
}

/// The path of an access, looked at as written and as it is (policy language §2, "Paths").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTarget {
    /// As written, joined to the working directory and folded as text.
    pub written: AbsPath,
    /// What the kernel would reach, in the world of the process that will use it.
    pub real: Real,
    /// The path as it would be written by way of each symbolic link that was met, in order, and
    /// by the other names of its file; a deny may fire on any.
    pub hops: Vec<AbsPath>,
    /// Whether the access is to this path alone or to all below it too.
    pub extent: Extent,
}

/// What a path really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Real {
    /// This path, every link resolved; its last components need not exist.
    At(AbsPath),
    /// It could not be resolved.
    Unknown(Doubt),
}

/// How far an access reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extent {
    /// The path itself.
    Itself,
    /// The directory and these paths below it, which are there now. It is written, moved or
    /// removed whole, so what a rule names below it is meant too, there or not.
    Below(Vec<AbsPath>),
    /// The same, where the tree is only read: what is not there cannot be.
    Seen(Vec<AbsPath>),
    /// The directory and what lies below it, which is not known.
    BelowUnknown(Doubt),
    /// Not the directory itself, but a path below it that fits this file name pattern, which is
    /// relative to it. What fits it now is an access of its own.
    Fitting(String),
}

impl PathTarget {
    /// A path that is what it says: no link on the way, nothing below.
    #[must_use]
    pub fn plain(path: AbsPath) -> PathTarget {
        PathTarget {
            real: Real::At(path.clone()),
            written: path,
            hops: Vec::new(),
            extent: Extent::Itself,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, PathError>) {
        let got = AbsPath::parse(text);
        assert_eq!(got.as_ref().map(AbsPath::as_str), expected.as_ref().copied(), "{text:?}");
    }

    #[test]
    fn folding() {
        check("/", Ok("/"));
        check("//w//./x/", Ok("/w/x"));
        check("/w/../../etc", Ok("/etc"));
        check("/w/a/../b", Ok("/w/b"));
        check("/w/...", Ok("/w/..."));
        check("", Err(PathError::Empty));
        check("w/x", Err(PathError::Relative));
        check("/w\0/x", Err(PathError::Nul));
        check(&format!("/{}", "a".repeat(256)), Err(PathError::TooLong));
        check(&"/a".repeat(3000), Err(PathError::TooLong));
    }

    #[test]
    fn within_is_by_components() {
        let root = AbsPath::parse("/work").unwrap();
        for (path, inside) in
            [("/work", true), ("/work/a", true), ("/work-old", false), ("/wor", false)]
        {
            assert_eq!(AbsPath::parse(path).unwrap().is_within(&root), inside, "{path}");
        }
        assert!(root.is_within(&AbsPath::root()));
    }

    #[test]
    fn a_route_keeps_what_folding_loses() {
        let base = AbsPath::parse("/work/link").unwrap();
        let route = Route::parse(Some(&base), "../x").unwrap();
        assert_eq!(route.components(), ["work", "link", "..", "x"]);
        assert_eq!(route.folded().as_str(), "/work/x");
        let route = Route::parse(Some(&base), "/a//./../b").unwrap();
        assert_eq!(route.components(), ["a", "..", "b"]);
        assert!(Route::parse(None, "a").is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_name_joined_is_the_text_folded(
            text in "/([ab]{1,90}/){0,60}", name in "[ab.\0]{1,300}",
        ) {
            let base = AbsPath::parse(&text).unwrap();
            let whole = AbsPath::parse(&format!("{base}/{name}"));
            proptest::prop_assert_eq!(base.join(&name), whole);
        }

        #[test]
        fn folding_is_idempotent_and_never_leaves_dots(text in "/[a-c./]{0,40}") {
            let once = AbsPath::parse(&text).unwrap();
            proptest::prop_assert_eq!(&AbsPath::parse(once.as_str()).unwrap(), &once);
            proptest::prop_assert!(once.components().all(|c| c != "." && c != ".."));
        }
    }
}
