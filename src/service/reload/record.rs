//! What the log keeps of a policy's coming into force, or not.

use super::super::load;
use crate::audit;
use crate::gate::Bound;
use crate::model::decision::PolicyId;
use crate::model::json::Json;
use crate::model::record::{Kind, Record};
use crate::policy::Source;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Files with the digest of exactly the text that was read.
pub(in crate::service) fn files(sources: &[Source]) -> Json {
    let one = |source: &Source| {
        let mut file = json!({ "file": source.name, "sha256": load::sha256(source) });
        if let (Some(layer), Some(fields)) = (source.layer, file.as_object_mut()) {
            fields.insert("layer".to_owned(), layer.as_str().into());
        }
        file
    };
    sources.iter().map(one).collect()
}

/// Keeps the texts of files beside the log, for those who read in it what was in force. A policy
/// is served all the same where that fails: its record has the digests.
pub(in crate::service) fn keep(log: &Path, sources: &[Source]) {
    for source in sources {
        if let Err(error) = audit::keep_policy(log, &source.text) {
            tracing::warn!(file = source.name, %error, "a policy's text could not be kept");
        }
    }
}

/// Files that could not all be read.
pub(super) fn names(files: &[PathBuf]) -> Json {
    files.iter().map(|file| json!({ "file": file.display().to_string() })).collect()
}

/// A policy that comes into force, in place of another or as the first.
pub(in crate::service) fn loaded(
    cause: &str,
    bound: &Bound,
    files: Json,
    before: Option<&PolicyId>,
) -> Record {
    let id = &bound.policy.id;
    let rules: usize = bound.policy.layers.iter().map(|layer| layer.rules.len()).sum();
    let mut details = vec![
        ("cause", cause.into()),
        ("policy", id.name.as_str().into()),
        ("sha256", id.sha256.as_str().into()),
        ("rules", rules.into()),
        ("files", files),
        // With the texts of the files, all that the policy can be compiled from again.
        ("workspace", bound.anchors.workspace.as_str().into()),
        ("tmp", bound.anchors.tmp.as_str().into()),
    ];
    details.extend(bound.anchors.home.as_ref().map(|home| ("home", home.as_str().into())));
    if !bound.policy.notices.is_empty() {
        details.push(("unsigned", bound.policy.notices.iter().map(String::as_str).collect()));
    }
    if let Some(before) = before {
        details.push(("before", before.name.as_str().into()));
        details.push(("before_sha256", before.sha256.as_str().into()));
    }
    Record { details, ..Record::new(Kind::PolicyLoad) }
}

/// A policy that does not come into force; the one that stays is named.
pub(super) fn refused(cause: &str, why: &str, files: Json, in_force: &PolicyId) -> Record {
    let details = vec![
        ("cause", cause.into()),
        ("why", why.into()),
        ("files", files),
        ("in_force", in_force.name.as_str().into()),
        ("in_force_sha256", in_force.sha256.as_str().into()),
    ];
    Record { details, ..Record::new(Kind::PolicyRefused) }
}
