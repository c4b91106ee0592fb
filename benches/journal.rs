//! Durable records in a second: our journal beside a bare group-commit loop, in one rotating run.
//!
//! `cargo bench --bench journal`. Each record is answered when it is on the disk. The bare loop
//! writes lines of the same length: it takes what waits, writes it in one go, syncs once, and wakes
//! who waits; no hash, no JSON, no redaction, no signature. Writers are tasks on the same runtime
//! on both sides, as the sidecar's callers are. Printed for each number of writers: the median
//! rate of each, our part of the bare one's, and processor time for a record, callers included.
//! `ROUNDS=n` and `SECONDS=s` measure longer; `DIR=path` another disk.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use toolgate::audit::{Journal, Options, Signing};
use toolgate::model::record::{Kind, Record};
use toolgate::redact::Redactor;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const WRITERS: [usize; 5] = [1, 4, 16, 64, 256];
/// What the kernel counts processor time in, on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run came to.
#[derive(Debug, Clone, Copy)]
struct Run {
    per_second: f64,
    /// Microseconds of processor time for a record.
    cpu: f64,
}

fn main() -> Result<(), Failure> {
    let number = |name: &str, usual: u64| match std::env::var(name) {
        Ok(text) => text.parse::<u64>(),
        Err(_) => Ok(usual),
    };
    let (rounds, seconds) = (number("ROUNDS", 3)?, number("SECONDS", 2)?);
    let base = match std::env::var_os("DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
    };
    let scratch = base.join("bench-journal");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let redactor = Redactor::shipped()?;
    let line = line_bytes(&scratch, &redactor)?;
    println!("lines of {line} bytes; load {}", load()?);
    println!(
        "{:>8} {:>12} {:>12} {:>7} {:>10} {:>10}",
        "writers", "ours/s", "bare/s", "ratio", "ours us", "bare us"
    );
    for writers in WRITERS {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let time = Duration::from_secs(seconds);
            ours.push(journal(&runtime, &scratch, &redactor, writers, time)?);
            bare.push(loop_only(&runtime, &scratch, line, writers, time)?);
        }
        let (ours, bare) = (median(ours), median(bare));
        println!(
            "{writers:>8} {:>12.0} {:>12.0} {:>7.2} {:>10.1} {:>10.1}",
            ours.per_second,
            bare.per_second,
            ours.per_second / bare.per_second,
            ours.cpu,
            bare.cpu
        );
    }
    println!("load {}", load()?);
    std::fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// A record about as long as that of a call.
fn sample(count: u64) -> Record {
    let mut record = Record::new(Kind::RuntimeEvent);
    record.cwd = Some("/work/project".to_owned());
    record.details.push(("count", count.into()));
    record.details.push(("text", "cargo test --lib -- --nocapture ".repeat(12).into()));
    record
}

fn open(dir: &Path, redactor: &Redactor) -> Result<Journal, Failure> {
    let _ = std::fs::remove_dir_all(dir);
    let options = Options::new(redactor.clone()).signed(Signing::default());
    Ok(Journal::open(dir, options)?)
}

fn line_bytes(dir: &Path, redactor: &Redactor) -> Result<usize, Failure> {
    let journal = open(dir, redactor)?;
    journal.append_blocking(sample(1_000))?;
    let last = toolgate::audit::records(dir)?.last().ok_or("no record")??;
    Ok(last.text.len() + 1)
}

fn journal(
    runtime: &Runtime,
    dir: &Path,
    redactor: &Redactor,
    writers: usize,
    time: Duration,
) -> Result<Run, Failure> {
    let journal = Arc::new(open(dir, redactor)?);
    measured(runtime, writers, time, |until| {
        let journal = Arc::clone(&journal);
        async move {
            let mut count = 0;
            while Instant::now() < until {
                if let Err(why) = journal.append(sample(count)).await {
                    return Err(why.into());
                }
                count += 1;
            }
            Ok(count)
        }
    })
}

type Line = (Vec<u8>, oneshot::Sender<()>);

fn loop_only(
    runtime: &Runtime,
    dir: &Path,
    bytes: usize,
    writers: usize,
    time: Duration,
) -> Result<Run, Failure> {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir_all(dir)?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log"))?;
    let (queue, mut lines) = mpsc::channel::<Line>(4_096);
    let owner = std::thread::spawn(move || -> Result<(), Failure> {
        let (mut batch, mut buffer) = (Vec::new(), Vec::new());
        while lines.blocking_recv_many(&mut batch, 512) > 0 {
            buffer.clear();
            batch.iter().for_each(|(line, _)| buffer.extend_from_slice(line));
            file.write_all(&buffer)?;
            file.sync_data()?;
            batch.drain(..).for_each(|(_, answer)| {
                let _ = answer.send(());
            });
        }
        Ok(())
    });
    let run = measured(runtime, writers, time, |until| {
        let queue = queue.clone();
        async move {
            let mut count = 0;
            while Instant::now() < until {
                let (answer, stands) = oneshot::channel();
                let line = vec![b'x'; bytes];
                queue.send((line, answer)).await?;
                stands.await?;
                count += 1;
            }
            Ok(count)
        }
    })?;
    drop(queue);
    owner.join().map_err(|_| "the loop panicked")??;
    Ok(run)
}

/// Runs so many writers, and counts what they did.
fn measured<F>(
    runtime: &Runtime,
    writers: usize,
    time: Duration,
    writer: impl Fn(Instant) -> F,
) -> Result<Run, Failure>
where
    F: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let until = began + time;
    let tasks: Vec<_> = (0..writers).map(|_| runtime.spawn(writer(until))).collect();
    let mut records = 0;
    for task in tasks {
        records += runtime.block_on(task)??;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let records = records as f64;
    Ok(Run { per_second: records / took, cpu: cpu * 1e6 / records })
}

/// Processor time of this process so far.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |at: usize| -> Result<f64, Failure> { Ok(fields.get(at).ok_or("no field")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

fn load() -> Result<String, Failure> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn median(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let middle = runs.len() / 2;
    runs.get(middle).copied().unwrap_or(Run { per_second: 0.0, cpu: 0.0 })
}
