//! toolgate, Cedar and regorus on the same rules and the same requests, in one rotating run.
//!
//! `benches/README.md` says how to run it, what is compared, and what is unfair about it. Every
//! decision of every engine is held against the expected one; the run ends at the first that
//! differs.

mod cedar;
mod lists;
mod rego;
#[path = "../../workload/mod.rs"]
mod workload;

use cedar::Cedar;
use rego::Rego;
use toolgate::model::facts::Facts;
use workload::clock::{Contender, Figures, clock_p50, digits, milliseconds, race};
use workload::options::Options;
use workload::ours::{Ours, event, policy, redactor};
use workload::{Failure, REQUESTS, Request, Workload};

/// Of fewer calls no hundredth is told.
const P99_CALLS: usize = 200;

fn main() -> Result<(), Failure> {
    let options = Options::read()?;
    println!("decisions in nanoseconds; reading the clock takes {} of each", clock_p50());
    for (size, conditions) in options.variants() {
        compare(size, conditions, options.rounds())?;
    }
    Ok(())
}

fn compare(size: usize, conditions: bool, rounds: usize) -> Result<(), Failure> {
    let workload = Workload::new(size, conditions);
    let (rules, requests) = (&workload.rules, &workload.requests);
    let text = policy(rules);
    let redactor = redactor()?;
    let (ours, load_ms) = milliseconds(|| Ours::load(&text, &redactor));
    let ours = ours?;
    let mut engines = toolgate(requests, &ours, load_ms, size)?;
    for (name, lists) in
        [("Cedar, a policy for each rule", false), ("Cedar, lists made by hand", true)]
    {
        let load = || if lists { Cedar::of_lists(rules) } else { Cedar::of_rules(rules) };
        let all = each(requests, |request| cedar::request(request, lists))?;
        let (cedar, load_ms) = milliseconds(load);
        let cedar = cedar?;
        let ask = Box::new(move |index| Ok(cedar.decide(at(&all, index)?)));
        engines.push((Contender { name, requests: asked(!lists, size), ask }, load_ms));
    }
    for (name, lists) in
        [("regorus, a rule for each rule", false), ("regorus, lists made by hand", true)]
    {
        let load = || if lists { Rego::of_lists(rules) } else { Rego::of_rules(rules) };
        let all = each(requests, |request| rego::input(request, lists))?;
        let (rego, load_ms) = milliseconds(load);
        let mut rego = rego?;
        let ask = Box::new(move |index| rego.decide(at(&all, index)?));
        engines.push((Contender { name, requests: asked(!lists, size), ask }, load_ms));
    }
    let (mut contenders, loads): (Vec<_>, Vec<_>) = engines.into_iter().unzip();
    let figures = race(&mut contenders, &workload.expected(), rounds)?;
    head(&workload, conditions);
    let first = figures.first().map_or(1, |figures| figures.p50.max(1));
    for ((contender, figures), load_ms) in contenders.iter().zip(&figures).zip(loads) {
        print(contender.name, figures, load_ms, first);
    }
    Ok(())
}

/// How many of the requests a peer is asked that looks at every rule: enough for a median, and few
/// enough that a whole run takes minutes.
fn asked(looks_at_every_rule: bool, size: usize) -> usize {
    match size {
        _ if !looks_at_every_rule => REQUESTS,
        0..=10 => 1_024,
        11..=1_000 => 256,
        1_001..=10_000 => 32,
        _ => 4,
    }
}

fn toolgate<'a>(
    requests: &[Request],
    ours: &'a Ours,
    load_ms: f64,
    size: usize,
) -> Result<Vec<(Contender<'a>, f64)>, Failure> {
    let facts: Vec<Facts> = each(requests, |request| ours.one_access(request))?;
    let scanned = facts.clone();
    let events = each(requests, |request| Ok((event(request), request.secret)))?;
    let scans = match size {
        0..=1_000 => REQUESTS,
        1_001..=10_000 => 256,
        _ => 32,
    };
    let index = Contender {
        name: "toolgate",
        requests: REQUESTS,
        ask: Box::new(move |index| {
            Ok(ours.decide(at(&facts, index)?))
        }),
    };
    let whole = Contender {
        name: "toolgate, from the event's bytes",
        requests: REQUESTS,
        ask: Box::new(move |index| {
            let (event, secret) = at(&events, index)?;
            ours.decide_event(event, *secret)
        }),
    };
    let scan = Contender {
        name: "toolgate, a loop over all rules",
        requests: scans,
        ask: Box::new(move |index| {
            Ok(ours.scan(at(&scanned, index)?))
        }),
    };
    Ok(vec![(index, load_ms), (whole, load_ms), (scan, load_ms)])
}

fn head(workload: &Workload, conditions: bool) {
    let allowed = workload.requests.iter().filter(|request| request.allowed).count();
    println!(
        "\n{} rules{}, {allowed} of {REQUESTS} requests allowed",
        digits(workload.rules.len()),
        if conditions { ", a tenth with conditions and labels" } else { "" },
    );
    println!(
        "{:<34}{:>12}{:>12}{:>12}{:>8}{:>10}{:>12}",
        "", "p50", "p99", "mean", "calls", "load ms", "p50 ratio"
    );
}

fn print(name: &str, figures: &Figures, load_ms: f64, first: u64) {
    let p99 = if figures.calls < P99_CALLS { "-".to_owned() } else { digits(figures.p99) };
    println!(
        "{name:<34}{:>12}{p99:>12}{:>12}{:>8}{load_ms:>10.1}{:>12.2}",
        digits(figures.p50),
        digits(figures.mean),
        figures.calls,
        figures.p50 as f64 / first as f64,
    );
}

fn each<T>(
    requests: &[Request],
    make: impl Fn(&Request) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    requests.iter().map(make).collect()
}

fn at<T>(all: &[T], index: usize) -> Result<&T, Failure> {
    all.get(index).ok_or_else(|| "there is no such request".into())
}
