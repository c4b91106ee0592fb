use super::*;
use crate::policy::Source;
use crate::policy::builtin::Protected;
use crate::policy::compile::compile;
use crate::policy::pattern::Anchors;

fn imported(settings: &str) -> Imported {
    let imported = import(settings, None).unwrap();
    let source = Source { name: "x".to_owned(), text: imported.policy.clone(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    assert!(compiled.policy.is_some(), "{:?}\n{}", compiled.diagnostics, imported.policy);
    imported
}

fn list(policy: &str, key: &str) -> Vec<String> {
    let table: toml::Table = policy.parse().unwrap();
    let list = table.get("connect").and_then(|connect| connect.get(key)).cloned();
    list.map(|list| list.try_into().unwrap()).unwrap_or_default()
}

#[test]
fn claude_settings() {
    let made = imported(
        r#"{
        "model": "x",
        "permissions": {
            "allow": ["WebFetch(domain:docs.example)", "Bash(ls)"],
            "deny": ["WebFetch(domain:bad.example)"]
        },
        "sandbox": {"enabled": true, "excludedCommands": ["docker"], "network": {
            "allowedDomains": [
                "api.example", "*.cdn.example", "db.example:5432", "bücher.example", "127.1", "a b"
            ],
            "allowedHosts": ["api.example"],
            "deniedDomains": ["evil.example"],
            "allowUnixSockets": ["/run/x.sock", "~/agent", "x/*"],
            "allowLocalBinding": true, "httpProxyPort": 8080
        }}}"#,
    );
    assert_eq!(made.format, Format::Claude);
    assert_eq!(
        list(&made.policy, "allow"),
        [
            "$loopback",
            "unix:/run/x.sock",
            "unix:~/agent",
            "api.example:*",
            "*.cdn.example:*",
            "db.example:5432",
            "xn--bcher-kva.example:*",
            "docs.example",
        ]
        .map(str::to_owned)
    );
    assert_eq!(list(&made.policy, "deny"), ["evil.example:*", "bad.example"]);
    let left = made.left_out.join("\n");
    for expected in ["127.1", "a b", "x/*"] {
        assert!(left.contains(expected), "{expected} in {left}");
    }
    for expected in ["httpProxyPort", "excludedCommands", "Bash(ls)"] {
        assert!(made.notes.iter().any(|note| note.contains(expected)), "{expected}");
    }
}

#[test]
fn sandbox_runtime_settings() {
    let made = imported(
        r#"{
            "network": {"allowedDomains": [], "deniedDomains": ["*"]},
            "filesystem": {"denyRead": ["~/.ssh"]}
        }"#,
    );
    assert_eq!(made.format, Format::SandboxRuntime);
    // An empty list allows nothing (CVE-2025-66479 was the other reading).
    assert_eq!(list(&made.policy, "allow"), [""; 0]);
    assert_eq!(list(&made.policy, "deny"), ["**"]);
}

#[test]
fn codex_configuration() {
    let made = imported(
        "[network_proxy]\nmode = \"limited\"\n\
         [network_proxy.policy]\nallowed_domains = [\"**.x.example\"]\n\
         allow_unix_sockets = [\"/run/y\"]\n\
         [permissions.dev.network.domains]\n\"z.example\" = \"deny\"\n",
    );
    assert_eq!(made.format, Format::Codex);
    assert_eq!(
        list(&made.policy, "allow"),
        ["unix:/run/y", "GET **.x.example:*", "HEAD **.x.example:*", "OPTIONS **.x.example:*"]
    );
    assert_eq!(list(&made.policy, "deny"), ["z.example:*"]);
}

#[test]
fn what_is_none_of_these_is_said() {
    for text in ["{}", "[]", "x = 1", "{\"a\":", "= 1"] {
        assert!(import(text, None).is_err(), "{text}");
    }
}

proptest::proptest! {
    /// Whatever stands in the lists, the policy that is made of them loads.
    #[test]
    fn what_is_made_loads(
        entries in proptest::collection::vec("[a-z*.:0-9\\[\\]\"\\\\\n $]{0,12}", 0..6)
    ) {
        let settings = serde_json::json!({
            "network": {
                "allowedDomains": entries,
                "allowUnixSockets": entries,
                "deniedDomains": entries
            }
        });
        imported(&settings.to_string());
    }
}
