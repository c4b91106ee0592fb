//! The worst of texts, ever longer: what reading them takes must grow no faster than they do.

use super::Failure;
use super::plot::Series;
use super::texts::Scene;
use std::hint::black_box;
use std::time::Instant;

/// The longest text that is read at all.
const LONGEST: usize = toolgate::limits::SHELL_BYTES_MAX;
/// The shortest that is measured.
const SHORTEST: usize = 1024;

/// A shape of text: its name, and how one of so many bytes is made.
type Shape = (&'static str, fn(usize) -> String);

/// `part` so often that it fills so many bytes.
fn filled(part: &str, bytes: usize) -> String {
    part.repeat(bytes / part.len().max(1))
}

const SHAPES: [Shape; 16] = [
    ("words", |n| format!("ls {}", filled("a ", n - 3))),
    ("one long word", |n| format!("ls {}", filled("a", n - 3))),
    ("quotes", |n| format!("ls {}", filled("\"a\"'b'", n - 3))),
    ("assignments a=a;", |n| filled("a=a;", n)),
    ("words $x$x", |n| format!("x=a; ls {}", filled("$x$x ", n - 8))),
    ("doubling x=$x$x;", |n| format!("x=a;{}", filled("x=$x$x;", n - 4))),
    ("braces {a,b}", |n| format!("ls {}", filled("{a,b}", n - 3))),
    ("open braces", |n| format!("ls {}", filled("{a,", n - 3))),
    ("here-documents", |n| filled("cat <<E\na $x\nE\n", n)),
    ("one here-document", |n| format!("cat <<'E'\n{}\nE", filled("a line of it\n", n - 12))),
    ("globs", |n| format!("ls {}", filled("*a?[b] ", n - 3))),
    ("pipes", |n| format!("ls{}", filled("|cat", n - 2))),
    ("&& chains", |n| format!("ls{}", filled("&&ls", n - 2))),
    ("substitutions", |n| format!("ls {}", filled("$(a)", n - 3))),
    ("continued lines", |n| format!("ls {}", filled("\\\n", n - 3))),
    ("wrappers", |n| filled("env nice ls;", n)),
];

/// Measures each shape in every length, and tells it.
///
/// # Errors
/// None today.
pub fn measure(scene: &Scene, quick: bool) -> Result<Vec<Series>, Failure> {
    println!(
        "\ngrowth, in microseconds: bytes, then each shape; the last column is how many times"
    );
    println!("longer twice the bytes take at the end of the row");
    let mut sizes = Vec::new();
    let mut size = SHORTEST;
    while size <= LONGEST {
        sizes.push(size);
        size *= 2;
    }
    let heads: String = sizes.iter().map(|size| format!("{:>10}", size)).collect();
    println!("{:<20}{heads}", "");
    let mut all = Vec::new();
    for (name, make) in SHAPES {
        let mut points = Vec::new();
        for size in &sizes {
            let text = make(*size);
            let rounds = if quick { 1 } else { 5 };
            let once = |_| {
                let started = Instant::now();
                black_box(scene.read(&text));
                started.elapsed().as_secs_f64() * 1e6
            };
            let best = (0..rounds).map(once).fold(f64::INFINITY, f64::min);
            points.push((*size as f64, best));
        }
        let told: String = points.iter().map(|(_, took)| format!("{took:>10.0}")).collect();
        let last = match points.as_slice() {
            [.., (_, before), (_, last)] => last / before,
            _ => 0.0,
        };
        println!("{name:<20}{told}{last:>8.1}");
        all.push(Series { name, points });
    }
    Ok(all)
}

/// The commands that take longest, for whoever wants to make it quicker.
#[must_use]
pub fn slowest(texts: &[String], scene: &Scene) -> String {
    let took = |text: &str| {
        let once = |_| {
            let started = Instant::now();
            black_box(scene.read(text));
            started.elapsed()
        };
        (0..5).map(once).min().unwrap_or_default()
    };
    let mut all: Vec<_> = texts.iter().map(|text| (took(text), text)).collect();
    all.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    let lines: Vec<String> = all
        .iter()
        .take(8)
        .map(|(took, text)| {
            format!("{:>10.1}  {:.90}", took.as_secs_f64() * 1e6, format!("{text:?}"))
        })
        .collect();
    format!("the slowest, in microseconds\n{}", lines.join("\n"))
}
