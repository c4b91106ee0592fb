//! The review pages over a million records, each asked over loopback HTTP from a cold start of the
//! pages and then in turn: `cargo bench --bench pages [-- RECORDS]`. The log of a made-up week,
//! once as plain files and once sealed; p50, p95 and the longest of each page, the CPU time of one
//! (which says more on a machine that is busy), what the pages hold
//! in memory for it, and all pages together. `PAGES_DIR` names a directory for the log (1.5 GB);
//! it is removed afterwards.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot run may stop"
)]
#![allow(clippy::print_stdout, reason = "its table is what it is for")]

#[path = "../tests/week/mod.rs"]
mod week;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use toolgate::audit::wire::WireRecord;
use toolgate::review::decision::Again;
use toolgate::review::web::{self, Grid, Sidecar, Standing, Web};

const ROUNDS: usize = 40;
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A sidecar that is well and has no policy to show.
struct Well;

impl Sidecar for Well {
    fn standing(&self) -> Pin<Box<dyn Future<Output = Standing> + Send + '_>> {
        Box::pin(async { Standing { ready: true, ..Standing::default() } })
    }

    fn grid(&self) -> Result<Grid, String> {
        Ok(Grid::default())
    }

    fn policy_text(&self, _: &str) -> Option<String> {
        None
    }

    fn ask_again(&self, _: &WireRecord) -> Again {
        Again::untold("a bench has no policy".to_owned())
    }
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let records = asked.unwrap_or(1_000_000);
    let scratch = match std::env::var_os("PAGES_DIR") {
        Some(dir) => tempfile::tempdir_in(dir),
        None => tempfile::tempdir(),
    }
    .expect("a directory");
    for sealed in [false, true] {
        let dir = scratch.path().join(if sealed { "sealed" } else { "plain" });
        let made = week::write(&dir, week::Options::records(records)).expect("a log");
        if sealed {
            toolgate::audit::seal_all(&dir).expect("a sealed log");
        }
        let form = if sealed { "sealed" } else { "plain" };
        println!("\n{} records in {} {form} files", made.records, made.files);
        measure(&dir);
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}

fn measure(dir: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let before = resident();
    let listener =
        runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).expect("a listener");
    let at = listener.local_addr().expect("an address");
    let web = Web::new(dir, Arc::new(Well), TOKEN, at, &[]).expect("pages");
    runtime.spawn(web::serve(web, listener));
    let cookie = login(at);
    let began = Instant::now();
    get(at, "/", &cookie);
    println!("first page {} ms", began.elapsed().as_millis());
    // Until all is held, and the log is verified, which reads every byte.
    while !get(at, "/", &cookie).contains("records verified") {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    println!("verified and held after {:.1} s", began.elapsed().as_secs_f64());
    let explore = get(at, "/explore?decision=deny", &cookie);
    let record = href(&explore, "/record?id=").expect("a record");
    let pages = [
        ("Overview, everything", "/?range=all".to_owned()),
        ("Explore, everything", "/explore".to_owned()),
        ("Explore, two fields", "/explore?decision=deny&tool=Bash".to_owned()),
        (
            "Explore, a day",
            "/explore?since=2026-11-18&until=2026-11-18&not-kind=tool.post".to_owned(),
        ),
        ("Explore, a text", "/explore?grep=attacker".to_owned()),
        ("Sessions", "/sessions".to_owned()),
        ("Session", format!("/session?id={}", week::story::SESSION)),
        ("Record", record),
        ("Findings", "/findings".to_owned()),
        ("Policy", "/policy".to_owned()),
    ];
    println!("{:22} {:>7} {:>7} {:>7} {:>7}   ms", "page", "p50", "p95", "max", "cpu");
    let (mut all, began_cpu) = (Vec::new(), cpu());
    for (name, path) in pages {
        let before = cpu();
        let mut took: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                get(at, &path, &cookie);
                began.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        all.extend_from_slice(&took);
        tell(name, &mut took, (cpu() - before) / ROUNDS as f64);
    }
    let cpu_all = cpu() - began_cpu;
    let pages = all.len() as f64;
    tell("all of them", &mut all, cpu_all / pages);
    let (held, now) = (resident().saturating_sub(before), resident());
    println!("resident memory {} MiB, {} more than before", now >> 20, held >> 20);
    runtime.shutdown_background();
}

/// CPU time of this process, in milliseconds: the pages', and the little that asking costs.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("what this process used");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    micros as f64 / 1e3
}

fn tell(name: &str, took: &mut [f64], cpu: f64) {
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!("{name:22} {:7.1} {:7.1} {:7.1} {cpu:7.1}", at(50), at(95), at(100));
}

/// The whole answer to a request.
fn ask(at: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("a connection");
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn login(at: SocketAddr) -> String {
    let answer = ask(at, &format!("/login?token={TOKEN}"), "");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    format!("Cookie: {cookie}\r\n")
}

fn get(at: SocketAddr, path: &str, cookie: &str) -> String {
    let answer = ask(at, path, cookie);
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:.300}");
    answer
}

/// The first link that begins so.
fn href(page: &str, begins: &str) -> Option<String> {
    let from = page.find(begins)?;
    let rest = page.get(from..)?;
    Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}
