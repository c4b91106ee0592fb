//! `toolgate policy eval`: the batch door for scripts and CI.
//!
//! Each answer is on its way before the next line is waited for, so that a script may ask, read and
//! ask again; where many lines wait, they are answered in one go.

use super::{Asked, Outcome, home, is_policy, misplaced, now};
use crate::author::eval::Evaluator;
use crate::author::session::Sessions;
use crate::cli::out;
use crate::limits::EVENT_BYTES_MAX;
use crate::world::Same;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    asked: Asked,
    /// The calls, one JSON object a line; `-` is standard input [default: standard input]
    file: Option<PathBuf>,
    /// Exit code 1 if any line is answered with a denial
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    if let Some(file) = arguments.file.as_deref().filter(|file| is_policy(file)) {
        return Err(misplaced(file));
    }
    let asked = arguments.asked.read()?;
    let world = Same { home: home(), path: None };
    let input: Box<dyn Read> = match arguments.file.as_deref() {
        Some(path) if path != std::path::Path::new("-") => {
            let opened = std::fs::File::open(path)
                .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
            Box::new(opened)
        }
        Some(_) | None => Box::new(std::io::stdin().lock()),
    };
    let mut input = BufReader::with_capacity(READ_BYTES, input);
    let mut answers = String::new();
    let mut evaluator = Evaluator {
        bound: &asked.bound,
        world: &world,
        redactor: &asked.redactor,
        sessions: Sessions::new(asked.redactor.clone()),
    };
    let mut denied = false;
    let mut line = Vec::new();
    loop {
        let found = next(&mut input, &mut line)
            .map_err(|error| format!("the calls cannot be read: {error}"))?;
        let answer = match found {
            Next::End => break,
            Next::Line if line.iter().all(u8::is_ascii_whitespace) => continue,
            Next::Line => evaluator.answer(&line, now()),
            Next::TooLong => evaluator.too_long(),
        };
        denied |= answer.denied;
        answers.push_str(&answer.text);
        answers.push('\n');
        let waits = !input.buffer().contains(&b'\n');
        if waits || answers.len() >= READ_BYTES {
            out::text(&answers);
            out::flush();
            if out::is_closed() {
                break;
            }
            answers.clear();
        }
    }
    out::text(&answers);
    Ok(if denied && arguments.exit_code { Outcome::Findings } else { Outcome::Fine })
}

/// What is read at once.
const READ_BYTES: usize = 64 * 1024;

/// What was found in the input.
enum Next {
    Line,
    /// A line that is longer than any event may be; it was passed over.
    TooLong,
    End,
}

/// The next line, without its end, into `line`.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<Next> {
    line.clear();
    let most = EVENT_BYTES_MAX as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Next::End);
    }
    if line.pop_if(|last| *last == b'\n').is_some() || line.len() <= EVENT_BYTES_MAX {
        return Ok(Next::Line);
    }
    input.skip_until(b'\n')?;
    Ok(Next::TooLong)
}
