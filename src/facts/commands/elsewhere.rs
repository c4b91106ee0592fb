//! Files that words name beside other things: `@file`, `name=file`, and what lies on both sides of
//! a container's wall.

use super::Walker;
use super::state::State;
use super::tree::Filter;
use crate::model::access::{Target, Verb};
use crate::model::doubt::Doubt;
use crate::model::path::Extent;
use crate::model::url::Destination;
use crate::world::FileKind;

/// Programs that run an image's own program, or what stands in its place.
pub(super) fn is_container(base: &str) -> bool {
    matches!(base, "docker" | "podman" | "nerdctl" | "docker-compose" | "podman-compose")
}

/// Programs whose inner command sees other files, and another home.
pub(super) fn runs_elsewhere(base: &str) -> bool {
    is_container(base)
        || matches!(
            base,
            "ssh"
                | "mosh"
                | "autossh"
                | "kubectl"
                | "oc"
                | "buildah"
                | "vagrant"
                | "heroku"
                | "flyctl"
                | "chroot"
                | "nsenter"
                | "unshare"
        )
}

/// The part of a `name:path` that is a path inside of something else.
fn inside(text: &str) -> Option<&str> {
    let (name, path) = text.split_once(':')?;
    // A path may hold a colon of its own, as `./a:b`.
    (!name.is_empty() && !name.starts_with(['/', '.', '~'])).then_some(path)
}

impl Walker<'_> {
    /// `@file`, `key=@file`, `key:=@file` and `file://path` are read; all else is text.
    pub(super) fn named_by_at(&mut self, text: &str, state: &State) {
        let schemed = ["file://", "fileb://"].iter().find_map(|start| text.strip_prefix(start));
        let named = text.strip_prefix('@').or(schemed).or_else(|| {
            let (_, rest) = text.split_once('=')?;
            rest.strip_prefix('@')
        });
        if let Some(path) = named.filter(|path| !matches!(*path, "" | "-")) {
            self.paths(path, state, &[Verb::Read], None);
        }
    }

    /// `name=path`, or a path alone, with all below it.
    pub(super) fn named_read(&mut self, text: &str, state: &State) {
        let path = text.split_once('=').map_or(text, |(_, path)| path);
        if path != "-" {
            self.paths(path, state, &[Verb::Read], Some(&Filter::default()));
        }
    }

    /// A part of the host that a container gets. Outside of the workspace it is not known what the
    /// container looks at there; inside it is the place where the agent works itself.
    pub(super) fn volume(&mut self, text: &str, state: &State) {
        let mut read_only = false;
        let mut source = None;
        if text.contains('=') && !text.starts_with(['/', '.', '~']) {
            for part in text.split(',') {
                match part.split_once('=').unwrap_or((part, "")) {
                    ("source" | "src", path) => source = Some(path),
                    ("readonly" | "ro", value) => read_only |= value != "false",
                    _ => {}
                }
            }
        } else {
            let mut parts = text.split(':');
            source = parts.next();
            let options = parts.nth(1).unwrap_or_default();
            read_only = options.split(',').any(|option| option == "ro");
        }
        // A name without a slash is a volume of the daemon's own.
        let is_path = |path: &&str| path.starts_with(['/', '.', '~']) || path.contains('/');
        let Some(source) = source.filter(is_path) else { return };
        let verbs = if read_only { &[Verb::Read][..] } else { &[Verb::Read, Verb::Write] };
        for mut target in self.targets(source, state, verbs) {
            if target.written.as_str().ends_with(".sock") {
                self.certain(Target::Connect(Destination::Unix(target)));
                continue;
            }
            let own = target.written.is_within(self.place.workspace)
                || target.written.is_within(self.place.tmp);
            let kind = self.place.world.resolve(&target.written).kind;
            if !own && kind != Ok(FileKind::File) {
                target.extent = Extent::BelowUnknown(Doubt::TreeUnknown);
            }
            self.certain(Target::Read(target.clone()));
            if !read_only {
                self.certain(Target::Write(target));
            }
        }
    }

    /// `docker cp src container:/x` takes the tree; what comes out of the container is no access.
    pub(super) fn inside_read(&mut self, text: &str, state: &State, tree: Option<&Filter>) {
        if text == "-" || self.beyond(text, state) {
            return;
        }
        let all = Filter::default();
        self.paths(text, state, &[Verb::Read], Some(tree.unwrap_or(&all)));
    }

    /// What comes out of a container may be a file or a directory of any names.
    pub(super) fn inside_write(&mut self, text: &str, state: &State) {
        if text != "-" && !self.beyond(text, state) {
            self.filled(text, state);
        }
    }

    /// A URL, whatever stands before its scheme (`jdbc:postgresql://host/db`); false if it is none.
    pub(super) fn perhaps_url(&mut self, text: &str, state: &State) -> bool {
        let Some((before, _)) = text.split_once("://") else { return false };
        let skipped = before.rfind(':').map_or(0, |at| at + 1);
        self.url(text.get(skipped..).unwrap_or(text), None, state);
        true
    }

    /// Whether `text` names something behind the wall: `rest:https://host/` and `sftp:host:path`
    /// say where that is.
    fn beyond(&mut self, text: &str, state: &State) -> bool {
        if !text.starts_with(['/', '.']) && self.perhaps_url(text, state) {
            return true;
        }
        let Some(path) = inside(text) else { return false };
        if let Some(host) = text.strip_prefix("sftp:").and(path.split(':').next()) {
            self.host(host);
        }
        true
    }
}
