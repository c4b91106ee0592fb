//! Labels that an operator sets and removes (policy language §11.20).

use super::change::Change;
use super::key::{Key, SessionId, User};
use super::labels::kept;
use super::store::Store;
use crate::model::json::Json;
use crate::model::principal::Runtime;
use crate::model::record::{Kind, Record};
use crate::model::time::Moment;
use crate::policy::Policy;
use crate::policy::label::LabelText;

/// A label to add to a session, or to take from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelChange {
    /// The session, as its runtime names it; `UID/RUNTIME/ID` where that is not one alone.
    pub session: String,
    /// Set it, or take it away.
    pub add: bool,
    /// The label, with its key if it has one.
    pub label: String,
    /// The operator's user id.
    pub by: u32,
}

/// Why an operator's label is not set or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// The policy does not let an operator set it.
    #[error("the policy in force lets no operator set `{0}`; name it in `[labels] external`")]
    NotExternal(String),
    /// It is no label, or none that can be kept.
    #[error("`{0}` is no label that can be kept")]
    NoLabel(String),
    /// Nobody knows that session.
    #[error("no session `{0}` has made a call yet")]
    NoSession(String),
    /// Several are named so.
    #[error("several sessions are named `{0}`; write UID/RUNTIME/ID, as `1000/claude/{0}`")]
    Ambiguous(String),
    /// There is no room for it.
    #[error("the session has as many labels as are kept")]
    Full,
    /// It cannot be known what the session is.
    #[error("what sessions did before is not known: {0}")]
    Lost(String),
    /// The record could not be written.
    #[error("the log cannot be written: {0}")]
    Unrecorded(String),
}

const RUNTIMES: [Runtime; 2] = [Runtime::Claude, Runtime::Codex];

impl Store {
    /// Makes a change once `record` has written it down. The session's user is locked meanwhile,
    /// so that nothing comes between the two.
    ///
    /// # Errors
    /// If the policy does not allow it, or it cannot be recorded; then nothing was changed.
    pub fn label(
        &self,
        wish: &LabelChange,
        policy: &Policy,
        now: Moment,
        record: impl FnOnce(Record) -> Result<(), String>,
    ) -> Result<(), LabelError> {
        let LabelChange { session, add, label, by } = wish;
        if let Some(why) = self.is_lost() {
            return Err(LabelError::Lost(why.to_owned()));
        }
        let plain = LabelText::parse(label).is_ok_and(|label| label.as_plain().is_some());
        if !plain || kept(label, &self.redactor).is_none() {
            return Err(LabelError::NoLabel(self.redactor.clean(label).into_owned()));
        }
        if !policy.labels.may_be_set(label) {
            return Err(LabelError::NotExternal(label.clone()));
        }
        let key = self.find(session)?;
        let cell = self.cell(key.user);
        let mut memory = cell.lock();
        let labels = std::slice::from_ref(label);
        let has_room =
            memory.session(key.session).is_some_and(|state| state.labels.has_room_for(labels));
        if *add && !has_room {
            return Err(LabelError::Full);
        }
        let mut change = Change::new(key, memory.seq + 1, now);
        match add {
            true => change.marked.push(label.clone()),
            false => change.unmarked.push(label.clone()),
        }
        let details: Vec<(&'static str, Json)> = vec![
            ("session", session.as_str().into()),
            ("change", if *add { "add" } else { "remove" }.into()),
            ("label", label.as_str().into()),
            ("peer_uid", (*by).into()),
        ];
        let state = change.to_json();
        record(Record { details, state, ..Record::new(Kind::Label) })
            .map_err(LabelError::Unrecorded)?;
        self.commit(&mut memory, key.session, &change);
        Ok(())
    }

    /// The one session that is named so.
    fn find(&self, name: &str) -> Result<Key, LabelError> {
        let mut found = Vec::new();
        for (user, cell) in self.cells() {
            let memory = cell.lock();
            let ids = RUNTIMES.into_iter().filter_map(|runtime| {
                let id = named(name, user, runtime)?;
                let session = SessionId::of(runtime, id);
                memory.session(session).map(|_| Key { user, session })
            });
            found.extend(ids);
        }
        match found.as_slice() {
            [] => Err(LabelError::NoSession(self.redactor.clean(name).into_owned())),
            [key] => Ok(*key),
            _ => Err(LabelError::Ambiguous(self.redactor.clean(name).into_owned())),
        }
    }
}

/// The id of a session of this user and runtime that `name` may mean.
fn named(name: &str, User(user): User, runtime: Runtime) -> Option<&str> {
    let mut parts = name.splitn(3, '/');
    let (Some(uid), Some(of), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Some(name);
    };
    let Ok(uid) = uid.parse::<u32>() else { return Some(name) };
    if of.parse::<Runtime>().is_err() {
        return Some(name);
    }
    (user == Some(uid) && of == runtime.as_str()).then_some(id)
}
