//! `toolgate init`: a runtime is wired to the guard, or the wiring is taken back.
//!
//! Nothing is written before it was shown, and nothing without somebody's word: a yes on the
//! terminal, or `--yes`.

use super::show::plain;
use super::{Outcome, failed};
use crate::cli::out::{complain, say, text};
use crate::limits::{HOOK_DEADLINE, HOOK_DEADLINE_MAX, HOOK_SOCKET};
use crate::model::principal::Runtime;
use crate::redact::Redactor;
use crate::wiring::claude::Managed;
use crate::wiring::file::{Edit, Undo, is_backup_of_nothing};
use crate::wiring::place::{Place, Surroundings};
use crate::wiring::plan::{Request, files, server_uid};
use crate::wiring::{Hook, Note, client};
use jiff::Timestamp;
use serde::Serialize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Whose hooks: claude (Claude Code and the Agent SDK) or codex (OpenAI Codex CLI)
    #[arg(required_unless_present = "list")]
    runtime: Option<String>,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    client: Client,
    /// How what was done is told, on standard output
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Which settings; the user's if nothing is said.
#[derive(clap::Args)]
struct Where {
    /// The settings of the repository in this directory
    #[arg(long, group = "place")]
    project: bool,
    /// A settings file that the runtime is given by name (`claude --settings`, the Agent SDK)
    #[arg(long, group = "place", value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The administrator's settings, for images and managed machines
    #[arg(long, group = "place")]
    managed: bool,
    /// With --managed: permission rules of users and projects do not count
    #[arg(long, requires = "managed")]
    permission_rules_only: bool,
    /// With --managed: nobody can switch the permission rules off
    #[arg(long, requires = "managed")]
    no_bypass: bool,
    /// The root of an image that is being built: stands before every path that is written
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// What is done; the settings are written if nothing is said.
#[derive(clap::Args)]
struct What {
    /// Print settings with nothing but the wiring, and write nothing
    #[arg(long, group = "what")]
    print: bool,
    /// Show what would change, and write nothing
    #[arg(long, group = "what")]
    dry_run: bool,
    /// Put back what the last `init` has changed
    #[arg(long, group = "what")]
    undo: bool,
    /// List the runtimes, their events, and what is done with each
    #[arg(long, group = "what")]
    list: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// With --undo: even if the file was changed since; what it held is kept beside it
    #[arg(long, requires = "undo")]
    force: bool,
}

/// How the hook is started.
#[derive(clap::Args)]
struct How {
    /// Where this program lies for the agent, if not here
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where the sidecar listens
    #[arg(long, value_name = "PATH", default_value = HOOK_SOCKET)]
    socket: String,
    /// The user who runs the sidecar; the socket's owner, if it is there
    #[arg(long, value_name = "UID")]
    server_uid: Option<u32>,
    /// When the hook gives up and denies, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = default_deadline())]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=longest_deadline()))]
    deadline: u32,
    /// Also send the events that come too often for a process, to the sidecar's HTTP listener,
    /// with the token that $TOOLGATE_HOOK_TOKEN holds there (claude)
    #[arg(long, value_name = "URL")]
    http: Option<String>,
}

/// Which client is asked for its version.
#[derive(clap::Args)]
struct Client {
    /// The runtime's program, if not the one on $PATH
    #[arg(long, value_name = "PATH", conflicts_with = "no_client_check")]
    client: Option<PathBuf>,
    /// Ask no client, for an image that has none yet: one that is too old lets calls through
    /// whenever a hook fails
    #[arg(long)]
    no_client_check: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object
    Json,
}

/// What was done, for programs.
#[derive(Serialize, Default)]
struct Report {
    runtime: &'static str,
    client: Option<ClientReport>,
    files: Vec<FileReport>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct ClientReport {
    path: PathBuf,
    version: String,
}

#[derive(Serialize)]
struct FileReport {
    path: PathBuf,
    done: Done,
    /// What the file held before.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<PathBuf>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Done {
    Unchanged,
    Written,
    WouldChange,
    Restored,
    Removed,
}

fn default_deadline() -> u32 {
    u32::try_from(HOOK_DEADLINE.as_millis()).unwrap_or(u32::MAX)
}

fn longest_deadline() -> i64 {
    i64::try_from(HOOK_DEADLINE_MAX.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.what.list {
        list(arguments.format);
        return Outcome::Fine;
    }
    match wired(arguments) {
        Ok(outcome) => outcome,
        Err(why) => failed(&why),
    }
}

fn wired(arguments: &Arguments) -> Result<Outcome, String> {
    let runtime = arguments.runtime.as_deref().unwrap_or_default();
    let runtime: Runtime = runtime.parse().map_err(|error| format!("{error}"))?;
    let around = around(runtime, arguments)?;
    let place = arguments.place.place();
    let mut report = Report { runtime: runtime.as_str(), ..Report::default() };
    if arguments.what.undo {
        return undo(&files(runtime, &place, &around)?, arguments, report);
    }
    let mut request = request(runtime, place, around, arguments)?;
    // What was said wrongly is told before what is missing here.
    request.check()?;
    report.client = client(runtime, arguments)?;
    let how = &arguments.how;
    request.hook.server_uid = server_uid(how.server_uid, &how.socket, &request.around)?;
    if arguments.what.print {
        if request.runtime == Runtime::Codex && request.place == Place::User {
            complain!(
                "warning: Codex skips these hooks until they are trusted; `toolgate init \
                codex` writes that too"
            );
        }
        text(&request.alone().map_err(|error| error.to_string())?);
        return Ok(Outcome::Fine);
    }
    let plan = request.plan().map_err(|error| error.to_string())?;
    let mut notes = plan.notes;
    if let (Runtime::Claude, Some(client)) = (runtime, &report.client) {
        let texts = plan.edits.iter().filter_map(|edit| edit.after.as_deref());
        for text in texts {
            notes.extend(read_whole(&client.path, text)?);
        }
    }
    let changes: Vec<&Edit> = plan.edits.iter().filter(|edit| edit.changes()).collect();
    changes.iter().for_each(|edit| show(edit));
    if !changes.is_empty() {
        complain!("in all: {}", plan.summary);
    }
    // After the change, which is long: the last lines are those that are read.
    tell(&notes, &mut report);
    let outcome = match changes.is_empty() {
        true => Outcome::Fine,
        false => leave(&arguments.what, "write this?")?,
    };
    for edit in &plan.edits {
        let (done, backup) = match (edit.changes(), outcome) {
            (false, _) => (Done::Unchanged, None),
            (true, Outcome::Fine) => {
                let backup = edit.write(Timestamp::now()).map_err(|error| error.to_string())?;
                (Done::Written, Some(backup))
            }
            (true, Outcome::Findings | Outcome::Failed) => (Done::WouldChange, None),
        };
        report.files.push(FileReport { path: edit.path.clone(), done, backup });
    }
    finish(&report, arguments.format);
    Ok(outcome)
}

impl Where {
    fn place(&self) -> Place {
        match &self.settings {
            Some(file) => Place::File(file.clone()),
            None if self.managed => Place::Managed,
            None if self.project => Place::Project,
            None => Place::User,
        }
    }
}

fn around(runtime: Runtime, arguments: &Arguments) -> Result<Surroundings, String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = match runtime {
        Runtime::Claude => set("CLAUDE_CONFIG_DIR"),
        // Codex names its files, and with them what is trusted, by where this leads.
        Runtime::Codex => set("CODEX_HOME")
            .map(|home| std::fs::canonicalize(&home).map_or(home, PathBuf::into_os_string)),
        Runtime::Unknown => None,
    };
    let directory = std::env::current_dir()
        .map_err(|error| format!("the current directory cannot be told: {error}"))?;
    let root: Option<PathBuf> =
        (arguments.place.root.as_ref()).map(|root| directory.join(root).components().collect());
    if let Some(root) = root.as_ref().filter(|root| !root.is_dir()) {
        return Err(format!("`--root`: there is no directory `{}`; make it first", root.display()));
    }
    Ok(Surroundings {
        home: set("HOME").map(PathBuf::from),
        config: config.map(PathBuf::from),
        directory,
        root,
    })
}

fn request(
    runtime: Runtime,
    place: Place,
    around: Surroundings,
    arguments: &Arguments,
) -> Result<Request, String> {
    let how = &arguments.how;
    let binary = match &how.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()
            .map_err(|error| format!("say where this program lies with `--binary`: {error}"))?,
    };
    let binary = binary.into_os_string().into_string();
    let hook = Hook {
        binary: binary.map_err(|_| "the program's path is not UTF-8; use `--binary`".to_owned())?,
        socket: how.socket.clone(),
        server_uid: how.server_uid.unwrap_or_default(),
        deadline: Duration::from_millis(u64::from(how.deadline)),
    };
    let managed = Managed {
        permission_rules_only: arguments.place.permission_rules_only,
        no_bypass: arguments.place.no_bypass,
    };
    Ok(Request { runtime, place, around, hook, http: how.http.clone(), managed })
}

/// The client that will read the settings, if it fails closed.
fn client(runtime: Runtime, arguments: &Arguments) -> Result<Option<ClientReport>, String> {
    if arguments.client.no_client_check {
        match runtime {
            Runtime::Claude => complain!(
                "warning: no client was asked; one before {} lets calls through when a hook fails",
                client::oldest(runtime)
            ),
            Runtime::Codex => complain!(
                "warning: no client was asked; {} is the first that was tried",
                client::oldest(runtime)
            ),
            Runtime::Unknown => {}
        }
        return Ok(None);
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    // What is installed here says nothing of what is in an image.
    let found = || client::find(runtime, &search).filter(|_| arguments.place.root.is_none());
    let Some(path) = arguments.client.client.clone().or_else(found) else {
        return Err(format!(
            "no `{}` is found whose version could be told; name it with `--client PATH`, or say \
             `--no-client-check`",
            runtime.as_str()
        ));
    };
    let version = client::check(runtime, &path)?.to_string();
    Ok(Some(ClientReport { path, version }))
}

/// That the client reads the settings whole; a note if it cannot be asked.
fn read_whole(client: &Path, settings: &str) -> Result<Vec<Note>, String> {
    if let Some(name) = client::unhooking(settings) {
        return Err(format!(
            "nothing was written: with `{name}` in `env` Claude Code runs no hooks but managed \
             ones; take it out, or wire the managed settings (--managed)"
        ));
    }
    match client::mistakes(client, settings) {
        Ok(mistakes) if mistakes.is_empty() => Ok(Vec::new()),
        Ok(mistakes) => Err(format!(
            "nothing was written: Claude Code would not read the settings whole, and may then run \
             none of their hooks; mend this first:\n{}",
            mistakes.iter().map(|why| plain(why)).collect::<Vec<_>>().join("\n")
        )),
        Err(why) => Ok(vec![Note::warning(format!(
            "`{} doctor` {why}; whether it reads the settings whole is not known, and one wrong \
             value anywhere in them may switch their hooks off",
            client.display()
        ))]),
    }
}

/// Whether it may be written. [`Outcome::Findings`] is a no.
fn leave(what: &What, question: &str) -> Result<Outcome, String> {
    if what.dry_run {
        return Ok(Outcome::Findings);
    }
    if what.yes {
        return Ok(Outcome::Fine);
    }
    if !std::io::stdin().is_terminal() {
        return Err("nothing was written: there is no terminal to ask on; say `--yes`".to_owned());
    }
    complain!("{question} [y/N]");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let is_yes = read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes");
    Ok(if is_yes { Outcome::Fine } else { Outcome::Findings })
}

/// A change on standard error. Settings hold tokens too, which need not be in a build's log.
fn show(edit: &Edit) {
    let path = plain(&edit.path.display().to_string());
    let none = "/dev/null".to_owned();
    complain!("--- {}", if edit.before.is_some() { &path } else { &none });
    complain!("+++ {}", if edit.after.is_some() { &path } else { &none });
    let diff = edit.diff();
    let clean = match Redactor::shipped() {
        Ok(redactor) => redactor.clean(&diff).into_owned(),
        Err(error) => format!("(the change cannot be shown: {error})"),
    };
    clean.lines().for_each(|line| complain!("{}", plain(line)));
}

fn tell(notes: &[Note], report: &mut Report) {
    for note in notes {
        let text = plain(&note.text);
        match note.is_warning {
            true => {
                complain!("warning: {text}");
                report.warnings.push(text);
            }
            false => {
                complain!("note: {text}");
                report.notes.push(text);
            }
        }
    }
}

fn undo(paths: &[PathBuf], arguments: &Arguments, mut report: Report) -> Result<Outcome, String> {
    let mut ways = Vec::new();
    for path in paths {
        ways.extend(Undo::of(path).map_err(|error| error.to_string())?);
    }
    if ways.is_empty() {
        let paths: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(format!("there is no backup of {}", paths.join(" or ")));
    }
    for way in &ways {
        show(&way.edit);
        if way.is_changed && !arguments.what.force {
            return Err(format!(
                "`{}` was changed since the backup was made; take the change back by hand, or say \
                 `--force`, which keeps what is there beside it",
                way.edit.path.display()
            ));
        }
    }
    let outcome = leave(&arguments.what, "put this back?")?;
    for way in ways {
        if outcome == Outcome::Fine {
            let backup = way.write(Timestamp::now()).map_err(|error| error.to_string())?;
            let gone = way.edit.after.is_none();
            let done = if gone { Done::Removed } else { Done::Restored };
            report.files.push(FileReport { path: way.edit.path, done, backup });
        }
    }
    finish(&report, arguments.format);
    Ok(outcome)
}

fn finish(report: &Report, format: Format) {
    if format == Format::Json {
        match serde_json::to_string(report) {
            Ok(json) => say!("{json}"),
            Err(error) => complain!("error: the report cannot be written: {error}"),
        }
        return;
    }
    if let Some(client) = &report.client {
        let path = client.path.display().to_string();
        say!("`{}` is version {}", plain(&path), client.version);
    }
    for file in &report.files {
        let path = plain(&file.path.display().to_string());
        match file.done {
            Done::Unchanged => say!("`{path}`: nothing to do"),
            Done::Written => say!("`{path}` is written"),
            Done::WouldChange => say!("`{path}` would change; nothing was written"),
            Done::Restored => say!("`{path}` is as it was"),
            Done::Removed => say!("`{path}` is gone, as it was"),
        }
        let Some(backup) = &file.backup else { continue };
        match is_backup_of_nothing(backup) {
            true => say!("  it was not there; `--undo` takes it away"),
            false => say!("  what it held is in `{}`", plain(&backup.display().to_string())),
        }
    }
}

fn list(format: Format) {
    use crate::plane::hook::events::{self, Wire};
    let rows = [Runtime::Claude, Runtime::Codex].into_iter().flat_map(|runtime| {
        events::of(runtime).iter().map(move |event| {
            let wire = match event.wire {
                Wire::Command => "command",
                Wire::HttpOnRequest => "http",
                Wire::Never => "never",
            };
            (runtime.as_str(), event.name, wire, event.why)
        })
    });
    let row = |(runtime, event, wired, why): (&str, &str, &str, &str)| {
        let row = [("runtime", runtime), ("event", event), ("wired", wired), ("why", why)];
        row.into_iter().map(|(key, text)| (key.to_owned(), serde_json::Value::from(text))).collect()
    };
    match format {
        Format::Json => say!("{}", serde_json::Value::Array(rows.map(row).collect())),
        Format::Human => rows.for_each(|(runtime, event, wired, why)| {
            say!("{runtime:<7} {event:<20} {wired:<8} {why}");
        }),
    }
}
