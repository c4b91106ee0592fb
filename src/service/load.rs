//! Loading a policy: files in, a bound policy out, or every mistake in words.

use super::config::{ConfigError, PolicyFiles, absolute};
use super::layers;
use crate::author::check::{Checked, check, errors, workspace_in};
use crate::author::run::{Ran, RunOutcome};
use crate::gate::Bound;
use crate::limits::{POLICY_BYTES_MAX, RELOAD_TOLD_BYTES_MAX};
use crate::model::path::{AbsPath, Real};
use crate::policy::builtin::Protected;
use crate::policy::diagnostic::{Lines, human};
use crate::policy::pattern::Anchors;
use crate::policy::{Diagnostic, Source};
use crate::redact::Redactor;
use crate::world::World;
use nix::libc::{O_NOCTTY, O_NONBLOCK};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The policy of `demo` and of a bare `serve`.
pub const DEFAULT_POLICY: &str = include_str!("../../policies/default.toml");

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("the policy `{0}` cannot be read: {1}")]
    Unreadable(PathBuf, String),
    /// The configuration does not fit.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It names signers, and signatures are not checked by this version.
    #[error(
        "{0}; with --unsigned-ok, or `unsigned_ok = true` in `[policy]`, it is served unsigned"
    )]
    Unsigned(String),
    /// The policy is wrong; the diagnostics, rendered.
    #[error("{rendered}\nthe policy does not load: {errors} mistake(s)")]
    Wrong {
        /// How many.
        errors: usize,
        /// Each with its place and its help.
        rendered: String,
    },
}

/// The files' texts; the shipped policy if there are none.
///
/// # Errors
/// If one cannot be read, is not UTF-8, or is too large.
pub fn sources(files: &[PathBuf]) -> Result<Vec<Source>, LoadError> {
    if files.is_empty() {
        return Ok(vec![layers::shipped()]);
    }
    let mut sources = Vec::new();
    for file in files {
        sources.extend(layers::named(file)?);
    }
    Ok(sources)
}

