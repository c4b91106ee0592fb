use super::*;
use std::os::unix::fs::PermissionsExt;

const TEXT: &str = "sk-told-to-nobody";

struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch { directory: tempfile::tempdir().unwrap() }
    }

    fn terms(&self, scheme: Scheme) -> Terms {
        let path = self.directory.path().join("secret");
        std::fs::write(&path, TEXT).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Terms {
            name: "api".to_owned(),
            bound: Some(Bound {
                host: Host::parse("api.example").unwrap(),
                port: 443,
                path: TextPattern::parse("/v1/*"),
            }),
            header: "authorization".to_owned(),
            scheme,
            source: Source::File(path),
            placeholder: Some("tg-placeholder-0123456789".to_owned()),
            refresh: Duration::ZERO,
        }
    }

    fn bindings(&self) -> Bindings {
        let terms = self.terms(Scheme::Word("Bearer".to_owned()));
        Bindings::new(vec![Arc::new(Credential::read(terms).unwrap())])
    }
}

fn value(one: &Credential) -> String {
    String::from_utf8(one.value().to_vec()).unwrap()
}

#[test]
fn how_a_header_says_it() {
    let scratch = Scratch::new();
    for (scheme, expected) in [
        (Scheme::Bare, TEXT.to_owned()),
        (Scheme::Word("token".to_owned()), format!("token {TEXT}")),
        (Scheme::Basic("git".to_owned()), "Basic Z2l0OnNrLXRvbGQtdG8tbm9ib2R5".to_owned()),
    ] {
        let one = Credential::read(scratch.terms(scheme)).unwrap();
        assert_eq!(value(&one), expected);
        assert!(!format!("{one:?}").contains(TEXT));
    }
}

#[test]
fn it_is_set_where_it_is_bound_and_nowhere_else() {
    let scratch = Scratch::new();
    let bindings = scratch.bindings();
    for (host, port, path, encrypted, expected) in [
        ("api.example", 443, "/v1/things", true, Ok(true)),
        ("api.example", 443, "/v1/", true, Ok(true)),
        ("api.example", 443, "/v2/things", true, Ok(false)),
        ("api.example", 8443, "/v1/things", true, Ok(false)),
        ("www.api.example", 443, "/v1/things", true, Ok(false)),
        ("api.example", 80, "/v1/things", false, Err(Reason::CleartextCredential)),
        ("api.example", 80, "/v2/things", false, Ok(false)),
        ("other.example", 80, "/v1/things", false, Ok(false)),
    ] {
        let host = Host::parse(host).unwrap();
        let to = Where { host: &host, port, path, encrypted };
        let got = bindings.bound(&to).map(|one| one.is_some());
        assert_eq!(got, expected, "{to:?}");
    }
    let host = |text: &str| Host::parse(text).unwrap();
    assert!(bindings.reach(&host("api.example"), 443));
    assert!(!bindings.reach(&host("api.example"), 80));
    assert!(!bindings.reach(&host("other.example"), 443));
}

#[test]
fn what_a_client_proves_itself_with_gives_way() {
    let scratch = Scratch::new();
    let one =
        Credential::read(Terms { header: "x-its-own".to_owned(), ..scratch.terms(Scheme::Bare) });
    let one = one.unwrap();
    for name in [
        "Authorization",
        "x-api-key",
        "X-API-Key",
        "api-key",
        "X-Its-Own",
        "X_Api_Key",
        "x_its-own",
    ] {
        assert!(one.replaces(name), "{name}");
    }
    for name in ["accept", "cookie", "x-api-keys"] {
        assert!(!one.replaces(name), "{name}");
    }
}

#[test]
fn a_file_that_changed_is_read_again_and_a_bad_one_is_not_believed() {
    let scratch = Scratch::new();
    let bindings = scratch.bindings();
    let one = bindings.named("api").unwrap();
    let path = scratch.directory.path().join("secret");
    for (text, expected) in
        [("second\n", "Bearer second"), ("\n", "Bearer second"), ("3", "Bearer 3")]
    {
        std::fs::write(&path, text).unwrap();
        bindings.refresh();
        assert_eq!(value(one), expected);
    }
    std::fs::remove_file(&path).unwrap();
    bindings.refresh();
    assert_eq!(value(one), "Bearer 3");
}

#[test]
fn a_command_is_asked_again_in_its_time() {
    let scratch = Scratch::new();
    let count = scratch.directory.path().join("count");
    let words = format!("echo >> {0}; wc -l < {0}", count.display());
    let source = Source::Command(["sh", "-c", &words].map(str::to_owned).to_vec());
    let with = |refresh| Terms { source: source.clone(), refresh, ..scratch.terms(Scheme::Bare) };
    let often = Credential::read(with(Duration::ZERO)).unwrap();
    often.refresh();
    assert_eq!(value(&often), "2");
    let seldom = Credential::read(with(Duration::from_secs(3_600))).unwrap();
    seldom.refresh();
    assert_eq!(value(&seldom), "3");
}

#[test]
fn without_a_secret_there_is_no_credential() {
    let scratch = Scratch::new();
    let source = Source::File(scratch.directory.path().join("absent"));
    let terms = Terms { source, ..scratch.terms(Scheme::Bare) };
    let error = Credential::read(terms).unwrap_err().to_string();
    assert!(error.contains("`api`") && error.contains("absent"), "{error}");
}
