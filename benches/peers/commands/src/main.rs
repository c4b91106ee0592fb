//! A shell command read by toolgate, by the bare parser and by the grammar of editors, in one
//! rotating run.
//!
//! `benches/README.md` says how to run it. The others come to a tree of the text, toolgate to all
//! that the text would do. Each answer is held to be one: a tree, or accesses.

#[path = "../../../workload/clock.rs"]
mod clock;
#[path = "../../../commands/texts.rs"]
mod texts;

use clock::{Contender, clock_p50, race};
use std::hint::black_box;
use std::path::Path;
use tree_sitter::Parser;

/// What may go wrong.
pub type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let texts = texts::all(&root)?;
    let scene = texts::Scene::new()?;
    println!("{}", texts::first(&scene));
    let mut grammar = Parser::new();
    grammar.set_language(&tree_sitter_bash::LANGUAGE.into())?;
    let mut contenders = texts::contenders(&texts, &scene);
    contenders.push(Contender {
        name: "tree-sitter-bash",
        requests: texts.len(),
        ask: Box::new(|index| {
            let tree = grammar.parse(texts.get(index).map_or("", String::as_str), None);
            Ok(black_box(tree).is_some())
        }),
    });
    let expected = vec![true; texts.len()];
    let figures = race(&mut contenders, &expected, if quick { 1 } else { 20 })?;
    println!("{}", texts::table(&texts, clock_p50(), &contenders, &figures));
    Ok(())
}
