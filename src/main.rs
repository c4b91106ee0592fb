//! The binary: the hook client before everything else, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> =
        std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    match args.get(1).map(String::as_str) {
        Some("hook") if !asks_for_help(&args) => {
            toolgate::plane::hook::client::main(args.get(2..).unwrap_or_default())
        }
        _ => toolgate::cli::run(),
    }
}

/// A person looks for help; a runtime never passes these.
fn asks_for_help(args: &[String]) -> bool {
    args.iter().skip(2).any(|arg| arg == "--help" || arg == "-h")
}
