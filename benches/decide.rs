//! What one decision costs, and whether the number of rules matters.
//!
//! `cargo bench --bench decide` measures 10 to 100,000 rules: the decision on one access, on a
//! whole call, and from a hook event's bytes; beside the loop over all rules, and beside the same
//! question to a policy without rules, in one rotating run. Then what loading and reloading take,
//! what two threads do, and what patterns cost that no index can take. After `--`: `--quick` stops
//! at 1,000 rules, `--rules N` takes N rules, `--conditions` measures rules with conditions and
//! labels too. `benches/README.md` says more; other engines are in `benches/peers`.

mod workload;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, RwLock};
use std::time::Instant;
use toolgate::model::facts::Facts;
use workload::clock::{Contender, Figures, clock_p50, digits, milliseconds, race};
use workload::options::Options;
use workload::ours::{Ours, call, event, policy, redactor};
use workload::{Failure, Request, Verb, Workload};

/// Decisions of one thread.
const PER_THREAD: usize = 2_000_000;
/// Rules with a pattern that has no fixed part to look it up by.
const RESIDUES: [usize; 4] = [0, 10, 100, 1_000];

fn main() -> Result<(), Failure> {
    let options = Options::read()?;
    println!("decisions in nanoseconds; reading the clock takes {} of each", clock_p50());
    for (size, conditions) in options.variants() {
        decisions(size, conditions, options.rounds())?;
    }
    println!("\nload and reload of a policy in milliseconds, and decisions meanwhile");
    for size in &options.sizes {
        loads(*size)?;
    }
    println!("\nthreads: decisions a second, one access each");
    for size in &options.sizes {
        threads(*size, if options.quick { PER_THREAD / 100 } else { PER_THREAD })?;
    }
    println!("\npatterns that no index can take, beside {} rules", digits(RESIDUE_RULES));
    for residue in RESIDUES {
        residues(residue, options.rounds())?;
    }
    Ok(())
}

/// A request in every form in which it is asked.
struct Question {
    one_access: Facts,
    whole_call: Facts,
    event: Vec<u8>,
    secret: bool,
    allowed: bool,
}

impl Question {
    fn all(requests: &[Request], ours: &Ours) -> Result<Vec<Question>, Failure> {
        let one = |request: &Request| {
            let event = event(request);
            Ok(Question {
                one_access: ours.one_access(request)?,
                whole_call: ours.facts(call(&event)?, request.secret),
                event,
                secret: request.secret,
                allowed: request.allowed,
            })
        };
        requests.iter().map(one).collect()
    }
}

/// A contender who is asked the questions in order.
fn contender<'a>(
    name: &'static str,
    questions: &'a [Question],
    requests: usize,
    answer: impl Fn(&Question) -> Result<bool, Failure> + 'a,
) -> Contender<'a> {
    let ask = Box::new(move |index: usize| {
        answer(questions.get(index).ok_or("there is no such request")?)
    });
    Contender { name, requests, ask }
}

fn decisions(size: usize, conditions: bool, rounds: usize) -> Result<(), Failure> {
    let workload = Workload::new(size, conditions);
    let ours = Ours::load(&policy(&workload.rules), &redactor()?)?;
    let empty = Ours::load(&policy(&[]), &redactor()?)?;
    let questions = Question::all(&workload.requests, &ours)?;
    let allowed = workload.requests.iter().filter(|request| request.allowed).count();
    println!(
        "\n{} rules{}, {allowed} of {} requests allowed{}",
        digits(size),
        if conditions { ", a tenth with conditions and labels" } else { "" },
        workload.requests.len(),
        head(),
    );
    let expected = workload.expected();
    let all = questions.len();
    let mut contenders = [
        contender("one access", &questions, all, |q| Ok(ours.decide(&q.one_access))),
        contender("whole call", &questions, all, |q| Ok(ours.decide(&q.whole_call))),
        contender("whole call, told", &questions, all, |q| Ok(ours.tell(&q.whole_call))),
        contender("event to decision", &questions, all, |q| ours.decide_event(&q.event, q.secret)),
        contender("one access, loop over all rules", &questions, scanned(size), |q| {
            Ok(ours.scan(&q.one_access))
        }),
        // It refuses everything, so its answers are held against nothing.
        contender("one access, no rules", &questions, all, |q| {
            black_box(empty.decide(&q.one_access));
            Ok(q.allowed)
        }),
    ];
    let figures = race(&mut contenders, &expected, rounds)?;
    let names: Vec<_> = contenders.iter().map(|contender| contender.name).collect();
    for (name, figures) in names.iter().zip(&figures) {
        print(name, figures);
    }
    Ok(())
}

/// How many requests the loop over all rules is asked: it takes long where there are many.
fn scanned(size: usize) -> usize {
    match size {
        0..=1_000 => 4_096,
        1_001..=10_000 => 256,
        _ => 32,
    }
}

fn head() -> String {
    format!("\n{:<34}{:>12}{:>12}{:>12}{:>9}", "", "p50", "p99", "mean", "calls")
}

fn print(name: &str, figures: &Figures) {
    println!(
        "{name:<34}{:>12}{:>12}{:>12}{:>9}",
        digits(figures.p50),
        digits(figures.p99),
        digits(figures.mean),
        digits(figures.calls),
    );
}

