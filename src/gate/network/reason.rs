//! Which code a refusal has: the first that applies, in the order of the checks.

use crate::engine::reach;
use crate::model::decision::{Basis, Decision, Fired};
use crate::model::effect::Effect;
use crate::model::host::Host;
use crate::model::reason::Reason;
use crate::model::truth::Truth;
use crate::model::url::Network;
use crate::policy::Policy;
use crate::policy::pattern::connect::Fit;
use std::net::IpAddr;

/// Of a name, and of what can be seen of the request.
pub(super) fn of_name(decision: &Decision, policy: &Policy, to: &Network) -> Reason {
    match decision.basis {
        Basis::Limit | Basis::Budget => return Reason::BudgetExceeded,
        Basis::BuiltIn => return Reason::HostDenied,
        Basis::Failsafe => return Reason::HostNotAllowed,
        Basis::Rule | Basis::Default | Basis::Unattended => {}
    }
    let holds_back = |fired: &&Fired| !fired.shadow && fired.effect != Effect::Allow;
    let refusing = || decision.rules.iter().filter(holds_back);
    if let Some(fired) = refusing().find(|fired| fired.truth == Truth::Yes) {
        return of_deny(policy, to, fired);
    }
    if refusing().any(|fired| fired.truth == Truth::Maybe) {
        return match (&to.method, &to.path) {
            (Some(_), Some(_)) => Reason::PathAmbiguous,
            _ => Reason::InterceptRequired,
        };
    }
    match (reach::fit(policy, to), &to.host) {
        (Fit::Nothing, Host::Address(_)) => Reason::IpLiteralNotAllowed,
        (Fit::Nothing, Host::Name(_)) => Reason::HostNotAllowed,
        (Fit::Host, _) => Reason::PortNotAllowed,
        (Fit::Service | Fit::Path, _) => Reason::MethodNotAllowed,
        (Fit::Method, _) => Reason::PathNotAllowed,
        (Fit::Unseen, _) => Reason::InterceptRequired,
        // Named, and yet not allowed: by a path that can be read in two ways, or by a condition.
        (Fit::Whole, _) => {
            let doubted = decision.rules.iter().any(|fired| fired.truth == Truth::Maybe);
            let inside = to.path.is_some() && reach::looks_inside(policy, to);
            if doubted && inside { Reason::PathAmbiguous } else { Reason::HostNotAllowed }
        }
    }
}

/// Of a rule that surely refuses: the host, or what is asked of it.
fn of_deny(policy: &Policy, to: &Network, fired: &Fired) -> Reason {
    let bare = Network { method: None, path: None, ..to.clone() };
    match reach::denies(policy, &fired.id, &bare) {
        Fit::Unseen => {
            match reach::denies(policy, &fired.id, &Network { path: None, ..to.clone() }) {
                Fit::Unseen => Reason::PathNotAllowed,
                _ => Reason::MethodNotAllowed,
            }
        }
        _ => Reason::HostDenied,
    }
}

/// Of the addresses that an allowed name leads to.
pub(super) fn of_addresses(decision: &Decision) -> Reason {
    match decision.basis {
        Basis::Limit | Basis::Budget => Reason::BudgetExceeded,
        Basis::Failsafe => Reason::HostNotAllowed,
        Basis::Rule | Basis::Default | Basis::Unattended | Basis::BuiltIn => Reason::AddressBlocked,
    }
}

/// Why no address may be dialled.
pub(super) fn in_words(reason: Reason, host: &Host, all: &[IpAddr]) -> String {
    let found: Vec<String> = all.iter().map(ToString::to_string).collect();
    let found = found.join(", ");
    match reason {
        Reason::DnsFailure => format!("no address is known of `{host}`"),
        Reason::SelfConnection => format!("`{host}` leads to a listener of the guard itself"),
        Reason::IpLiteralBlocked => format!(
            "`{host}` is an address that is refused unless a rule names it by `$private`, \
             `$loopback` or a network"
        ),
        _ => format!(
            "`{host}` leads to {found}, which is refused unless a rule names it by `$private`, \
             `$loopback` or a network"
        ),
    }
}
