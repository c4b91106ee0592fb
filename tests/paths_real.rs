//! Paths on the real file system: links, `..` after links, and what leaves the workspace.

use std::os::unix::fs::symlink;
use std::path::Path;
use toolgate::facts::{Place, paths};
use toolgate::model::path::{AbsPath, Real};
use toolgate::world::{Mounted, Same, World};

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
