//! `toolgate audit key`: the key to keep elsewhere, from which all others of the log descend.

use super::Directory;
use crate::audit::proof::prove::keys;
use crate::cli::Outcome;
use crate::cli::out::{complain, say};
use crate::cli::show::plain;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Every key, with the place from which on it signs
    #[arg(long)]
    all: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, String> {
    let directory = arguments.directory.path()?;
    let heads = keys(&directory).map_err(|why| plain(&why.to_string()))?;
    let keys = heads.iter().filter_map(|head| Some((head, head.next.as_ref()?)));
    let mut count = 0;
    for (head, key) in keys.take(if arguments.all { usize::MAX } else { 1 }) {
        count += 1;
        if arguments.all {
            say!("{}/{} {} {key}", head.stream, head.size.saturating_add(1), plain(&head.time));
        } else {
            say!("{key}");
        }
    }
    if count == 0 {
        complain!("error: nothing in `{}` is signed yet", directory.display());
        return Ok(Outcome::Findings);
    }
    Ok(Outcome::Fine)
}
