//! Tunnels through which nothing flows: the memory of each, and what is said where there can be no
//! further one.

use crate::Failure;
use crate::client::Way;
use crate::place::{ORIGIN, Place, Running, Wish};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const FEW: usize = 800;
const MANY: usize = 9_000;
/// Tunnels that are opened and closed before memory is first looked at.
const WARM_UP: usize = 64;
const OPENERS: usize = 16;
/// Descriptors of the proxy that is to run out of them.
const SCARCE: usize = 1_024;

fn open(way: &Way, count: usize) -> Result<Vec<TcpStream>, Failure> {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..OPENERS)
            .map(|number| {
                let mine = count / OPENERS + usize::from(number < count % OPENERS);
                scope.spawn(move || {
                    let opened = (0..mine).map(|_| way.open().map_err(|error| error.to_string()));
                    opened.collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut held = Vec::new();
        for opener in all {
            held.extend(opener.join().map_err(|_| "an opener panicked")??);
        }
        Ok(held)
    })
}

fn settled() {
    std::thread::sleep(Duration::from_secs(1));
}

/// What the tunnels of one proxy cost, in steps.
fn row(name: &str, proxy: &Running, way: &Way, steps: &[usize]) -> Result<(), Failure> {
    drop(open(way, WARM_UP)?);
    settled();
    let (memory, descriptors) = (proxy.memory()?, proxy.descriptors()?);
    let mut held = Vec::new();
    for &step in steps {
        let began = Instant::now();
        held.extend(open(way, step - held.len())?);
        let took = began.elapsed();
        settled();
        let more = proxy.memory()?.saturating_sub(memory);
        let each = more as f64 / step as f64;
        let fds = proxy.descriptors()?.saturating_sub(descriptors) as f64 / step as f64;
        println!(
            "| {name} | {step} | {:.2} kB | {fds:.1} | {:.1} MB | {:.1} s |",
            each / 1000.0,
            memory as f64 / 1e6,
            took.as_secs_f64()
        );
    }
    if held.len() == MANY {
        match way.open() {
            Ok(_) => println!("\nA further one was let through."),
            Err(said) => println!("\nThe one after {}: {}\n", held.len(), short(&said)),
        }
    }
    Ok(())
}

fn short(said: &Failure) -> String {
    let text = said.to_string();
    let lines = text.lines().filter(|line| {
        line.starts_with("HTTP/") || line.to_ascii_lowercase().starts_with("x-toolgate")
    });
    let kept: Vec<_> = lines.collect();
    if kept.is_empty() { text } else { kept.join("; ") }
}

/// Holds tunnels through each proxy, in fresh processes.
///
/// # Errors
/// If one of them does not start, or refuses what it should hold.
pub fn run(place: &Place, origin: SocketAddr, quick: bool) -> Result<(), Failure> {
    println!("\n### Idle tunnels\n");
    println!("| proxy | tunnels | RSS each | descriptors each | RSS before | opened in |");
    println!("|---|---|---|---|---|---|");
    let plain = |proxy: &Running| Way { first: proxy.at, through: Some(origin.to_string()) };
    let tinyproxy = place.tinyproxy("tinyproxy-idle", false)?;
    row("tinyproxy", &tinyproxy, &plain(&tinyproxy), &[FEW])?;
    drop(tinyproxy);
    let squid = place.squid("squid-idle")?;
    row("squid", &squid, &plain(&squid), &[FEW])?;
    drop(squid);
    let named = format!("{ORIGIN}:{}", origin.port());
    let named = |proxy: &Running| Way { first: proxy.at, through: Some(named.clone()) };
    let steps: &[usize] = if quick { &[FEW] } else { &[FEW, MANY] };
    let toolgate = place.toolgate(&Wish::ample("toolgate-idle", None))?;
    row("toolgate", &toolgate, &named(&toolgate), steps)?;
    drop(toolgate);

    let wish = Wish { descriptors: SCARCE, ..Wish::ample("toolgate-scarce", None) };
    let toolgate = place.toolgate(&wish)?;
    let way = named(&toolgate);
    let mut held = Vec::new();
    let said = loop {
        match way.open() {
            Ok(stream) if held.len() < SCARCE => held.push(stream),
            Ok(_) => break "it has more tunnels than descriptors".to_owned(),
            Err(error) => break short(&error),
        }
    };
    println!("With {SCARCE} descriptors it held {} and answered the next: {said}. It says:\n", {
        held.len()
    });
    let text = std::fs::read_to_string(&toolgate.said)?;
    for line in text.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).take(6)
    {
        println!("    {line}");
    }
    Ok(())
}