/// One file, read from one descriptor: a link that is turned meanwhile cannot mix two files.
///
/// # Errors
/// If it is no regular file, cannot be read, is not UTF-8, or is too large.
pub fn read(path: &Path) -> Result<Source, LoadError> {
    let unreadable = |why: String| LoadError::Unreadable(path.to_owned(), why);
    // Without waiting: a pipe that nobody writes to would hold us for ever.
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK | O_NOCTTY)
        .open(path)
        .map_err(|error| unreadable(error.to_string()))?;
    let look = || file.metadata().map_err(|error| unreadable(error.to_string()));
    let before = look()?;
    if !before.is_file() {
        return Err(unreadable("it is no regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    (&file)
        .take(POLICY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > POLICY_BYTES_MAX {
        let size = POLICY_BYTES_MAX / (1024 * 1024);
        return Err(unreadable(format!("it is larger than {size} MiB")));
    }
    let after = look()?;
    let state = |meta: &std::fs::Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
    if state(&before) != state(&after) {
        return Err(unreadable("it is being written; load it when it is whole".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
    })?;
    Ok(Source { name: path.display().to_string(), text, layer: None })
}

/// The SHA-256 of one file's text, as `sha256sum` gives it.
#[must_use]
pub fn sha256(source: &Source) -> String {
    Sha256::digest(&source.text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The places that the policy's names stand for: what the operator says, else what the policy
/// itself says, else the directory that toolgate was started in.
///
/// # Errors
/// If a path is not absolute, or the workspace would be `/` or the agent's home.
pub fn anchors(
    files: &PolicyFiles,
    home: Option<AbsPath>,
    sources: &[Source],
) -> Result<Anchors, ConfigError> {
    let workspace = match (&files.workspace, workspace_in(sources)) {
        (Some(stated), _) => real_directory(stated)?,
        (None, Some(stated)) => stated,
        (None, None) => real_directory(&here()?)?,
    };
    if workspace == AbsPath::root() || Some(&workspace) == home.as_ref() {
        return Err(ConfigError::Value(format!(
            "`{workspace}` cannot be the workspace: it would hold everything; name the project's \
             directory with --workspace"
        )));
    }
    let tmp = files.tmp.as_deref().map_or_else(|| Ok(AbsPath::root()), absolute)?;
    let tmp = if tmp == AbsPath::root() { absolute(Path::new("/tmp"))? } else { tmp };
    Ok(Anchors { workspace, home, tmp, aliases: Vec::new() })
}

/// The same with the other names that these places have in the agent's world, as the operator
/// states them and where links on the way lead now. They are fixed like the places themselves: a
/// link that is turned later leads to no place that has a name here.
#[must_use]
pub fn with_other_names(anchors: Anchors, files: &PolicyFiles, world: &dyn World) -> Anchors {
    let mut aliases = Vec::new();
    let stated = files.workspace.as_deref().and_then(|stated| absolute(stated).ok());
    let places = [Some(&anchors.workspace), Some(&anchors.tmp), anchors.home.as_ref()];
    let named = places.into_iter().flatten().map(|place| (place, place));
    let stated = stated.as_ref().map(|stated| (&anchors.workspace, stated));
    for (place, name) in named.chain(stated) {
        let found = world.resolve(name);
        let Real::At(real) = &found.real else { continue };
        for other in [name, real].into_iter().chain(&found.hops) {
            // None that would hold everything.
            let is_narrow = anchors
                .home
                .as_ref()
                .is_none_or(|home| anchors.home.as_ref() == Some(place) || !home.is_within(other));
            let known = other == place || aliases.contains(&(place.clone(), other.clone()));
            if !known && is_narrow && *other != AbsPath::root() {
                aliases.push((place.clone(), other.clone()));
            }
        }
    }
    Anchors { aliases, ..anchors }
}

fn here() -> Result<PathBuf, ConfigError> {
    std::env::current_dir().map_err(|error| {
        ConfigError::Value(format!(
            "the current directory cannot be read: {error}; use --workspace"
        ))
    })
}

/// The directory with its links followed, so that it is compared as the kernel sees it.
fn real_directory(path: &Path) -> Result<AbsPath, ConfigError> {
    match path.canonicalize() {
        Ok(real) => absolute(&real),
        // In a container of its own the sidecar may not see the agent's workspace at all.
        Err(_) => absolute(path),
    }
}

/// Reads, checks and binds a policy.
///
/// # Errors
/// With every mistake in it, as far as anyone reads on.
pub fn load(
    sources: &[Source],
    anchors: Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> Result<Bound, LoadError> {
    let Checked { policy, diagnostics, .. } = check(sources, &anchors, protected, redactor);
    match policy {
        Some(policy) => Ok(Bound { policy, anchors }),
        None => Err(wrong(&diagnostics, sources)),
    }
}

fn wrong(diagnostics: &[Diagnostic], sources: &[Source]) -> LoadError {
    LoadError::Wrong {
        errors: errors(diagnostics),
        rendered: render_within(diagnostics, sources, RELOAD_TOLD_BYTES_MAX),
    }
}

/// A policy for those who ask it why: it is theirs too where its examples and tests do not come out
/// as they say, each of which is told in one line. What comes of it is never enforced.
///
/// # Errors
/// With every mistake in it, if it cannot be read as a policy.
pub fn load_to_ask(
    sources: &[Source],
    anchors: Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> Result<(Bound, Vec<String>), LoadError> {
    let checked = check(sources, &anchors, protected, redactor);
    let Checked { policy, unsound, diagnostics, ran } = checked;
    let told = ran.iter().filter_map(|ran| failed(ran, sources)).collect();
    match policy.or(unsound) {
        Some(policy) => Ok((Bound { policy, anchors }, told)),
        None => Err(wrong(&diagnostics, sources)),
    }
}

/// What was expected and what came, in one line.
fn failed(ran: &Ran, sources: &[Source]) -> Option<String> {
    let RunOutcome::Failed { message, .. } = &ran.outcome else { return None };
    let source = sources.get(ran.file)?;
    let line = Lines::of(&source.text).line_of(ran.span.start);
    Some(format!("{}:{line}: {message}", source.name))
}

/// The same for a sidecar, which takes a policy that names signers only if it is told to.
///
/// # Errors
/// As [`load`], and if a signature would have to be checked.
pub fn load_to_serve(
    sources: &[Source],
    anchors: Anchors,
    protected: &Protected,
    redactor: &Redactor,
    unsigned_ok: bool,
) -> Result<Bound, LoadError> {
    let bound = load(sources, anchors, protected, redactor)?;
    match bound.policy.notices.first() {
        Some(notice) if !unsigned_ok => Err(LoadError::Unsigned(notice.clone())),
        Some(_) | None => Ok(bound),
    }
}

/// Every mistake with its place.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], colour: bool) -> String {
    human::render_all(diagnostics, sources, colour)
}

/// The mistakes that `most` bytes have room for, the first one at least in part, and how many more
/// there are. Those that are not told are not drawn either: in a large file that takes time.
fn render_within(diagnostics: &[Diagnostic], sources: &[Source], most: usize) -> String {
    let mut told = String::new();
    for (index, found) in diagnostics.iter().enumerate() {
        let one = human::render(found, &|file| human::text_of(sources, file), false);
        if index > 0 && told.len() + one.len() >= most {
            told.push_str(&format!("and {} more", diagnostics.len() - index));
            break;
        }
        told.push_str(clip(&one, most));
        told.push('\n');
    }
    told.trim_end().to_owned()
}

/// The first `most` bytes of a text, or a few fewer.
#[must_use]
pub fn clip(text: &str, most: usize) -> &str {
    text.split_at(text.floor_char_boundary(most)).0
}
