//! Any text: reading it as a policy ends, in a policy or in an error at least; whatever it has to
//! say, lints among it, can be shown, and holds no character that steers a terminal; and a layout
//! of it is its own.

use toolgate::author::format::{FormatError, format};
use toolgate::policy::builtin::Protected;
use toolgate::policy::diagnostic::{ascii, json, sarif};
use toolgate::policy::lint::lint;
use toolgate::policy::pattern::Anchors;
use toolgate::policy::{Severity, Source, compile};

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned(), layer: None };
    let sources = [source];
    let compiled = compile(&sources, &Anchors::frozen(None), &Protected::default());
    let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    assert_eq!(compiled.policy.is_none(), errors.count() > 0);
    let lints = lint(&sources, &compiled, None);
    assert!(lints.iter().all(|found| found.severity < Severity::Error));
    let all = [compiled.diagnostics, lints].concat();
    for found in &all {
        assert!(!found.message.is_empty());
        for colour in [false, true] {
            let shown = found.render(text, colour);
            assert!(shown.contains(found.code));
            assert!(colour || !shown.contains(|c: char| c.is_control() && c != '\n'));
        }
    }
    for told in [json::diagnostics(&all, &sources), sarif::log(&all, &sources, &[])] {
        let shown = ascii(&told.to_string()).into_owned();
        assert!(!shown.contains(char::is_control));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), told);
    }
    match format(text) {
        Ok(laid_out) => assert_eq!(format(&laid_out), Ok(laid_out)),
        Err(error) => assert_eq!(error, FormatError::NoToml),
    }
}
