//! Whatever a text holds, what is shown of it holds no control, no change of order and nothing
//! invisible; showing it twice changes nothing; no cell is a formula; what a page gets out is what
//! was put in.

use toolgate::review::visible::{FORMULAS, cell, file_name, html, is_hostile, lines, plain};

pub fn hold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let shown = plain(&text);
    assert!(!shown.chars().any(is_hostile), "{shown:?}");
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(plain(&shown), shown);
    let several = lines(&text);
    assert!(!several.chars().any(|c| is_hostile(c) && c != '\n'), "{several:?}");
    assert_eq!(lines(&several), several);
    let one = cell(&text);
    assert!(!one.trim_start().starts_with(FORMULAS), "{one:?}");
    assert!(!one.contains(['\n', '\r', '\t']), "{one:?}");
    assert_eq!(cell(&one), one);
    let page = html(&text);
    assert!(!page.contains(['<', '>', '"', '\'']), "{page:?}");
    assert_eq!(unescaped(&page), shown);
    let name = file_name(&text);
    assert!(!name.is_empty() && !name.starts_with('.') && name.len() <= 100, "{name:?}");
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{name:?}");
    assert_eq!(file_name(&name), name);
}

/// As a browser reads it.
fn unescaped(page: &str) -> String {
    let mut out = page.to_owned();
    for (entity, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        out = out.replace(entity, c);
    }
    out
}
