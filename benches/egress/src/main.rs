//! The network plane beside no proxy at all, tinyproxy and squid, all in one run in which they take
//! turns. No proxy is measured twice: where the second differs from the first, so much is noise.
//!
//! Nothing leaves loopback. `benches/README.md` says what each table means.

mod client;
mod idle;
mod model;
mod place;

use client::{Load, Way, turn};
use place::{ORIGIN, Place, Running, Wish};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Whatever goes wrong ends the run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

const BULK_BYTES: u64 = 64 * 1024 * 1024;

/// One that is measured.
struct Target<'a> {
    name: &'static str,
    way: Way,
    process: Option<&'a Running>,
    /// A figure for each round: in a second, or bytes in a second.
    rates: Vec<f64>,
    times: Vec<u64>,
    bytes: u64,
    failed: u64,
    cpu: Duration,
}

impl<'a> Target<'a> {
    fn new(name: &'static str, way: Way, process: Option<&'a Running>) -> Target<'a> {
        let (rates, times, cpu) = (Vec::new(), Vec::new(), Duration::ZERO);
        Target { name, way, process, rates, times, bytes: 0, failed: 0, cpu }
    }

    fn spent(&self) -> Result<Duration, Failure> {
        self.process.map_or(Ok(Duration::ZERO), Running::cpu)
    }
}

/// What is wanted of a run.
struct Wanted {
    parts: Vec<String>,
    rounds: usize,
    quick: bool,
    place: Place,
}

fn wanted() -> Result<Wanted, Failure> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release/toolgate");
    let mut toolgate = PathBuf::from(beside);
    if let Some(named) = std::env::var_os("TOOLGATE_BIN") {
        toolgate = named.into();
    }
    let mut scratch = std::env::temp_dir();
    let (mut parts, mut rounds, mut quick) = (Vec::new(), 12, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = words.next().ok_or("--rounds wants a number")?.parse()?,
            "--scratch" => scratch = words.next().ok_or("--scratch wants a directory")?.into(),
            "--quick" => (rounds, quick) = (2, true),
            "kept" | "bulk" | "anew" | "forwarded" | "idle" | "model" => parts.push(word),
            other => return Err(format!("`{other}` is none of the parts").into()),
        }
    }
    let scratch = scratch.join(format!("toolgate-egress-bench-{}", std::process::id()));
    Ok(Wanted { parts, rounds, quick, place: Place { scratch, toolgate } })
}

fn main() -> Result<(), Failure> {
    let wanted = wanted()?;
    std::fs::create_dir_all(&wanted.place.scratch)?;
    let ran = run(&wanted);
    if ran.is_ok() {
        std::fs::remove_dir_all(&wanted.place.scratch)?;
    } else {
        eprintln!("what was said is in {}", wanted.place.scratch.display());
    }
    ran
}

fn run(wanted: &Wanted) -> Result<(), Failure> {
    let Wanted { parts, place, .. } = wanted;
    let has = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    let clock = Instant::now();
    let nginx = place.nginx(BULK_BYTES)?;
    let events = model::start(clock)?;
    println!("Load average at the start: {}", load_average()?);
    println!("A bare append and fdatasync there, median: {} us", bare_sync(place)? / 1000);
    let tinyproxy = place.tinyproxy("tinyproxy", false)?;
    let logging = place.tinyproxy("tinyproxy-logging", true)?;
    let squid = place.squid("squid")?;
    let toolgate = place.toolgate(&Wish::ample("toolgate", Some(events)))?;
    let proxies = [&toolgate, &tinyproxy, &logging, &squid];
    let short = Duration::from_millis(300);
    for (part, load, time, clients, what) in [
        ("kept", Load::Kept, short, 1, "1 KiB over a tunnel that stays open, one connection"),
        ("kept", Load::Kept, short, 8, "1 KiB over tunnels that stay open, 8 connections"),
        ("bulk", Load::Bulk, short, 2, "64 MiB over a tunnel, 2 at once"),
        ("anew", Load::Anew, short, 8, "a connection and a CONNECT for each request, 8 clients"),
        ("anew", Load::Anew, short, 64, "a connection and a CONNECT for each request, 64 clients"),
        ("forwarded", Load::Forwarded, short, 8, "a connection for each request, absolute-form"),
    ] {
        if has(part) {
            let mut targets = targets(nginx.at, proxies);
            for round in 0..wanted.rounds {
                take_turns(&mut targets, round, |target| {
                    let done = turn(&target.way, load, time, clients)?;
                    let took = done.took.as_secs_f64();
                    let much = if load == Load::Bulk { done.bytes } else { count(&done.times) };
                    target.rates.push(much as f64 / took);
                    target.times.extend(done.times);
                    target.bytes += done.bytes;
                    target.failed += done.failed;
                    Ok(())
                })?;
            }
            report(what, &mut targets, load == Load::Bulk)?;
        }
    }
    if has("model") {
        let mut targets = targets(events, proxies);
        if let Some(at) = toolgate.model {
            let way = Way { first: at, through: None };
            targets.push(Target::new("toolgate, the model's listener", way, Some(&toolgate)));
        }
        for round in 0..wanted.rounds {
            take_turns(&mut targets, round, |target| {
                let times = model::stream(&target.way, clock)?;
                target.times.extend(times);
                Ok(())
            })?;
        }
        report_model(&mut targets)?;
    }
    if has("idle") {
        idle::run(place, nginx.at, wanted.quick)?;
    }
    println!("\nLoad average at the end: {}", load_average()?);
    Ok(())
}

