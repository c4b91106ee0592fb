use super::*;
use crate::model::json::Json;
use crate::model::record::{CaptureLevel, Redaction};
use detector::Catalogue;
use regex::{Captures, Regex};
use serde_json::json;

fn shipped() -> Redactor {
    Redactor::shipped().unwrap()
}

/// `{a*36}` is 36 times `a`.
fn expand(sample: &str) -> String {
    let repeat = Regex::new(r"\{(.)\*([0-9]+)\}").unwrap();
    repeat
        .replace_all(sample, |part: &Captures<'_>| part[1].repeat(part[2].parse().unwrap()))
        .into_owned()
}

fn samples() -> Vec<detector::Written> {
    let catalogue: Catalogue =
        toml::from_str(include_str!("../../policies/catalogue/secrets.toml")).unwrap();
    catalogue.detectors
}

#[test]
fn every_detector_finds_its_hit_and_not_its_miss() {
    let redactor = shipped();
    assert!(samples().len() >= 15);
    for sample in samples() {
        let (hit, miss) = (expand(&sample.hit), expand(&sample.miss));
        if sample.key.is_some() {
            let (clean, redactions) = redactor.redact_json(&json!({ "client_secret": hit }));
            assert_eq!(clean, json!({ "client_secret": format!("[redacted:{}]", sample.id) }));
            assert_eq!(redactions.len(), 1, "{}", sample.id);
            let (_, redactions) = redactor.redact_json(&json!({ "client_secret": miss }));
            assert!(redactions.is_empty(), "{}", sample.id);
            continue;
        }
        let (clean, ids) = redactor.redact_text(&hit).expect(&sample.id);
        assert!(ids.contains(&sample.id), "{}: {ids:?} in {clean}", sample.id);
        assert!(clean.contains(&format!("[redacted:{}]", sample.id)), "{clean}");
        let ids = redactor.redact_text(&miss).map(|(_, ids)| ids).unwrap_or_default();
        assert!(!ids.contains(&sample.id), "{}: {miss}", sample.id);
    }
}

#[test]
fn passwords_on_a_command_line_are_found_and_code_is_left_alone() {
    let redactor = shipped();
    for text in [
        "mysql -pabcd-efgh",
        "curl -u app:abcd-efgh https://h.example/",
        "curl -sSL --user app:abcd-efgh https://h.example/",
        "curl -H 'X-Api-Key: abcd-efgh' https://h.example/",
        "curl -H 'PRIVATE-TOKEN: abcd-efgh' https://h.example/",
        "sshpass -p abcd-efgh ssh h.example",
        "docker run -e DB_PASS=abcd-efgh img",
        "docker login -u app -p abcd-efgh r.example",
        "openssl rsa -in k -passin pass:abcd-efgh",
        "openssl enc -aes-256-cbc -k abcd-efgh",
        "password: hunter2-efgh",
        "password=hunter2-efgh",
    ] {
        let (clean, _) = redactor.redact_text(text).expect(text);
        assert!(!clean.contains("efgh"), "{clean}");
    }
    for text in [
        "let token = parser.next();",
        "password: String",
        "password: Option<String>,",
        "password=password",
        "docker run -p 8080:80 img",
        "mkdir -p dir",
        "git log -p",
        "mysql -u app -p db",
        "PWD=/work/app",
        "curl -u app https://h.example:8443/",
        "fn password(&self) -> &str",
        "password: self.password.clone(),",
    ] {
        assert_eq!(redactor.redact_text(text), None, "{text}");
    }
    for key in ["token", "secret", "api_key", "apikey", "access_token", "passwd", "authorization"] {
        let (clean, _) = redactor.redact_json(&json!({ key: "abcd-efgh" }));
        assert_eq!(clean[key], "[redacted:named-field]", "{key}");
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Table {
    secret: Vec<String>,
    members: Vec<String>,
    honest: Vec<String>,
    honest_members: Vec<String>,
}

#[test]
fn secrets_in_the_forms_that_agents_write_are_found_and_honest_texts_stay() {
    let table: Table =
        toml::from_str(include_str!("../../tests/cases/secrets/table.toml")).unwrap();
    let redactor = shipped();
    let mut wrong = Vec::new();
    for secret in ["Zx9Kq2LmT7vRw4BnC8dQ", "r7Tq-Wm2x_Kp9ZvLs4Nd"] {
        for text in &table.secret {
            let text = text.replace("SECRET", secret);
            let (clean, _) = redactor.redact_text(&text).unwrap_or((text, vec![]));
            wrong.extend(clean.contains(secret).then_some(clean));
        }
        for text in &table.members {
            let value: Json = serde_json::from_str(&text.replace("SECRET", secret)).unwrap();
            let clean = redactor.redact_json(&value).0.to_string();
            wrong.extend(clean.contains(secret).then_some(clean));
        }
    }
    for text in &table.honest {
        wrong.extend(redactor.redact_text(text).map(|(clean, _)| clean));
    }
    for text in &table.honest_members {
        let value: Json = serde_json::from_str(text).unwrap();
        let clean = redactor.redact_json(&value).0;
        wrong.extend((clean != value).then(|| clean.to_string()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_in_any_spelling_have_the_same_words() {
    for name in ["newPassword", "NewPassword", "new-password", "NEW_PASSWORD", "new.password "] {
        assert_eq!(detector::words(name), "new_password");
    }
    assert_eq!(detector::words("APIKey"), "api_key");
    assert_eq!(detector::words("X-Api-Key"), "x_api_key");
    assert_eq!(detector::words("oauth2Token"), "oauth2_token");
    assert_eq!(detector::words("--\u{e9}"), "");
}

#[test]
fn what_one_text_of_a_value_tells_is_taken_out_of_the_others() {
    let (redactor, _) = keyed();
    let watch = redactor.watching();
    let secret = "Zx9Kq2LmT7vRw4";
    let value = json!({ "a": format!("mysql -p{secret} db"), "b": format!("x{secret}y"), "c": 1 });
    let kept = watch.capture(&value, CaptureLevel::Full).value.unwrap().to_string();
    assert!(!kept.contains(secret), "{kept}");
    // Beside it too, by whoever is told.
    let found = watch.found();
    assert!(found.iter().any(|(id, text)| (id, text) == ("mysql-flag", secret)));
    let knowing = redactor.knowing(&found);
    assert_eq!(
        knowing.clean(&format!("mysql -p {secret} db")),
        "mysql -p [redacted:mysql-flag] db"
    );
    assert_eq!(knowing.by_form().clean(secret), secret);
    assert_eq!(format!("{found:?}"), format!("Secrets({})", found.len()));
    // A short one, and one that is a word, is not looked for in the middle of others.
    let watch = redactor.watching();
    drop(watch.clean("curl -u app:abc https://h.example/; mysql -pwinter db"));
    let knowing = redactor.knowing(&watch.found());
    assert_eq!(knowing.clean("abc winters -pwinter x"), "abc winters -p[redacted:mysql-flag] x");
    assert_eq!(knowing.clean("[redacted:mysql-flag]"), "[redacted:mysql-flag]");
}

#[test]
fn what_is_left_around_a_secret() {
    let redactor = shipped();
    let key = "a".repeat(40);
    for (text, expected) in [
        (format!("x ghp_{key} y"), "x [redacted:github-token] y".to_owned()),
        (format!("ghp_{key}ghp_{key}"), "[redacted:github-token]".to_owned()),
        (
            "psql postgres://u:pppppp@h.example/d".to_owned(),
            "psql postgres://u:[redacted:url-password]@h.example/d".to_owned(),
        ),
        (
            format!("git push https://u:ghp_{key}@h.example/"),
            "git push https://u:[redacted:github-token]@h.example/".to_owned(),
        ),
        (
            "A_TOKEN=[redacted:jwt]tail-of-12345".to_owned(),
            "A_TOKEN=[redacted:env-assignment]".to_owned(),
        ),
        (
            "A_TOKEN=[redacted:nothing-known]".to_owned(),
            "A_TOKEN=[redacted:env-assignment]".to_owned(),
        ),
    ] {
        let (clean, _) = redactor.redact_text(&text).unwrap();
        assert_eq!(clean, expected);
    }
    // JSON inside a text stays JSON.
    let nested = r#"{\"password\":\"abcd-efgh-1234\"}"#;
    let (clean, _) = redactor.redact_text(nested).unwrap();
    assert_eq!(clean, r#"{\"password\":\"[redacted:quoted-assignment]\"}"#);
    for plain in ["", "cargo test", "A_TOKEN=[redacted:jwt]", "é🔑 sk-", "token = next_token()"]
    {
        assert_eq!(redactor.redact_text(plain), None, "{plain}");
    }
}

#[test]
fn json_loses_secrets_in_keys_and_values_but_no_member() {
    let key = format!("ghp_{}", "a".repeat(36));
    let value = json!({
        "a/b": [1, { "~": format!("x {key}") }],
        key.clone(): 1,
        format!("{key} "): 2,
        "password": "abcd-efgh",
        "max_tokens": 12,
    });
    let (clean, redactions) = shipped().redact_json(&value);
    assert_eq!(
        clean,
        json!({
            "a/b": [1, { "~": "x [redacted:github-token]" }],
            "[redacted:github-token]": 1,
            "[redacted:github-token] ": 2,
            "password": "[redacted:named-field]",
            "max_tokens": 12,
        })
    );
    let places: Vec<(&str, &str)> =
        redactions.iter().map(|one| (one.pointer.as_str(), one.detector.as_str())).collect();
    assert_eq!(
        places,
        [
            ("/a~1b/1/~0", "github-token"),
            ("/[redacted:github-token]", "github-token"),
            ("/[redacted:github-token] ", "github-token"),
            ("/password", "named-field"),
        ]
    );
    for (place, _) in places {
        assert!(clean.pointer(place).is_some(), "{place}");
    }
    assert_eq!(shipped().redact_json(&clean), (clean.clone(), vec![]));
}

#[test]
fn equal_keys_after_redaction_stay_apart() {
    let members: serde_json::Map<String, Json> = (0..50)
        .map(|n| {
            (
                format!(
                    "ghp_{}",
                    char::from(b'A' + n % 26).to_string().repeat(36 + usize::from(n))
                ),
                n.into(),
            )
        })
        .collect();
    let (clean, _) = shipped().redact_json(&Json::Object(members));
    assert_eq!(clean.as_object().unwrap().len(), 50);
    assert!(!clean.to_string().contains("ghp_"));
}

#[test]
fn a_capture_fits_on_a_line() {
    let redactor = shipped();
    for value in [
        json!({ "content": "é".repeat(2_000_000), "path": "/w/a" }),
        json!({ "content": "\u{1}".repeat(4_000), "more": ["\u{1}".repeat(4_000)] }),
        json!((0..100_000).collect::<Vec<u32>>()),
        json!((0..9_000).map(|n| format!("{n:060}")).collect::<Vec<_>>()),
    ] {
        let capture = redactor.capture(&value, CaptureLevel::Redacted);
        assert_eq!(capture.bytes, value.to_string().len());
        let kept = capture.value.unwrap();
        assert!(kept.to_string().len() <= CAPTURE_BYTES_MAX);
        let out = capture.redactions.iter().find(|one| one.detector == TOO_LONG).unwrap();
        assert!(kept.pointer(&out.pointer).unwrap()["sha256"].is_string(), "{}", out.pointer);
    }
    let small = json!({ "sha256": "mine", "n": 1.5, "s": ["x", null, true] });
    let capture = redactor.capture(&small, CaptureLevel::Redacted);
    assert_eq!((capture.value, capture.redactions.len()), (Some(small), 0));
}

#[test]
fn one_bad_text_costs_linear_time() {
    // Quadratic time would take hours here. Each text begins many secrets and ends none, or ends
    // each too early.
    let redactor = shipped();
    for sample in samples() {
        let hit = expand(&sample.hit);
        for cut in [hit.len() / 2, hit.len().saturating_sub(1), hit.len()] {
            let part = hit.get(..cut).unwrap_or(&hit);
            let text = part.repeat(50_000 / part.len().max(1));
            let ids = redactor.redact_text(&text).map_or(0, |(_, ids)| ids.len());
            assert!(ids <= text.len(), "{}", sample.hit);
        }
    }
    for part in [MARK, "[redacted:jwt]", "A_TOKEN=[redacted:jwt]x "] {
        assert!(redactor.redact_text(&part.repeat(5_000)).is_none_or(|(text, _)| text != part));
    }
}

/// Pieces that form secrets, halves of secrets and marks when they are strung together.
fn pieces() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let mut known: Vec<String> = samples().iter().map(|s| expand(&s.hit)).collect();
    known.extend(samples().iter().map(|s| expand(&s.miss)));
    known.extend(samples().iter().map(|s| format!("[redacted:{}]", s.id)));
    let words = [
        "password=",
        "TOKEN=",
        "\"",
        "'",
        " ",
        "://",
        ":",
        "@",
        "=",
        "[redacted:",
        "]",
        "é",
        "-----",
        "Authorization: Bearer ",
        "--token ",
        "sk-",
        "a",
        "\n",
        "secret: \"",
    ];
    known.extend(words.map(str::to_owned));
    let piece = prop_oneof![
        3 => proptest::sample::select(known),
        1 => "[a-zA-Z0-9:=@/_-]{0,50}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
}

proptest::proptest! {
    #[test]
    fn nothing_redacted_is_ever_found_again(text in pieces()) {
        let redactor = shipped_once();
        if let Some((clean, ids)) = redactor.redact_text(&text) {
            proptest::prop_assert_eq!(redactor.redact_text(&clean), None);
            proptest::prop_assert!(!ids.contains(&UNSETTLED.to_owned()), "{}", text);
        }
    }

    #[test]
    fn nothing_redacted_in_json_is_ever_found_again(key in pieces(), value in pieces()) {
        let (clean, _) = shipped_once().redact_json(&json!({ key: [{ "password": value }] }));
        proptest::prop_assert_eq!(shipped_once().redact_json(&clean), (clean, vec![]));
    }
}

fn shipped_once() -> &'static Redactor {
    static ONCE: std::sync::OnceLock<Redactor> = std::sync::OnceLock::new();
    ONCE.get_or_init(shipped)
}

#[test]
fn how_much_is_kept_is_the_levels_to_say() {
    let redactor = shipped();
    let key = format!("AKIA{}", "A".repeat(16));
    let long = "x".repeat(20_000);
    let value = json!({ "long": long, "key": key, "short": "s" });
    let detectors = |level| {
        let capture = redactor.capture(&value, level);
        assert_eq!(capture.bytes, value.to_string().len());
        let text = capture.value.clone().unwrap().to_string();
        assert!(!text.contains(&key) && text.len() <= CAPTURE_FULL_BYTES_MAX);
        let found: Vec<String> = capture.redactions.into_iter().map(|one| one.detector).collect();
        (capture.value.unwrap(), found)
    };
    let (full, found) = detectors(CaptureLevel::Full);
    assert_eq!(
        (full["long"].as_str(), found.as_slice()),
        (Some(long.as_str()), &["aws-access-key-id".to_owned()][..])
    );
    let (redacted, found) = detectors(CaptureLevel::Redacted);
    assert_eq!(redacted["long"], shipped().digest(&long));
    assert_eq!((redacted["short"].as_str(), found.len()), (Some("s"), 2));
    let (only, found) = detectors(CaptureLevel::Digest);
    assert_eq!(found, [DIGEST_ONLY]);
    // Of the text without its secrets: a digest of a short one would tell it.
    let clean = redactor.redact_json(&value).0;
    assert_eq!(only, shipped().digest(&clean.to_string()));
    // What is too long even so is shortened, string by string.
    let long = json!({ "a": "x".repeat(30_000), "b": "y".repeat(30_000), "c": "z" });
    let kept = redactor.capture(&long, CaptureLevel::Full).value.unwrap();
    assert_eq!((kept["a"]["bytes"].as_u64(), kept["c"].as_str()), (Some(30_000), Some("z")));
}

fn keyed() -> (Redactor, CommitmentKey) {
    let key = CommitmentKey::new([3; COMMITMENT_KEY_BYTES]);
    let keeping = Keeping { key: Some(key.clone()), texts: KeepTexts::Usual };
    (shipped().keeping(keeping), key)
}

#[test]
fn every_secret_that_is_taken_out_is_committed_to() {
    let (redactor, key) = keyed();
    let (one, two) = (format!("ghp_{}", "a".repeat(36)), format!("ghp_{}", "b".repeat(36)));
    for (value, pointer, secrets) in [
        (json!({ "command": format!("x {one} y") }), "/command", vec![one.as_str()]),
        (json!(format!("{one} {two} {one}")), "", vec![&one, &two]),
        (json!({ "password": "abcd-efgh" }), "/password", vec!["abcd-efgh"]),
        (json!({ "token": format!("Bearer {one}") }), "/token", vec![&one]),
        (json!([format!("git push https://u:{one}@h.example/")]), "/0", vec![&one]),
        (json!("mysql -pabcd-efgh"), "", vec!["abcd-efgh"]),
    ] {
        let capture = redactor.capture(&value, CaptureLevel::Redacted);
        for secret in secrets {
            let hmac = Some(key.commit(secret));
            let found = capture.redactions.iter().find(|redaction| redaction.hmac == hmac);
            assert_eq!(found.map(|found| found.pointer.as_str()), Some(pointer), "{value}");
        }
        // What is kept is the same as without a key, and no less is said of it.
        let bare = shipped().capture(&value, CaptureLevel::Redacted);
        assert_eq!(bare.value, capture.value);
        assert!(bare.redactions.iter().all(|one| one.hmac.is_none()));
        assert!(bare.redactions.len() <= capture.redactions.len());
    }
    let all: String = (0..200).map(|n| format!("ghp_{n:0>36} ")).collect();
    let capture = redactor.capture(&json!(all), CaptureLevel::Full);
    let committed = capture.redactions.iter().filter(|one| one.hmac.is_some()).count();
    assert_eq!((committed, capture.redactions.len()), (COMMITMENTS_MAX, COMMITMENTS_MAX));
}

#[test]
fn a_short_text_that_is_left_out_is_not_told_by_its_hash() {
    let (redactor, key) = keyed();
    let value = json!({ "command": "ls" });
    let told = redactor.capture(&value, CaptureLevel::Digest);
    let text = value.to_string();
    let expected = json!({ "hmac": key.commit_text(&text), "bytes": text.len() });
    assert_eq!(told.value, Some(expected));
    let long = json!("x".repeat(5_000));
    let told = redactor.capture(&long, CaptureLevel::Digest);
    assert!(told.value.unwrap()["sha256"].is_string() && told.texts.is_empty());
}

#[test]
fn a_long_text_is_handed_on_only_where_it_is_to_be_kept() {
    let secret = format!("ghp_{}", "a".repeat(36));
    let long = |bytes: usize| json!({ "a/b": [format!("{} {secret}", "word ".repeat(bytes / 5))] });
    let at = |texts, value: &Json, level| {
        shipped().keeping(Keeping { key: None, texts }).capture(value, level).texts
    };
    let (few, many) = (long(10_000), long(50_000));
    assert_eq!(at(KeepTexts::None, &many, CaptureLevel::Full), []);
    assert_eq!(at(KeepTexts::Full, &few, CaptureLevel::Full), []);
    assert_eq!(at(KeepTexts::Full, &many, CaptureLevel::Redacted), []);
    assert_eq!(at(KeepTexts::Usual, &many, CaptureLevel::Digest), []);
    for (keep, value, level) in [
        (KeepTexts::Full, &many, CaptureLevel::Full),
        (KeepTexts::Usual, &few, CaptureLevel::Redacted),
    ] {
        let texts = at(keep, value, level);
        assert_eq!((texts.len(), texts[0].pointer.as_str()), (1, "/a~1b/0"));
        assert!(texts[0].text.ends_with(" [redacted:github-token]"), "{}", texts[0].text);
    }
    // Where all of a value is left out, all of it is handed on.
    let texts = at(KeepTexts::Usual, &json!(vec!["some words"; 9_000]), CaptureLevel::Redacted);
    assert_eq!((texts.len(), texts[0].pointer.as_str()), (1, ""));
    let many: Vec<String> = (0..40).map(|n| format!("{n}").repeat(9_000)).collect();
    let texts = at(KeepTexts::Usual, &json!(many), CaptureLevel::Redacted);
    assert_eq!(texts.len(), TEXTS_KEPT_MAX);
}

#[test]
fn of_a_value_that_cannot_be_redacted_only_the_length_is_kept() {
    let (redactor, key) = keyed();
    let broken = Redactor { keeping: redactor.keeping.clone(), ..Redactor::panicking() };
    let value = json!({ "command": "a secret" });
    let capture = broken.capture(&value, CaptureLevel::Full);
    let text = value.to_string();
    let told = json!({ "hmac": key.commit_text(&text), "bytes": text.len() });
    assert_eq!(capture.value, Some(told));
    assert_eq!(capture.redactions, [Redaction::new("", UNREDACTABLE)]);
    let keyless = broken.keeping(Keeping::default()).capture(&value, CaptureLevel::Full);
    assert_eq!(keyless.value, Some(json!({ "bytes": text.len() })));
}
