//! A path as the sidecar looks at it: how long each kind takes, and how many system calls.
//!
//! `cargo bench --bench paths` prints the time. The calls are counted from outside, since nothing in
//! the program knows them all: `strace -c` of the same program with `KIND COUNT` behind `--`, for two
//! counts, and the difference of the two divided by theirs.

use std::hint::black_box;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Instant;
use toolgate::model::path::{AbsPath, Route};
use toolgate::world::{Pinned, Same};

/// What is looked at, below the scratch directory, and what it is called.
const KINDS: &[(&str, &str)] = &[
    ("file", "w/src/deep/file"),
    ("dotdot", "w/src/../src/deep/file"),
    ("new", "w/src/deep/new"),
    ("link", "w/link"),
    ("parent", "w/through/file"),
];
const ROUNDS: u32 = 20_000;

fn main() {
    let scratch = std::env::temp_dir().join(format!("toolgate-paths-{}", std::process::id()));
    std::fs::create_dir_all(scratch.join("w/src/deep")).expect("a scratch directory");
    std::fs::write(scratch.join("w/src/deep/file"), "x").expect("a file");
    symlink("src/deep/file", scratch.join("w/link")).expect("a link");
    symlink("src/deep", scratch.join("w/through")).expect("a link");
    let scratch = scratch.canonicalize().expect("the scratch directory");
    let root = AbsPath::parse(scratch.to_str().expect("a path in UTF-8")).expect("a path");
    let work = root.join("w").expect("a path");
    let world = Pinned::over(Arc::new(Same { home: None, path: None }), &work);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let walk = |path: &str, count: u32| {
        let route = Route::parse(Some(&root), path).expect("a path");
        let started = Instant::now();
        for _ in 0..count {
            black_box(world.walk(black_box(&route)));
        }
        started.elapsed()
    };
    match arguments.as_slice() {
        [kind, count] => {
            let known = KINDS.iter().find(|(name, _)| name == kind).expect("a kind");
            walk(known.1, count.parse().expect("a number"));
        }
        _ => {
            let depth = work.components().count();
            println!("the workspace lies {depth} directories deep; {ROUNDS} rounds each");
            for (name, path) in KINDS {
                let took = walk(path, ROUNDS) / ROUNDS;
                println!("{name:8} {:>8.2} µs", took.as_secs_f64() * 1e6);
            }
        }
    }
    let _ = std::fs::remove_dir_all(scratch);
}
