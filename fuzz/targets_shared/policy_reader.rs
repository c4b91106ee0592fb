//! Any text: reading it as a policy ends, in a policy or in an error at least; and whatever it has
//! to say can be shown.

use toolgate::policy::builtin::Protected;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Severity, Source, compile};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned(), layer: None };
    let compiled = compile(&[source], &Anchors::frozen(None), &Protected::default());
    let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    assert_eq!(compiled.policy.is_none(), errors.count() > 0);
    for found in &compiled.diagnostics {
        assert!(!found.message.is_empty());
        for colour in [false, true] {
            assert!(!found.render(text, colour).is_empty());
        }
    }
}
