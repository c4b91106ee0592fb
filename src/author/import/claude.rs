//! Claude Code's settings and sandbox-runtime's, which name the same things: `network` with its
//! lists of hosts and sockets. Claude's stand below `sandbox`, beside permission rules.

use super::lists::{List, Lists, Ports};
use super::{Format, ImportError};
use serde_json::Value;

/// Which of the two it is: only Claude's has `sandbox` or `permissions`.
pub(super) fn format_of(settings: &Value) -> Format {
    let is_runtime = ["sandbox", "permissions"].iter().all(|key| settings.get(key).is_none())
        && settings.get("network").is_some();
    if is_runtime { Format::SandboxRuntime } else { Format::Claude }
}

/// Reads them.
pub(super) fn read(settings: &Value, format: Format) -> Result<Lists, ImportError> {
    let Some(settings) = settings.as_object() else {
        return Err(ImportError::Foreign("the settings are no JSON object".to_owned()));
    };
    let mut lists = Lists::default();
    let (sandbox, above) = match format {
        Format::SandboxRuntime => (Some(settings), ""),
        Format::Claude | Format::Codex => {
            (settings.get("sandbox").and_then(Value::as_object), "sandbox.")
        }
    };
    let permissions = settings.get("permissions").and_then(Value::as_object);
    if sandbox.is_none() && permissions.is_none() {
        let wanted = "it has neither `sandbox` nor `permissions`, so nothing here says which hosts";
        return Err(ImportError::Foreign(format!("{wanted} may be reached")));
    }
    for (key, value) in sandbox.into_iter().flatten() {
        match (key.as_str(), value.as_object()) {
            ("network", Some(network)) => {
                for (key, value) in network {
                    network_key(&mut lists, &format!("{above}network.{key}"), key, value);
                }
            }
            ("enabled", _) => {}
            _ => lists.notes.push(format!("{above}{key} says nothing of hosts")),
        }
    }
    for (key, list) in [("allow", List::Allow), ("ask", List::Ask), ("deny", List::Deny)] {
        if let Some(rules) = permissions.and_then(|permissions| permissions.get(key)) {
            permission_rules(&mut lists, &format!("permissions.{key}"), rules, list);
        }
    }
    Ok(lists)
}

fn network_key(lists: &mut Lists, place: &str, key: &str, value: &Value) {
    match key {
        "allowedDomains" | "allowedHosts" => hosts(lists, place, value, List::Allow),
        "deniedDomains" | "deniedHosts" => hosts(lists, place, value, List::Deny),
        "allowUnixSockets" => {
            for path in lists.texts(place, value) {
                lists.socket(place, path);
            }
        }
        "allowAllUnixSockets" if value == &Value::Bool(true) => {
            lists.add(List::Allow, "unix:**".to_owned());
        }
        "allowLocalBinding" if value == &Value::Bool(true) => {
            lists.add(List::Allow, "$loopback".to_owned());
            lists.notes.push(format!(
                "{place}: what listens on this machine may be reached; binding a port is the \
                 launcher's to allow"
            ));
        }
        "allowAllUnixSockets" | "allowLocalBinding" if value == &Value::Bool(false) => {}
        "httpProxyPort" | "socksProxyPort" => lists.notes.push(format!(
            "{place}: set it to the port of `listen` in `[egress]`, and toolgate judges what the \
             sandbox lets out"
        )),
        "strictAllowlist" | "allowManagedDomainsOnly" => {
            lists.notes.push(format!("{place}: a list of toolgate's is always the whole of it"));
        }
        "tlsTerminate" => lists.notes.push(format!(
            "{place}: set `intercept = true` in `[egress]`; only hosts whose rules need it are \
             opened"
        )),
        _ => lists.left_out.push(format!("{place} has no counterpart")),
    }
}

fn hosts(lists: &mut Lists, place: &str, value: &Value, list: List) {
    for entry in lists.texts(place, value) {
        lists.host(list, place, entry, Ports::Every);
    }
}

/// `WebFetch(domain:HOST)`; what other rules say is not about hosts.
fn permission_rules(lists: &mut Lists, place: &str, rules: &Value, list: List) {
    for rule in lists.texts(place, rules) {
        let inside = rule.strip_prefix("WebFetch(").and_then(|rest| rest.strip_suffix(')'));
        match inside.map(|inside| inside.strip_prefix("domain:")) {
            Some(Some(host)) => lists.host(list, place, host, Ports::OfWeb),
            _ if rule == "WebFetch" => lists.add(list, "**".to_owned()),
            _ => lists.notes.push(format!("{place}: {rule:?} says nothing of hosts")),
        }
    }
}
