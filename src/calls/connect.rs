//! Whose a connection may be: the session whose call under way names its host, or the only session
//! there is. A guess that is not the only one is none.

use super::{Call, Calls};
use crate::limits::HOSTS_OF_CALL_MAX;
use crate::model::call::CallId;
use crate::model::host::Host;
use crate::model::principal::Principal;
use crate::session::{Key, User};

/// Whose a connection is taken for.
#[derive(Debug, Clone, PartialEq)]
pub enum Connecting {
    /// Of the one session with a call under way that names the host.
    Call(Principal, CallId),
    /// Of the only session that lives.
    Session(Principal),
    /// Nobody knows.
    Unknown,
}

impl Calls {
    /// Remembers the hosts that a call under way would connect to.
    pub fn connects(&self, call: &Call<'_>, hosts: Vec<Host>) {
        let Some(tool_use_id) = call.tool_use_id.filter(|_| !hosts.is_empty()) else { return };
        let key = Key::of(call.principal);
        let mut users = self.lock();
        let thread = users.get_mut(&key.user).and_then(|all| all.get_mut(&key.session));
        if let Some(thread) = thread {
            thread.connects(tool_use_id, hosts.into_iter().take(HOSTS_OF_CALL_MAX).collect());
        }
    }

    /// Whose a connection of this user to this host is; of any user's, if none is known.
    #[must_use]
    pub fn connecting(&self, uid: Option<u32>, host: &Host) -> Connecting {
        let users = self.lock();
        let of_user = users.iter().filter(|(user, _)| uid.is_none() || **user == User(uid));
        let mut naming = None;
        let mut only = None;
        let (mut several_name, mut sessions) = (false, 0);
        for thread in of_user.flat_map(|(_, threads)| threads.values()) {
            sessions += 1;
            only = Some(thread);
            if let Some(call) = thread.connecting(host) {
                several_name |= naming.is_some();
                naming = Some((thread, call));
            }
        }
        match (naming, only) {
            (Some((thread, (call, agent))), _) if !several_name => {
                Connecting::Call(Principal { agent, ..thread.principal().clone() }, call)
            }
            (None, Some(thread)) if sessions == 1 => {
                Connecting::Session(thread.principal().clone())
            }
            _ => Connecting::Unknown,
        }
    }
}
