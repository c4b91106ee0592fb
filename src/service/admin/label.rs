//! Labels that an operator sets and removes (policy language §11.20).
//!
//! A label may open what was closed, so the change is written to the log before it is made.

use crate::gate::Gate;
use crate::model::record::{Kind, Record};
use serde::{Deserialize, Serialize};

/// A label to add to a session, or to take from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelChange {
    /// The session, as the runtime names it.
    pub session: String,
    /// What to do.
    pub change: Change,
    /// The label, with its key if it has one: `approved:T1`.
    pub label: String,
}

/// What to do with a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Set it.
    Add,
    /// Take it away.
    Remove,
}

impl Change {
    /// The word in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Add => "add",
            Change::Remove => "remove",
        }
    }
}

/// Whoever keeps the labels of sessions.
pub trait Labels: Send + Sync {
    /// Whether an operator may make this change under the policy in force.
    ///
    /// # Errors
    /// In words for the operator, if not.
    fn check(&self, change: &LabelChange) -> Result<(), String>;

    /// Makes it; it stands in the log already.
    ///
    /// # Errors
    /// In words for the operator, if it could not be made.
    fn apply(&self, change: &LabelChange) -> Result<(), String>;
}

/// Makes a change that `labels` agrees to, once it stands in the log.
pub(super) async fn make(
    gate: &Gate,
    labels: Option<&dyn Labels>,
    change: &LabelChange,
    peer_uid: u32,
) -> Result<(), String> {
    let Some(labels) = labels else {
        return Err("labels are not kept by this sidecar".to_owned());
    };
    labels.check(change)?;
    let details = vec![
        ("session", change.session.as_str().into()),
        ("change", change.change.as_str().into()),
        ("label", change.label.as_str().into()),
        ("peer_uid", peer_uid.into()),
    ];
    let noted = gate.note(Record { details, ..Record::new(Kind::Label) }).await;
    noted.map_err(|error| format!("the log cannot be written: {error}"))?;
    labels.apply(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Journal, Options, records};
    use crate::policy::builtin::Protected;
    use crate::policy::pattern::Anchors;
    use crate::redact::Redactor;
    use crate::service::load::{load, sources};
    use std::sync::Mutex;

    /// Takes `good` alone, and keeps what was applied.
    #[derive(Default)]
    struct Store(Mutex<Vec<Change>>);

    impl Labels for Store {
        fn check(&self, change: &LabelChange) -> Result<(), String> {
            if change.label == "good" { Ok(()) } else { Err("no such label".to_owned()) }
        }

        fn apply(&self, change: &LabelChange) -> Result<(), String> {
            self.0.lock().unwrap().push(change.change);
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_label_is_changed_only_after_its_record() {
        let scratch = tempfile::tempdir().unwrap();
        let redactor = Redactor::shipped().unwrap();
        let (sources, anchors) = (sources(&[]).unwrap(), Anchors::frozen(None));
        let bound = load(&sources, anchors, &Protected::default(), &redactor).unwrap();
        let audit = scratch.path().join("audit");
        let journal = Journal::open(&audit, Options::new(redactor.clone())).unwrap();
        let gate = Gate::new(bound, redactor, journal);
        let store = Store::default();
        let ask = async |label: &str, change: Change| {
            let (session, label) = ("s1".to_owned(), label.to_owned());
            make(&gate, Some(&store), &LabelChange { session, change, label }, 7).await
        };
        ask("good", Change::Add).await.unwrap();
        assert_eq!(ask("bad", Change::Add).await.unwrap_err(), "no such label");
        ask("good", Change::Remove).await.unwrap();
        assert_eq!(*store.0.lock().unwrap(), [Change::Add, Change::Remove]);
        let all: Vec<_> = records(&audit).unwrap().map(|entry| entry.unwrap().record).collect();
        let labels: Vec<_> = all.iter().filter(|record| record.kind == "label").collect();
        assert_eq!(labels.len(), 2);
        assert_eq!(labels[1].details["change"], "remove");
        assert_eq!(labels[1].details["session"], "s1");
        assert_eq!(labels[1].details["peer_uid"], 7);
        // What cannot be recorded is not done.
        for entry in std::fs::read_dir(&audit).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        assert!(ask("good", Change::Add).await.unwrap_err().contains("the log"));
        assert_eq!(store.0.lock().unwrap().len(), 2);
    }
}
