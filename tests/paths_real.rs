//! Paths on the real file system: links, `..` after links, and what leaves the workspace.
#![cfg(test)]

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use toolgate::facts::{Place, paths};
use toolgate::model::path::{AbsPath, Real};
use toolgate::world::{Frozen, Mounted, Reported, Same, World};

fn abs(path: &Path) -> AbsPath {
    AbsPath::parse(path.to_str().unwrap_or_default()).unwrap_or_else(|_| AbsPath::root())
}

/// Where `text`, used from `cwd`, really leads, relative to the scratch directory.
fn leads(world: &dyn World, root: &AbsPath, cwd: &str, text: &str) -> String {
    let tmp = AbsPath::root();
    let place = Place { world, workspace: root, tmp: &tmp };
    let cwd = root.join(cwd).unwrap_or_else(|_| root.clone());
    match paths::target(text, Some(&cwd), &place).map(|target| target.real) {
        Ok(Real::At(real)) => real.as_str().replace(root.as_str(), "@"),
        Ok(Real::Unknown(doubt)) | Err(doubt) => format!("? {doubt}"),
    }
}

#[test]
fn dot_dot_is_taken_after_links() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let base = scratch.path().canonicalize().unwrap();
    std::fs::create_dir_all(base.join("w/src")).unwrap();
    std::fs::create_dir_all(base.join("out/dir")).unwrap();
    std::fs::write(base.join("out/secret"), "s").unwrap();
    symlink("../out/dir", base.join("w/link")).unwrap();
    symlink("loop", base.join("w/loop")).unwrap();
    symlink("gone", base.join("w/dangling")).unwrap();
    let root = abs(&base);
    let same = Same { home: None, path: None };
    for (cwd, text, expected) in [
        ("w", "link/../secret", "@/out/secret"),
        ("w/link", "../secret", "@/out/secret"),
        ("w", "src/../a", "@/w/a"),
        ("w", "link/x", "@/out/dir/x"),
        ("w", "dangling", "@/w/gone"),
        (
            "w",
            "absent/../a",
            "? the path cannot be resolved: `..` after a directory that is absent",
        ),
        ("w", "loop", "? the path cannot be resolved: too many symbolic links"),
        ("w", "/proc/self/root/etc/passwd", "? the path names something else for each process"),
    ] {
        assert_eq!(leads(&same, &root, cwd, text), expected, "{cwd} {text}");
    }
    let mounted = Mounted { mounts: vec![abs(&base.join("w"))], home: None };
    for (text, expected) in [
        ("src/../a", "@/w/a"),
        ("link/../secret", "? the path lies outside the declared mounts"),
        ("../out/secret", "? the path lies outside the declared mounts"),
    ] {
        assert_eq!(leads(&mounted, &root, "w", text), expected, "{text}");
    }
}

/// What each world makes of `text`: where it really leads, and every way there.
fn seen(world: &dyn World, root: &AbsPath, text: &str) -> (String, Vec<String>) {
    let tmp = AbsPath::root();
    let place = Place { world, workspace: root, tmp: &tmp };
    let target = paths::target(text, Some(root), &place).unwrap();
    let told = |path: &AbsPath| path.as_str().replace(root.as_str(), "@");
    let real = match &target.real {
        Real::At(real) => told(real),
        Real::Unknown(doubt) => format!("? {doubt}"),
    };
    (real, target.hops.iter().map(told).collect())
}

/// The agent's container has a directory of its own where the sidecar has an empty one, and links
/// into it and out of it.
#[test]
fn a_link_of_the_agents_container_is_seen_in_each_world_as_far_as_that_goes() {
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let base = scratch.path().canonicalize().unwrap();
    std::fs::create_dir_all(base.join("w")).unwrap();
    std::fs::create_dir_all(base.join("only")).unwrap();
    std::fs::write(base.join("w/.env"), "theirs").unwrap();
    symlink(base.join("only/secret"), base.join("w/in")).unwrap();
    // The agent, in a mount namespace of its own.
    let script = "mount -t tmpfs t only && echo -n hidden > only/secret && \
                  ln -s \"$PWD/w/.env\" only/out && cat w/in only/out";
    let agent = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .current_dir(&base)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&agent.stdout), "hiddentheirs", "{agent:?}");

    let root = abs(&base);
    let (inside, outside) = (base.join("w/in"), base.join("only/out"));
    let (inside, outside) = (inside.to_str().unwrap(), outside.to_str().unwrap());
    let hop = vec!["@/only/secret".to_owned()];
    let unseen = |doubt: &str| format!("? {doubt}");
    // One mount namespace was promised: where that is not so, the link's own text still tells where
    // it leads, and what only the agent has is not there.
    let same = Same { home: None, path: None };
    assert_eq!(seen(&same, &root, inside), ("@/only/secret".to_owned(), hop.clone()));
    assert_eq!(seen(&same, &root, outside), ("@/only/out".to_owned(), vec![]));
    // Outside of the mounts nothing is taken for the agent's.
    let mounted = Mounted { mounts: vec![abs(&base.join("w"))], home: None };
    let elsewhere = unseen("the path lies outside the declared mounts");
    assert_eq!(seen(&mounted, &root, inside), (elsewhere.clone(), hop.clone()));
    assert_eq!(seen(&mounted, &root, outside), (elsewhere, vec![]));
    // What the client tells is one more way; the path stays a maybe. Without a report it is all.
    let told = BTreeMap::from([(abs(Path::new(outside)), vec![abs(&base.join("w/.env"))])]);
    let none = unseen("no world is configured for this listener");
    let client = Reported::with_hops(told);
    assert_eq!(seen(&client, &root, outside), (none.clone(), vec!["@/w/.env".to_owned()]));
    assert_eq!(seen(&Reported::default(), &root, inside), (none, vec![]));
    // Examples are judged where no link is.
    assert_eq!(seen(&Frozen::default(), &root, inside), ("@/w/in".to_owned(), vec![]));
}
