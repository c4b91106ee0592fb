//! Codex's network proxy: `allowed_domains` and `denied_domains`, or `domains` with a word for
//! each, in whichever of its tables a version keeps them.

use super::ImportError;
use super::lists::{List, Lists, Ports};
use serde_json::Value;

/// The tables that have held the lists, as paths from the top.
const TABLES: [&[&str]; 6] = [
    &["network"],
    &["network_proxy"],
    &["network_proxy", "policy"],
    &["permissions", "network"],
    &["experimental_network"],
    &["features", "network_proxy"],
];

/// In limited mode nothing else is let through.
const READING: [&str; 3] = ["GET", "HEAD", "OPTIONS"];

/// Reads them.
pub(super) fn read(configuration: &toml::Table) -> Result<Lists, ImportError> {
    let whole = serde_json::to_value(configuration)
        .map_err(|error| ImportError::Unreadable(error.to_string()))?;
    let mut tables: Vec<(String, &Value)> =
        TABLES.iter().filter_map(|path| Some((path.join("."), inside(&whole, path)?))).collect();
    // A profile of permissions has its own.
    let profiles = whole.get("permissions").and_then(Value::as_object);
    for (name, profile) in profiles.into_iter().flatten().filter(|(name, _)| *name != "network") {
        tables.extend(profile.get("network").map(|at| (format!("permissions.{name}.network"), at)));
    }
    if tables.is_empty() {
        let why = "it has no table of Codex's network proxy, such as `[network_proxy.policy]`";
        return Err(ImportError::Foreign(why.to_owned()));
    }
    let mut lists = Lists::default();
    for (place, table) in &tables {
        for (key, value) in table.as_object().into_iter().flatten() {
            let at = format!("{place}.{key}");
            let is_table_of_ours = tables.iter().any(|(other, _)| *other == at);
            if !is_table_of_ours {
                one(&mut lists, &at, key, value);
            }
        }
    }
    let is_limited = tables.iter().any(|(_, table)| table.get("mode") == Some(&"limited".into()));
    if is_limited {
        only_reading(&mut lists);
    }
    Ok(lists)
}

fn inside<'a>(whole: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(whole, |at, key| at.get(key)).filter(|at| at.is_object())
}

fn one(lists: &mut Lists, place: &str, key: &str, value: &Value) {
    match key {
        "allowed_domains" => {
            for entry in lists.texts(place, value) {
                lists.host(List::Allow, place, entry, Ports::Every);
            }
        }
        "denied_domains" => {
            for entry in lists.texts(place, value) {
                lists.host(List::Deny, place, entry, Ports::Every);
            }
        }
        "domains" => {
            for (entry, word) in value.as_object().into_iter().flatten() {
                match word.as_str() {
                    Some("allow") => lists.host(List::Allow, place, entry, Ports::Every),
                    Some("deny") => lists.host(List::Deny, place, entry, Ports::Every),
                    _ => lists
                        .left_out
                        .push(format!("{place}: {entry:?} is neither allowed nor denied")),
                }
            }
        }
        "allow_unix_sockets" => {
            for path in lists.texts(place, value) {
                lists.socket(place, path);
            }
        }
        "unix_sockets" => {
            for (path, word) in value.as_object().into_iter().flatten() {
                match word.as_str() {
                    Some("allow") => lists.socket(place, path),
                    _ => lists.left_out.push(format!("{place}: {path:?} is not allowed")),
                }
            }
        }
        "allow_local_binding" if value == &Value::Bool(true) => {
            lists.add(List::Allow, "$loopback".to_owned());
            lists.add(List::Allow, "$private".to_owned());
        }
        // What they say is said by `[egress]` here, or is how toolgate always is.
        "allow_local_binding" | "enabled" | "mode" | "enable_socks5" | "enable_socks5_udp" => {}
        "allow_upstream_proxy" if value == &Value::Bool(true) => {
            lists.notes.push(format!("{place}: name the proxy as `upstream_proxy` in `[egress]`"));
        }
        "allow_upstream_proxy" => {}
        "proxy_url" | "socks_url" => {
            lists.notes.push(format!("{place}: where the proxy listens is `listen` in `[egress]`"));
        }
        _ => lists.left_out.push(format!("{place} has no counterpart")),
    }
}

/// Every allow of a host becomes an allow of reading from it.
fn only_reading(lists: &mut Lists) {
    let allow = std::mem::take(&mut lists.allow);
    for pattern in allow {
        let is_host = !pattern.starts_with('$') && !pattern.starts_with("unix:");
        match is_host {
            true => READING.iter().for_each(|method| {
                let host = if pattern == "**" { "**:*" } else { &pattern };
                lists.add(List::Allow, format!("{method} {host}"));
            }),
            false => lists.add(List::Allow, pattern),
        }
    }
    lists.notes.push(
        "limited mode: only GET, HEAD and OPTIONS; for https this needs `intercept = true` in \
         `[egress]`"
            .to_owned(),
    );
}
