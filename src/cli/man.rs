//! `toolgate man`: the manual, made from the same words as `--help`.

use super::{Outcome, command, failed, out};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Write the page of every command into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Some(directory) = &arguments.out else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command()).render(&mut page) {
            Ok(()) => {
                out::text(&String::from_utf8_lossy(&page));
                Outcome::Fine
            }
            Err(error) => failed(&error),
        };
    };
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command(), directory));
    match written {
        Ok(()) => Outcome::Fine,
        Err(error) => {
            let at = directory.display();
            failed(&format!("the pages cannot be written to `{at}`: {error}"))
        }
    }
}
