//! Shell commands read: what one costs from its text to all that it would do, beside the bare
//! parser, and how that grows with the worst of texts.
//!
//! `benches/README.md` says how to run it. The commands are those of `tests/cases`, judged in the
//! frozen world, so that no file is looked at and every run sees the same.

#[path = "workload/clock.rs"]
mod clock;
#[path = "commands/growth.rs"]
mod growth;
#[path = "commands/plot.rs"]
mod plot;
#[path = "commands/texts.rs"]
mod texts;

use clock::{Contender, clock_p50, race};
use std::path::Path;

/// What may go wrong.
pub type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = texts::all(root)?;
    let scene = texts::Scene::new()?;
    println!("{}", texts::first(&scene));
    let mut contenders: Vec<Contender<'_>> = texts::contenders(&texts, &scene);
    let expected = vec![true; texts.len()];
    let figures = race(&mut contenders, &expected, if quick { 1 } else { 20 })?;
    println!("{}", texts::table(&texts, clock_p50(), &contenders, &figures));
    drop(contenders);
    println!("\n{}", growth::slowest(&texts, &scene));
    let series = growth::measure(&scene, quick)?;
    let plot = root.join("benches/growth.svg");
    if quick {
        return Ok(());
    }
    std::fs::write(&plot, plot::svg("Reading the worst of texts", &series))?;
    println!("\nplotted in benches/growth.svg");
    Ok(())
}
