//! What one hook costs, as a whole process beside `/bin/true`, in one rotating run; what HTTP hooks
//! cost beside the socket and a bare server; and what a thousand sessions cost the sidecar.
//!
//! `cargo bench --bench hook` builds the sidecar for the host; `TOOLGATE_BIN=path` measures
//! another build, such as the static one that images ship. After `--`: `processes`, `http`,
//! `sessions`, or several of them; all if none is named. All that is compared takes turns in one
//! run, so that a machine that slows down slows them all; `benches/README.md` says more.

#[path = "hook/http.rs"]
mod http;
#[path = "hook/processes.rs"]
mod processes;
#[path = "hook/series.rs"]
mod series;
#[path = "hook/sessions.rs"]
mod sessions;
#[path = "hook/sidecar.rs"]
mod sidecar;

use sidecar::Sidecar;
use std::path::PathBuf;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut named: Vec<String> = std::env::args().skip(1).collect();
    named.retain(|name| name != "--bench");
    if named == [http::BARE] {
        return http::serve_bare();
    }
    let rounds: usize = match std::env::var("ROUNDS") {
        Ok(text) => text.parse()?,
        Err(_) => 300,
    };
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|one| one == name);
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg")?.trim_end());
    for part in ["processes", "http", "sessions"].into_iter().filter(|part| is_wanted(part)) {
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-hook");
        let sidecar = Sidecar::start(&scratch)?;
        let outcome = match part {
            "processes" => processes::measure(&sidecar, rounds),
            "http" => http::measure(&sidecar),
            _ => sessions::measure(&sidecar),
        };
        sidecar.stop()?;
        outcome?;
    }
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg")?.trim_end());
    Ok(())
}
