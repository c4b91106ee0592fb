//! Where policy files lie: those that were named, and those in the layers' own directories.
//!
//! The organisation's directory always counts, since no user may leave it out; a user's own counts
//! where no file was named; and a repository's file counts where the sidecar sees the workspace.

use super::config::{Config, WorldName};
use super::load::{DEFAULT_POLICY, LoadError, read};
use crate::model::path::AbsPath;
use crate::policy::Source;
use crate::policy::rule::LayerKind;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the organisation's policies lie unless the configuration says otherwise.
pub const ORG_DIRECTORY: &str = "/etc/toolgate/policy.d";

/// Where the policy of a sidecar is read from, again at each reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Files and directories that were named.
    named: Vec<PathBuf>,
    /// The organisation's directory.
    org: Option<PathBuf>,
    /// The user's directory, if no file was named.
    user: Option<PathBuf>,
    /// The repository's file.
    project: Option<PathBuf>,
}

impl Places {
    /// The places that a configuration names; the repository's comes once the workspace is known.
    #[must_use]
    pub fn of(config: &Config) -> Places {
        let files = &config.policy;
        Places {
            named: files.files.clone(),
            org: (!files.org.as_os_str().is_empty()).then(|| files.org.clone()),
            user: files.user.clone().filter(|_| files.files.is_empty()),
            project: None,
        }
    }

    /// The same with the file of the repository in this workspace, if the sidecar sees it.
    #[must_use]
    pub fn in_workspace(mut self, config: &Config, workspace: &AbsPath) -> Places {
        let seen = matches!(config.hook.world, Some(WorldName::Same | WorldName::Mounted));
        if seen && config.policy.project {
            self.project = Some(Path::new(workspace.as_str()).join(PROJECT_FILE));
        }
        self
    }

    /// All that is written in these places now; the shipped policy where no user wrote one.
    ///
    /// # Errors
    /// If a file or directory that is there cannot be read, or one that was named is not there.
    pub fn sources(&self) -> Result<Vec<Source>, LoadError> {
        let mut sources = Vec::new();
        if let Some(org) = &self.org {
            sources.extend(directory(org, LayerKind::Org)?);
        }
        let mut own = Vec::new();
        for path in &self.named {
            own.extend(named(path)?);
        }
        if let Some(user) = &self.user {
            own.extend(directory(user, LayerKind::User)?);
        }
        if own.is_empty() {
            own.push(shipped());
        }
        sources.extend(own);
        if let Some(project) = &self.project
            && let Some(source) = if_there(project)?
        {
            sources.push(Source { layer: Some(LayerKind::Project), ..source });
        }
        Ok(sources)
    }

    /// Every place, there or not: the agent may write none of them.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let places = [&self.org, &self.user, &self.project].into_iter().flatten();
        self.named.iter().chain(places).cloned().collect()
    }

    /// Whether there is anything that can change.
    #[must_use]
    pub fn may_change(&self) -> bool {
        !self.paths().is_empty()
    }
}

/// The repository's policy, below the workspace.
const PROJECT_FILE: &str = ".toolgate/policy.toml";

/// The shipped policy.
#[must_use]
pub fn shipped() -> Source {
    let name = "default.toml (shipped)".to_owned();
    Source { name, text: DEFAULT_POLICY.to_owned(), layer: None }
}

/// A file, or every policy file of a directory.
///
/// # Errors
/// If it is not there, cannot be read, or is a directory without one.
pub fn named(path: &Path) -> Result<Vec<Source>, LoadError> {
    if !path.is_dir() {
        return Ok(vec![Source { layer: layer_of(path), ..read(path)? }]);
    }
    let sources: Vec<Source> = listed(path)?
        .iter()
        .map(|file| Ok(Source { layer: layer_of(file), ..read(file)? }))
        .collect::<Result<_, LoadError>>()?;
    match sources.is_empty() {
        true => {
            let why = "there is no policy (`*.toml`) in it".to_owned();
            Err(LoadError::Unreadable(path.to_owned(), why))
        }
        false => Ok(sources),
    }
}