fn targets<'a>(
    origin: SocketAddr,
    [toolgate, tinyproxy, logging, squid]: [&'a Running; 4],
) -> Vec<Target<'a>> {
    let direct = Way { first: origin, through: None };
    let plain = |proxy: &Running| Way { first: proxy.at, through: Some(origin.to_string()) };
    let named = format!("{ORIGIN}:{}", origin.port());
    vec![
        Target::new("direct", direct.clone(), None),
        Target::new("direct again (A/A)", direct, None),
        Target::new("toolgate", Way { first: toolgate.at, through: Some(named) }, Some(toolgate)),
        Target::new("tinyproxy", plain(tinyproxy), Some(tinyproxy)),
        Target::new("tinyproxy, logging", plain(logging), Some(logging)),
        Target::new("squid", plain(squid), Some(squid)),
    ]
}

/// One turn of each, another one first in each round.
fn take_turns(
    targets: &mut [Target<'_>],
    round: usize,
    mut one: impl FnMut(&mut Target<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let count = targets.len();
    for turn in 0..count {
        let Some(target) = targets.get_mut((turn + round) % count) else { continue };
        let before = target.spent()?;
        one(target)?;
        target.cpu += target.spent()?.saturating_sub(before);
    }
    Ok(())
}

fn report(what: &str, targets: &mut [Target<'_>], is_bulk: bool) -> Result<(), Failure> {
    println!("\n### {what}\n\nLoad average: {}\n", load_average()?);
    let (rate, cpu) = if is_bulk { ("MB/s", "CPU ns a byte") } else { ("a second", "CPU us each") };
    println!("| target | {rate} | of direct | p50 us | p99 us | {cpu} | failed |");
    println!("|---|---|---|---|---|---|---|");
    let direct = targets.first().map(|target| target.rates.clone()).unwrap_or_default();
    for target in targets {
        let ratios = target.rates.iter().zip(&direct).map(|(rate, direct)| rate / direct);
        let ratio = median(ratios.collect());
        let rate = median(target.rates.clone());
        let (rate, work) = match is_bulk {
            true => (rate / 1e6, target.bytes as f64),
            false => (rate, count(&target.times) as f64 * 1e3),
        };
        let cpu = target.cpu.as_nanos() as f64 / work;
        let cpu = target.process.map_or("-".to_owned(), |_| format!("{cpu:.2}"));
        let (half, most) = quantiles(&mut target.times);
        let (name, failed) = (target.name, target.failed);
        println!("| {name} | {rate:.0} | {ratio:.2} | {half} | {most} | {cpu} | {failed} |");
    }
    Ok(())
}

fn report_model(targets: &mut [Target<'_>]) -> Result<(), Failure> {
    println!("\n### An event of a model's stream\n\nLoad average: {}\n", load_average()?);
    println!("| target | p50 us | p99 us | p50 more than direct | CPU us an event |");
    println!("|---|---|---|---|---|");
    let mut direct = None;
    for target in targets {
        let cpu = target.cpu.as_nanos() as f64 / 1e3 / count(&target.times) as f64;
        let cpu = target.process.map_or("-".to_owned(), |_| format!("{cpu:.0}"));
        let (half, most) = quantiles(&mut target.times);
        let more = half as i64 - *direct.get_or_insert(half as i64);
        println!("| {} | {half} | {most} | {more} | {cpu} |", target.name);
    }
    Ok(())
}

fn count(times: &[u64]) -> u64 {
    u64::try_from(times.len()).unwrap_or(u64::MAX)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// p50 and p99, in microseconds.
fn quantiles(times: &mut [u64]) -> (u64, u64) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    (at(50) / 1000, at(99) / 1000)
}

fn load_average() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// What a durable record cannot be cheaper than, in nanoseconds.
fn bare_sync(place: &Place) -> Result<u64, Failure> {
    let mut file = std::fs::File::create(place.scratch.join("bare"))?;
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        file.write_all(&[b'x'; 600])?;
        file.sync_data()?;
        times.push(u64::try_from(began.elapsed().as_nanos())?);
    }
    times.sort_unstable();
    Ok(times.get(25).copied().unwrap_or_default())
}