/// Loads a policy, then once more while another thread decides on the first.
fn loads(size: usize) -> Result<(), Failure> {
    let workload = Workload::new(size, false);
    let text = policy(&workload.rules);
    let redactor = redactor()?;
    let (ours, load_ms) = milliseconds(|| Ours::load(&text, &redactor));
    let ours = ours?;
    let questions = Question::all(&workload.requests, &ours)?;
    // As the gate holds it: a decision in flight ends on the policy that it began with.
    let in_force = RwLock::new(Arc::new(ours));
    let done = AtomicBool::new(false);
    let (reload_ms, longest) = std::thread::scope(|scope| {
        let decider = scope.spawn(|| longest_decision(&in_force, &questions, &done));
        let (reloaded, reload_ms) = milliseconds(|| {
            let next = Arc::new(Ours::load(&text, &redactor)?);
            let mut held = in_force.write().map_err(|_| "a decision panicked")?;
            let old = std::mem::replace(&mut *held, next);
            drop(held);
            drop(old);
            Ok::<(), Failure>(())
        });
        done.store(true, Ordering::Relaxed);
        let longest = decider.join().map_err(|_| "a decision panicked")?;
        reloaded.map(|()| (reload_ms, longest))
    })?;
    println!(
        "{:>9} rules, {:>9} bytes: load {load_ms:>8.1}, reload {reload_ms:>8.1}; longest of {} \
         decisions meanwhile {:.3}",
        digits(size),
        digits(text.len()),
        digits(longest.0),
        longest.1,
    );
    Ok(())
}

/// Decides until the reload is done: how often, and how long the longest took in milliseconds.
fn longest_decision(
    in_force: &RwLock<Arc<Ours>>,
    questions: &[Question],
    done: &AtomicBool,
) -> (usize, f64) {
    let (mut decisions, mut longest) = (0, 0.0_f64);
    for question in questions.iter().cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let ((), took) = milliseconds(|| {
            let ours =
                Arc::clone(&in_force.read().unwrap_or_else(std::sync::PoisonError::into_inner));
            black_box(ours.decide(&question.one_access));
        });
        decisions += 1;
        longest = longest.max(took);
    }
    (decisions, longest)
}

fn threads(size: usize, each: usize) -> Result<(), Failure> {
    let workload = Workload::new(size, false);
    let ours = Ours::load(&policy(&workload.rules), &redactor()?)?;
    let questions = Question::all(&workload.requests, &ours)?;
    let one = rate(1, each, &ours, &questions);
    let two = rate(2, each, &ours, &questions);
    println!(
        "{:>9} rules: one thread {:>10.0}, two {:>10.0}, {:.2} times as many",
        digits(size),
        one,
        two,
        two / one,
    );
    Ok(())
}

/// Decisions a second of so many threads together, each with `each` of them to make.
fn rate(threads: usize, each: usize, ours: &Ours, questions: &[Question]) -> f64 {
    let barrier = Barrier::new(threads + 1);
    let started = std::thread::scope(|scope| {
        for thread in 0..threads {
            let barrier = &barrier;
            // Each begins elsewhere, so that they do not warm each other's caches.
            let begin = thread * questions.len() / threads;
            scope.spawn(move || {
                barrier.wait();
                for question in questions.iter().cycle().skip(begin).take(each) {
                    black_box(ours.decide(&question.one_access));
                }
            });
        }
        barrier.wait();
        Instant::now()
    });
    (threads * each) as f64 / started.elapsed().as_secs_f64()
}

/// So many rules stand beside the patterns that no index can take.
const RESIDUE_RULES: usize = 10_000;

/// What so many patterns cost, of each verb, that have no fixed part to look them up by. None of
/// them speaks of any request, so every decision stays what it was.
fn residues(residue: usize, rounds: usize) -> Result<(), Failure> {
    let workload = Workload::new(RESIDUE_RULES, false);
    let mut text = policy(&workload.rules);
    for nth in 0..residue {
        for (verb, pattern) in [
            ("read", format!("**/*left{nth}*over*")),
            ("exec", format!("* left{nth} ...")),
            ("connect", format!("https://*/left{nth}/**")),
            ("call", format!("*left{nth}*")),
        ] {
            text.push_str(&format!(
                "[[rule]]\nid = \"left-{verb}-{nth}\"\ndeny = \"{verb}\"\nmatch = [{pattern:?}]\n"
            ));
        }
    }
    let ours = Ours::load(&text, &redactor()?)?;
    println!("\n{} of each verb{}", digits(residue), head());
    for (name, verb) in [
        ("a path", Verb::Read),
        ("a command", Verb::Exec),
        ("a host", Verb::Connect),
        ("a tool", Verb::Call),
    ] {
        let of_verb = || workload.requests.iter().filter(|request| request.verb == verb);
        let mut questions = Vec::new();
        for request in of_verb() {
            questions.extend(Question::all(std::slice::from_ref(request), &ours)?);
        }
        let expected: Vec<bool> = of_verb().map(|request| request.allowed).collect();
        let ask = |q: &Question| Ok(ours.decide(&q.one_access));
        let mut contenders = [contender(name, &questions, scanned(RESIDUE_RULES), ask)];
        for figures in race(&mut contenders, &expected, rounds)? {
            print(name, &figures);
        }
    }
    Ok(())
}
