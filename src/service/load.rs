//! Loading a policy: files in, a bound policy out, or every mistake in words.

use super::config::{ConfigError, PolicyFiles, absolute};
use crate::author::check::{Checked, check, workspace_in};
use crate::gate::Bound;
use crate::limits::POLICY_BYTES_MAX;
use crate::model::path::AbsPath;
use crate::policy::builtin::Protected;
use crate::policy::diagnostic::human;
use crate::policy::pattern::Anchors;
use crate::policy::{Diagnostic, Severity, Source};
use crate::redact::Redactor;
use std::io::Read;
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
        let name = "default.toml (shipped)".to_owned();
        return Ok(vec![Source { name, text: DEFAULT_POLICY.to_owned(), layer: None }]);
    }
    files.iter().map(|file| source(file)).collect()
}

/// The text of one file.
///
/// # Errors
/// If it cannot be read, is not UTF-8, or is too large.
pub fn source(path: &Path) -> Result<Source, LoadError> {
    let unreadable = |why: String| LoadError::Unreadable(path.to_owned(), why);
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(POLICY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
    })?;
    Ok(Source { name: path.display().to_string(), text, layer: None })
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
    Ok(Anchors { workspace, home, tmp })
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
/// With every mistake in it.
pub fn load(
    sources: &[Source],
    anchors: Anchors,
    protected: &Protected,
    redactor: &Redactor,
) -> Result<Bound, LoadError> {
    let Checked { policy, diagnostics, .. } = check(sources, &anchors, protected, redactor);
    match policy {
        Some(policy) => Ok(Bound { policy, anchors }),
        None => Err(LoadError::Wrong {
            errors: diagnostics.iter().filter(|found| found.severity == Severity::Error).count(),
            rendered: render(&diagnostics, sources, false),
        }),
    }
}

/// Every mistake with its place.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], colour: bool) -> String {
    human::render_all(diagnostics, sources, colour)
}
