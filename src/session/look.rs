//! A look at a session: what the policy says of something that is no call, and takes nothing.

use super::key::Key;
use super::store::Store;
use crate::model::decision::Decision;
use crate::model::session::{Session, Spent};
use crate::model::time::Moment;
use crate::policy::Policy;

impl Store {
    /// Judges by the session's labels as they stand. Limits and budgets count calls, so they have
    /// no say here, and nothing is reserved or marked.
    pub fn look(
        &self,
        key: Key,
        policy: &Policy,
        now: Moment,
        decide: impl FnOnce(Session) -> Decision,
    ) -> Decision {
        if let Some(why) = self.is_lost() {
            let why = format!("what sessions did before is not known: {why}");
            return Decision::refusal(why, policy.id.clone());
        }
        let places = self.places(policy);
        let view = self.cell(key.user).lock().view(key.session, (policy, &places), now, None);
        let used = vec![0.0; view.used.len()];
        decide(Session { used, spent: Spent::default(), ..view })
    }
}
