//! Many sessions at once, half of their calls in parallel, against one sidecar that is reloaded,
//! stopped and killed meanwhile. Each answer is what the policy says, or the client's own denial
//! while nobody is there; each answer stands in the log, and nothing else does.
//!
//! A tenth of it runs by default; `TOOLGATE_LOAD=full cargo test --release --test hook_load --
//! --nocapture` plays 1,000 sessions.
#![cfg(test)]

#[path = "load/mod.rs"]
mod load;
#[path = "harness/restart.rs"]
mod restart;
#[path = "harness/sidecar.rs"]
#[expect(dead_code, reason = "not every test asks all of the harness")]
mod sidecar;

use load::agent::{CALLS, Played, Stage, play};
use load::ledger::{POLICIES, check};
use load::wire::There;
use nix::sys::signal::Signal;
use restart::restart;
use sidecar::{Sidecar, until};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use toolgate::service::admin::{Reloaded, Reply, Request, ask};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Sessions played at once; of each up to five calls are under way.
const AT_ONCE: usize = 16;
/// Far above what a reload needs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Far above what so many sessions need, and far below what a leak would take.
const RSS_KIB_MAX: usize = 256 * 1024;

/// What happens to the sidecar while it is asked, at even distances.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Reload,
    Stop,
    Kill,
}
use Blow::{Kill, Reload, Stop};
const BLOWS: [Blow; 9] = [Reload, Stop, Reload, Kill, Kill, Reload, Stop, Kill, Reload];

/// The policy of which `daily` calls of one tool may be made by all sessions together.
fn policy(which: usize, daily: usize) -> String {
    let (name, only) = (POLICIES[which], ["a", "b"][which]);
    format!(
        r#"
schema = 1
[policy]
name       = "{name}"
default    = "defer"
unattended = "deny"
[read]
allow = ["$workspace/"]
[write]
allow = ["$workspace/"]
ask   = ["$workspace/ci/"]
[exec]
allow = ["git ...", "cat"]
[connect]
allow = ["https://docs.example"]
[call]
allow = ["$transparent"]
[[rule]]
id    = "secret"
deny  = "read"
match = ["$workspace/secret/"]
[[rule]]
id    = "only"
deny  = "read"
match = ["$workspace/only-{only}/"]
[[rule]]
id     = "keys"
redact = "output"
match  = ["$keys"]
[[rule]]
id    = "taints"
note  = "read"
match = ["$workspace/taint/"]
mark  = ["tainted"]
[[rule]]
id    = "closed"
deny  = "connect"
match = ["**"]
when  = {{ seen = "tainted" }}
[[rule]]
id    = "few"
allow = "call"
match = ["mcp:shop/few"]
limit = "3/session"
[[rule]]
id    = "pay"
allow = "call"
match = ["mcp:shop/pay"]
limit = {{ sum = "args.amount", max = 1000, per = "session" }}
[[rule]]
id    = "daily"
allow = "call"
match = ["mcp:shop/daily"]
limit = {{ max = {daily}, per = "day" }}
"#
    )
}

/// The sidecar and what is done to it.
struct Guard {
    sidecar: Sidecar,
    _token: tempfile::TempDir,
    there: There,
    daily: usize,
    starts: usize,
    stops: usize,
}

impl Guard {
    fn start(daily: usize) -> Guard {
        let dir = tempfile::Builder::new().prefix("h").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let dir = dir.unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, TOKEN).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let http = dir.path().join("h");
        let (listen, file) = (http.display(), file.display());
        let lines = format!("[http]\nlisten = \"unix:{listen}\"\ntoken_file = \"{file}\"\n");
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolgate"));
        let sidecar = Sidecar::start_with(&policy(0, daily), &lines, &mut command);
        let there =
            There { socket: sidecar.socket(), http, token: TOKEN, epoch: AtomicUsize::new(0) };
        Guard { sidecar, _token: dir, there, daily, starts: 1, stops: 0 }
    }

    /// What `/proc` says of the sidecar: open descriptors, and what it holds in memory now and at
    /// most, in KiB.
    fn weight(&self) -> (usize, usize, usize) {
        let proc = std::path::PathBuf::from(format!("/proc/{}", self.sidecar.child.id()));
        let status = std::fs::read_to_string(proc.join("status")).unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (std::fs::read_dir(proc.join("fd")).unwrap().count(), of("VmRSS:"), of("VmHWM:"))
    }
}

