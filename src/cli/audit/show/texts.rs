//! The long texts of a record that are kept beside the log, and what became of them.

use crate::audit::query::{Filter, Order, Source};
use crate::audit::wire::WireCapture;
use crate::audit::{Blobs, Hash};
use crate::cli::Outcome;
use crate::model::json::Json;
use crate::review::decision::DecisionView;
use crate::review::moment::to_the_second;
use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;

/// What became of one text.
pub(super) struct Kept {
    /// Where it is, or why it is not there.
    pub(super) told: String,
    /// The text itself, if it is to be shown.
    pub(super) text: Option<String>,
}

/// Those that a record names, by their names.
pub(super) fn of(
    directory: &Path,
    view: &DecisionView,
    shown: bool,
    whole: &Cell<Outcome>,
) -> HashMap<String, Kept> {
    let record = &view.record;
    let captures: [Option<&WireCapture>; 2] = [record.input.as_ref(), record.output.as_ref()];
    let redactions = captures.into_iter().flatten().flat_map(|capture| &capture.redactions);
    let names: Vec<&String> = redactions.filter_map(|one| one.blob.as_ref()).collect();
    if names.is_empty() {
        return HashMap::new();
    }
    let blobs = Blobs::of(directory);
    let mut texts = HashMap::new();
    for name in names {
        let Some(hash) = Hash::parse(name) else { continue };
        let kept = match blobs.get(hash) {
            Ok(text) => {
                let path = blobs.path(hash);
                let more = if shown { "" } else { " (--texts shows it)" };
                let told = format!("kept in `{}`{more}", path.display());
                Kept { told, text: shown.then_some(text) }
            }
            Err(why) if blobs.is_there(hash) => {
                whole.set(Outcome::Findings);
                Kept { told: why.to_string(), text: None }
            }
            Err(_) => Kept { told: gone(directory, name), text: None },
        };
        texts.insert(name.clone(), kept);
    }
    texts
}

/// Why a text is not there: because it was erased, if a record says so.
fn gone(directory: &Path, name: &str) -> String {
    let erased = || {
        let now = jiff::Timestamp::now();
        let filter = Filter::from_pairs([("kind", "audit.erased"), ("grep", name)], now).ok()?;
        let source = Source::directory(directory);
        let entry = source.rows(&filter, Order::OldestFirst).ok()?.flatten().next()?;
        let record = entry.record;
        let why = record.details.get("why").and_then(Json::as_str).unwrap_or_default();
        let at = to_the_second(&record.ts);
        Some(format!("erased at {at} UTC, as record {} says: {why}", record.seq))
    };
    erased().unwrap_or_else(|| {
        "not there any more, and no record says that it was erased; see `audit verify`".to_owned()
    })
}