/// The layer whose directory a file lies in, wherever it was named (policy language §11.24).
fn layer_of(file: &Path) -> Option<LayerKind> {
    let file = file.canonicalize().ok()?;
    let directory = file.parent()?;
    if directory == Path::new(ORG_DIRECTORY) {
        Some(LayerKind::Org)
    } else if directory.ends_with(".config/toolgate") {
        Some(LayerKind::User)
    } else if directory.ends_with(".toolgate") {
        Some(LayerKind::Project)
    } else {
        None
    }
}

/// The policies of a layer's directory; none if it is not there.
fn directory(path: &Path, layer: LayerKind) -> Result<Vec<Source>, LoadError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(LoadError::Unreadable(path.to_owned(), error.to_string())),
        Ok(_) => {}
    }
    let files = listed(path)?;
    files.iter().map(|file| Ok(Source { layer: Some(layer), ..read(file)? })).collect()
}

/// A file that need not be there. What is there and cannot be read is an error all the same.
fn if_there(path: &Path) -> Result<Option<Source>, LoadError> {
    match path.symlink_metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(LoadError::Unreadable(path.to_owned(), error.to_string())),
        Ok(_) => read(path).map(Some),
    }
}

/// The policy files of a directory by name; the sidecar's own configuration is none.
fn listed(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable =
        |error: std::io::Error| LoadError::Unreadable(path.to_owned(), error.to_string());
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let hidden = name.starts_with('.');
        if !hidden && name != "toolgate.toml" && name.ends_with(".toml") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str) {
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "schema = 1\n[policy]\nname = 'x'\n").unwrap();
    }

    fn found(places: &Places, root: &Path) -> Vec<(String, Option<LayerKind>)> {
        let short = |source: Source| {
            let name = source.name.strip_prefix(&format!("{}/", root.display()));
            (name.unwrap_or(&source.name).to_owned(), source.layer)
        };
        places.sources().unwrap().into_iter().map(short).collect()
    }

    #[test]
    fn each_file_has_the_layer_of_its_directory() {
        use LayerKind::{Org, Project, User};
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let mut config = Config::default();
        config.policy.org = root.join("org");
        config.policy.user = Some(root.join("home/.config/toolgate"));
        config.hook.world = Some(WorldName::Same);
        let workspace = AbsPath::parse(root.join("work").to_str().unwrap()).unwrap();
        let places = |config: &Config| Places::of(config).in_workspace(config, &workspace);
        let shipped = ("default.toml (shipped)".to_owned(), None);
        assert_eq!(found(&places(&config), &root), std::slice::from_ref(&shipped));
        for name in [
            "org/20.toml",
            "org/10.toml",
            "org/notes.md",
            "org/.10.toml.swp",
            "work/.toolgate/policy.toml",
        ] {
            write(&root, name);
        }
        let org = [("org/10.toml", Org), ("org/20.toml", Org)];
        let project = ("work/.toolgate/policy.toml", Project);
        let named = |all: &[(&str, LayerKind)]| -> Vec<(String, Option<LayerKind>)> {
            all.iter().map(|(name, layer)| ((*name).to_owned(), Some(*layer))).collect()
        };
        let mut all = named(&org);
        all.push(shipped);
        all.extend(named(&[project]));
        assert_eq!(found(&places(&config), &root), all);
        // A user's own policy takes the place of the shipped one; a named one that of both.
        write(&root, "home/.config/toolgate/policy.toml");
        write(&root, "home/.config/toolgate/toolgate.toml");
        let user = ("home/.config/toolgate/policy.toml", User);
        assert_eq!(found(&places(&config), &root), named(&[org[0], org[1], user, project]));
        write(&root, "named.toml");
        config.policy.files = vec![root.join("named.toml")];
        config.policy.project = false;
        let mut all = named(&org);
        all.push(("named.toml".to_owned(), None));
        assert_eq!(found(&places(&config), &root), all);
        // What is there and cannot be read is never passed over.
        std::fs::create_dir(root.join("org/30.toml")).unwrap();
        assert!(places(&config).sources().is_err());
    }
}