/// Does to the sidecar what is to be done to it while `stage` is played.
fn strike(
    sidecar: &mut Sidecar,
    there: &There,
    stage: &Stage<'_>,
    blow: Blow,
    daily: usize,
) -> (usize, usize) {
    if let Reload = blow {
        let version = stage.version.fetch_add(1, SeqCst) + 1;
        let which = version.div_ceil(2) % 2;
        std::fs::write(sidecar.path("policy.toml"), policy(which, daily)).unwrap();
        let asked = ask(&sidecar.path("run/admin.sock"), &Request::Reload, PATIENCE).unwrap();
        let Reply::Reload(reload) = asked else { panic!("{asked:?}") };
        assert_eq!((reload.outcome, &*reload.policy), (Reloaded::Loaded, POLICIES[which]));
        stage.version.fetch_add(1, SeqCst);
        return (0, 0);
    }
    there.epoch.fetch_add(1, SeqCst);
    let began = Instant::now();
    let signal = if let Stop = blow { Signal::SIGTERM } else { Signal::SIGKILL };
    restart(sidecar, signal);
    // The socket of HTTP hooks was opened before the one that answers now.
    println!("{blow:?}: nobody was there for {} ms", began.elapsed().as_millis());
    there.epoch.fetch_add(1, SeqCst);
    (1, usize::from(signal == Signal::SIGTERM))
}

/// Plays all sessions, and strikes the sidecar meanwhile.
fn storm(guard: &mut Guard, sessions: usize) -> Vec<Played> {
    let Guard { sidecar, there, daily, starts, stops, .. } = guard;
    let work = sidecar.path("work").display().to_string();
    let (progress, version) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let stage = Stage { there: &*there, work, progress, version };
    let (next, played) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let worker = || {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, SeqCst);
                    if number >= sessions {
                        break;
                    }
                    let session = play(&stage, number);
                    played.lock().unwrap().push(session);
                }
            })
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| worker()).collect();
        for (number, blow) in (1..).zip(BLOWS) {
            let at = sessions * CALLS * number / (BLOWS.len() + 1);
            while stage.progress.load(SeqCst) < at {
                // A session that failed has ended its worker: then the rest does not matter.
                assert!(workers.iter().all(|one| !one.is_finished()), "a session failed");
                std::thread::sleep(Duration::from_millis(1));
            }
            let (started, stopped) = strike(sidecar, there, &stage, blow, *daily);
            *starts += started;
            *stops += stopped;
        }
    });
    played.into_inner().unwrap()
}

#[test]
fn no_answer_is_wrong_and_none_is_lost() {
    let is_full = std::env::var("TOOLGATE_LOAD").is_ok_and(|load| load == "full");
    let sessions = if is_full { 1_000 } else { 100 };
    let daily = 3 * sessions;
    let mut guard = Guard::start(daily);
    let (fds, rss, _) = guard.weight();
    let began = Instant::now();
    let played = storm(&mut guard, sessions);
    println!("{sessions} sessions of {CALLS} calls in {:.1} s", began.elapsed().as_secs_f64());
    // Nothing of all that stays open.
    until("the connections are closed", || (guard.weight().0 <= fds).then_some(()));
    let (_, after, most) = guard.weight();
    println!("sidecar's memory in KiB: {rss} at the start, {after} at the end, {most} at most");
    assert!(most < RSS_KIB_MAX);
    let audit = guard.sidecar.path("audit");
    let (starts, stops) = (guard.starts, guard.stops + 1);
    let kept = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let log = kept.path().join("log");
    let Guard { sidecar, .. } = guard;
    stop_and_keep(sidecar, &audit, &log);
    check(&log, &played, daily, starts, stops).print();
}

/// Stops the sidecar, whose log is verified, and keeps the log.
fn stop_and_keep(sidecar: Sidecar, audit: &std::path::Path, log: &std::path::Path) {
    std::fs::create_dir(log).unwrap();
    // The same files by another name, so that they outlive the sidecar's directory.
    for file in sidecar::files_below(audit) {
        std::fs::hard_link(&file, log.join(file.file_name().unwrap())).unwrap();
    }
    sidecar.stop();
}
