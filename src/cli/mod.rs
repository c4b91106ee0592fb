//! The command line: one file for each command. `hook` is not here: it is taken before this.

mod ask;
mod audit;
mod bridge;
mod demo;
mod doctor;
mod egress;
mod health;
mod init;
mod label;
mod man;
mod metrics;
mod out;
mod pages;
mod policy;
mod reload;
mod serve;
mod show;
mod status;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use out::complain;
use std::process::ExitCode;

/// One door between an AI agent and its tools: one policy, one evaluator, one log.
#[derive(Parser)]
#[command(name = "toolgate", bin_name = "toolgate", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 fine, 1 findings, 2 usage or could not run.\n\
    `toolgate hook` answers as its runtime wants it: 0 to go on, 2 to hold the call back.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole product on one screen, with nothing installed
    Demo(demo::Arguments),
    /// The sidecar in the foreground
    Serve(serve::Arguments),
    /// What a running sidecar is and does
    Status(status::Arguments),
    /// What a running sidecar counts, as Prometheus reads it
    Metrics(metrics::Arguments),
    /// A running sidecar reads its policy files again; exit code 1 if they are refused
    Reload(reload::Arguments),
    /// Whether a running sidecar lives; with --ready, exit code 1 if it cannot do its work
    Health(health::Arguments),
    /// Tries everything for real: sidecar, settings, the client itself; exit code 1 for findings
    Doctor(Box<doctor::Arguments>),
    /// Only for the doctor itself
    #[command(name = "doctor-stage", hide = true)]
    DoctorStage(doctor::Stage),
    /// Set or remove a label of a session
    #[command(subcommand)]
    Label(label::Command),
    /// Wires a runtime to the guard: shows the change, keeps a backup, and --undo takes it back
    Init(init::Arguments),
    /// The hook client: an event on stdin, the runtime's own answer on stdout
    Hook(Hook),
    /// A port in a network namespace that leads to the proxy's socket outside of it
    Bridge(bridge::Arguments),
    /// For the person who sets up the way out
    #[command(subcommand)]
    Egress(egress::Command),
    /// For the person who writes policy
    #[command(subcommand)]
    Policy(policy::Command),
    /// For the person who reads the log
    #[command(subcommand)]
    Audit(Box<audit::Command>),
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual
    Man(man::Arguments),
}

/// Only for the help text: the hook client reads its arguments itself, before everything else.
#[derive(clap::Args)]
struct Hook {
    /// Whose hook this is: claude or codex
    runtime: String,
    /// Where the sidecar listens
    #[arg(long, default_value = crate::limits::HOOK_SOCKET)]
    socket: String,
    /// The user id that must be listening there
    #[arg(long, value_name = "UID")]
    server_uid: Option<u32>,
    /// When to give up and deny, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20_000)]
    deadline: u32,
}

/// The exit codes of every command but `hook` (and `run`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is as it should be.
    Fine,
    /// It ran, and found something: a failed test, a broken log.
    Findings,
    /// It could not run.
    Failed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Findings => 1,
            Outcome::Failed => 2,
        })
    }
}

/// The whole command line, each command with its examples.
fn command() -> clap::Command {
    pages::with_pages(Arguments::command())
}

/// Runs the command that the arguments name.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::from_arg_matches(&command().get_matches());
    let outcome = match arguments.unwrap_or_else(|error| error.exit()).command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Metrics(arguments) => metrics::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::DoctorStage(arguments) => return doctor::stage(&arguments),
        Command::Label(command) => label::run(&command),
        Command::Init(arguments) => init::run(&arguments),
        Command::Bridge(arguments) => bridge::run(&arguments),
        Command::Egress(command) => egress::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Audit(command) => audit::run(&command),
        Command::Hook(Hook { runtime, socket, server_uid, deadline }) => {
            // Reached only if the arguments before `hook` hid it from `main`; never answered.
            drop((runtime, socket, server_uid, deadline));
            complain!("toolgate: write `hook` as the first argument");
            Outcome::Failed
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "toolgate", &mut script);
            out::text(&String::from_utf8_lossy(&script));
            Outcome::Fine
        }
        Command::Man(arguments) => man::run(&arguments),
    };
    out::finish(outcome).into()
}

/// Says why a command could not run. The mistakes of a policy are errors by their own words.
fn failed(why: &dyn std::fmt::Display) -> Outcome {
    let why = why.to_string();
    match why.starts_with("error[") || why.starts_with("warning[") {
        true => complain!("{why}"),
        false => complain!("error: {why}"),
    }
    Outcome::Failed
}
