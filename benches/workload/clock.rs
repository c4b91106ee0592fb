//! How engines are timed: turn about, each decision by itself and then all of them in a batch.

use super::Failure;
use std::hint::black_box;
use std::time::Instant;

/// One way to answer the requests.
pub struct Contender<'a> {
    /// What the table calls it.
    pub name: &'static str,
    /// How many of the requests it is asked, the first ones: fewer where each takes long.
    pub requests: usize,
    /// Answers the request at this place: whether it is allowed.
    pub ask: Box<dyn FnMut(usize) -> Result<bool, Failure> + 'a>,
}

/// What a contender took for one decision, in nanoseconds.
pub struct Figures {
    /// Half of them took at most this, the clock's own time included.
    pub p50: u64,
    /// All but one of a hundred.
    pub p99: u64,
    /// What one took in an unbroken run of them.
    pub mean: u64,
    /// How many were timed one by one.
    pub calls: usize,
}

/// Lets the contenders take turns, so that a machine that slows down slows them all.
///
/// In each round each answers its requests three times: held against `expected`, which also warms
/// it up; timed one by one; and timed as a whole.
///
/// # Errors
/// If one fails, or decides otherwise than expected.
pub fn race(
    contenders: &mut [Contender<'_>],
    expected: &[bool],
    rounds: usize,
) -> Result<Vec<Figures>, Failure> {
    let mut times: Vec<(Vec<u64>, u64)> = contenders.iter().map(|_| (Vec::new(), 0)).collect();
    for _ in 0..rounds {
        for (contender, (each, whole)) in contenders.iter_mut().zip(&mut times) {
            let asked = contender.requests.min(expected.len());
            for (index, expected) in expected.iter().enumerate().take(asked) {
                if (contender.ask)(index)? != *expected {
                    let (name, said) = (contender.name, !expected);
                    return Err(format!("{name}: request {index} comes to {said}").into());
                }
            }
            for index in 0..asked {
                let started = Instant::now();
                black_box((contender.ask)(index)?);
                each.push(nanoseconds(started));
            }
            let started = Instant::now();
            for index in 0..asked {
                black_box((contender.ask)(index)?);
            }
            *whole += nanoseconds(started);
        }
    }
    Ok(times.into_iter().map(|(each, whole)| Figures::of(each, whole)).collect())
}

impl Figures {
    fn of(mut each: Vec<u64>, whole: u64) -> Figures {
        each.sort_unstable();
        let calls = each.len();
        let mean = whole / u64::try_from(calls.max(1)).unwrap_or(u64::MAX);
        Figures { p50: share(&each, 50), p99: share(&each, 99), mean, calls }
    }
}

/// The value that so many of a hundred do not exceed.
fn share(sorted: &[u64], percent: usize) -> u64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

/// What reading the clock twice takes by itself, at the median.
pub fn clock_p50() -> u64 {
    let mut each: Vec<u64> = (0..10_000).map(|_| nanoseconds(Instant::now())).collect();
    each.sort_unstable();
    share(&each, 50)
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Does it, and says how long it took in milliseconds.
pub fn milliseconds<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let made = work();
    (made, started.elapsed().as_secs_f64() * 1e3)
}

/// A number as people read it: `12,345`.
pub fn digits(number: impl TryInto<u64>) -> String {
    let plain = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut told = String::new();
    for (nth, digit) in plain.chars().enumerate() {
        if nth > 0 && (plain.len() - nth) % 3 == 0 {
            told.push(',');
        }
        told.push(digit);
    }
    told
}
