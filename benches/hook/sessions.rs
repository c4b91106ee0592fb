//! What a thousand sessions cost the sidecar: processor time, and memory while they live and after.

use crate::Failure;
use crate::sidecar::{Sidecar, Weight};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

/// Sessions.
const SESSIONS: usize = 1_000;
/// Calls of each: half of them Read, half Bash; each with its end.
const CALLS: usize = 20;
/// Sessions whose events come at once.
const AT_ONCE: usize = 16;

/// Measures and prints.
///
/// # Errors
/// If anything fails, or is not allowed.
pub fn measure(sidecar: &Sidecar) -> Result<(), Failure> {
    sidecar.check(&sidecar.event("first", "PreToolUse", crate::processes::READ))?;
    let started = Instant::now();
    let before = sidecar.weight()?;
    // All begin before the first ends, so that all are remembered at once.
    let calls = |number: usize| -> Result<usize, Failure> {
        let session = format!("session-{number}");
        tell(sidecar, &session, "SessionStart", r#","source":"startup""#)?;
        for call in 0..CALLS {
            one(sidecar, &session, call)?;
        }
        Ok(1 + 2 * CALLS)
    };
    let during = each(&calls)?;
    let open = sidecar.weight()?;
    let ends = |number: usize| -> Result<usize, Failure> {
        let session = format!("session-{number}");
        tell(sidecar, &session, "Stop", r#","stop_hook_active":false"#)?;
        tell(sidecar, &session, "SessionEnd", r#","reason":"other""#)?;
        Ok(2)
    };
    let events = during + each(&ends)?;
    let after = sidecar.weight()?;
    print(events, started.elapsed().as_secs_f64(), [before, open, after]);
    Ok(())
}

fn print(events: usize, seconds: f64, [before, open, after]: [Weight; 3]) {
    let (user, system) = (after.cpu.0 - before.cpu.0, after.cpu.1 - before.cpu.1);
    let each = (user + system) * 1e6 / events as f64;
    println!("\n{SESSIONS} sessions of {CALLS} calls, {events} events in {seconds:.1} s");
    println!("CPU: {user:.2} s user, {system:.2} s system; {each:.0} us an event");
    let (start, most) = (before.rss.0, after.rss.1);
    println!(
        "RSS in KiB: {start} before, {} with all sessions open, {} when they have ended, {most} at most",
        open.rss.0, after.rss.0
    );
}

/// Does it for every session; the sum of what it says.
fn each(work: &(dyn Fn(usize) -> Result<usize, Failure> + Sync)) -> Result<usize, Failure> {
    let next = AtomicUsize::new(0);
    let one = || -> Result<usize, String> {
        let mut events = 0;
        loop {
            let number = next.fetch_add(1, SeqCst);
            if number >= SESSIONS {
                return Ok(events);
            }
            events += work(number).map_err(|error| error.to_string())?;
        }
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|one| one.join().map_err(|_| "a panic")).collect::<Vec<_>>()
    });
    let mut events = 0;
    for some in all {
        events += some??;
    }
    Ok(events)
}

/// A call and its end.
fn one(sidecar: &Sidecar, session: &str, call: usize) -> Result<(), Failure> {
    let (tool, response) = match call % 2 {
        0 => (crate::processes::READ, r#"{"type":"text","file":{"content":"fn main() {}\n"}}"#),
        _ => (crate::processes::BASH, r#"{"stdout":" M a.rs","stderr":"","interrupted":false}"#),
    };
    let tool = tool.replace(r#""t""#, &format!(r#""{session}-{call}""#));
    sidecar.check(&sidecar.event(session, "PreToolUse", &tool))?;
    tell(sidecar, session, "PostToolUse", &format!(r#"{tool},"tool_response":{response}"#))
}

/// An event that must come to nothing.
fn tell(sidecar: &Sidecar, session: &str, name: &str, own: &str) -> Result<(), Failure> {
    let reply = sidecar.ask(&sidecar.event(session, name, own))?;
    let is_nothing = reply == b"toolgate/1 0 0 0\n";
    if is_nothing { Ok(()) } else { Err(String::from_utf8_lossy(&reply).into()) }
}
