//! `toolgate policy explain`: what one call would do, and why.

use super::{Asked, Outcome, home};
use crate::author::eval::answer;
use crate::world::Same;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// The call as one JSON object; a text that is none is a Bash command
    call: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let (bound, redactor) = arguments.asked.bound()?;
    let world = Same { home: home(), path: None };
    let line = match arguments.call.trim_start().starts_with('{') {
        true => arguments.call.clone(),
        false => serde_json::json!({ "bash": arguments.call }).to_string(),
    };
    let answered = answer(&line, &bound, &world, &redactor);
    let text = serde_json::to_string_pretty(&answered).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(Outcome::Fine)
}
