//! A path as the sidecar looks at it: how long each kind takes, and how many system calls.
//!
//! `cargo bench --bench paths` prints the time. The calls are counted from outside, since nothing in
//! the program knows them all: `strace -c` of the same program with `KIND COUNT` behind `--`, for two
//! counts, and the difference of the two divided by theirs.

use std::hint::black_box;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::{Duration, Instant};
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scratch = std::env::temp_dir().join(format!("toolgate-paths-{}", std::process::id()));
    std::fs::create_dir_all(scratch.join("w/src/deep"))?;
    std::fs::write(scratch.join("w/src/deep/file"), "x")?;
    symlink("src/deep/file", scratch.join("w/link"))?;
    symlink("src/deep", scratch.join("w/through"))?;
    let scratch = scratch.canonicalize()?;
    let root = AbsPath::parse(scratch.to_str().ok_or("the scratch directory has a strange name")?)?;
    let work = root.join("w")?;
    let world = Pinned::over(Arc::new(Same { home: None, path: None }), &work);
    let walk = |path: &str, count: u32| -> Result<Duration, Box<dyn std::error::Error>> {
        let route = Route::parse(Some(&root), path)?;
        let started = Instant::now();
        for _ in 0..count {
            black_box(world.walk(black_box(&route)));
        }
        Ok(started.elapsed())
    };
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [kind, count] = arguments.as_slice() {
        let known = KINDS.iter().find(|(name, _)| name == kind).ok_or("no kind is called so")?;
        walk(known.1, count.parse()?)?;
    } else {
        let depth = work.components().count();
        println!("the workspace lies {depth} directories deep; {ROUNDS} rounds each");
        for (name, path) in KINDS {
            let took = walk(path, ROUNDS)? / ROUNDS;
            println!("{name:8} {:>8.2} µs", took.as_secs_f64() * 1e6);
        }
    }
    std::fs::remove_dir_all(scratch)?;
    Ok(())
}
