//! The sidecar that runs: who listens, whether it can work, what it answers, what it writes.
//!
//! It is only asked. A question is a call that nobody makes: an event like the runtime's own, whose
//! answer is read and thrown away. So nothing here changes anything but its log.

use super::check::{Outcome, Watch, listed};
use super::claude::wiring::{self, held_from};
use super::subject::Subject;
use crate::audit::{State, records, verify_newest};
use crate::limits::{ADMIN_TIMEOUT, HOOK_DEADLINE};
use crate::model::principal::Runtime;
use crate::plane::hook::client::{Settings, exchange};
use crate::service::admin::{self, Reply, Request};
use crate::service::layers::Places;
use crate::service::supervise::audit_directory;
use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What the running sidecar answered to writes to what is its own.
pub(super) struct Probe {
    /// The id of the first question, which its log must have.
    id: String,
    /// Each question, and the answer; or why there was none.
    answers: Vec<(String, Result<Answer, String>)>,
}

/// What the sidecar answered.
struct Answer {
    /// Whether that is a denial.
    denies: bool,
    /// Its words.
    told: String,
}

/// What a sidecar answers whom it does not serve.
const NOT_SERVED: &str = "may not speak";

impl Probe {
    pub(super) fn ask(subject: &Subject) -> Probe {
        let session = format!("toolgate-doctor-{}", uuid::Uuid::now_v7().simple());
        let mut answers = Vec::new();
        for (number, (tool, input, about)) in questions(subject).into_iter().enumerate() {
            let event = serde_json::json!({
                "session_id": session, "cwd": subject.request.workspace,
                "hook_event_name": "PreToolUse", "permission_mode": "default",
                "tool_name": tool, "tool_input": input,
                "tool_use_id": format!("{session}-{number}"),
            });
            let answer = ask(&subject.socket(), &event);
            let gone = answer.is_err();
            answers.push((about, answer));
            if gone {
                break;
            }
        }
        Probe { id: format!("{session}-0"), answers }
    }
}

/// Writes to the policy, the log, the socket and the wiring, by a tool and by a command.
fn questions(subject: &Subject) -> Vec<(&'static str, serde_json::Value, String)> {
    let mut all = Vec::new();
    for path in own_places(subject) {
        let path = path.display().to_string();
        let write = serde_json::json!({ "file_path": path, "content": "" });
        let redirect = format!("echo >> '{path}'");
        all.push(("Write", write, format!("Write of `{path}`")));
        let command = serde_json::json!({ "command": redirect });
        all.push(("Bash", command, format!("a redirect to `{path}`")));
    }
    all
}

/// What no agent may write: the socket first, then what is there of policy, log and wiring.
fn own_places(subject: &Subject) -> Vec<PathBuf> {
    let mut places = vec![subject.socket()];
    places.extend(policy_places(subject).into_iter().filter(|path| path.exists()));
    places.extend(subject.request.config_file.clone());
    if let Some(log) = log_directory(subject).filter(|log| log.exists()) {
        places.push(log.join("doctor"));
    }
    places.extend(wiring::ours(subject).into_iter().map(|hook| hook.file));
    // A file for `--settings` lies anywhere: the sidecar does not know it.
    places.retain(|path| Some(path) != subject.request.settings.as_ref());
    let mut seen = BTreeSet::new();
    let absolute = places.into_iter().filter_map(|path| std::path::absolute(path).ok());
    absolute.filter(|path| seen.insert(path.clone())).collect()
}

fn policy_places(subject: &Subject) -> Vec<PathBuf> {
    let config = &subject.request.config;
    let places = Places::of(config);
    let workspace = crate::service::config::absolute(&subject.request.workspace);
    match workspace {
        Ok(workspace) => places.in_workspace(config, &workspace).paths(),
        Err(_) => places.paths(),
    }
}

fn log_directory(subject: &Subject) -> Option<PathBuf> {
    audit_directory(&subject.request.config).ok()
}

fn ask(socket: &Path, event: &serde_json::Value) -> Result<Answer, String> {
    let settings = Settings {
        runtime: Runtime::Claude,
        socket: socket.display().to_string(),
        server_uid: None,
        deadline: HOOK_DEADLINE,
    };
    let until = Instant::now() + HOOK_DEADLINE;
    let reply = exchange(&settings, event.to_string().as_bytes(), until)?;
    let told = String::from_utf8_lossy(&[reply.stderr, reply.stdout].concat()).trim().to_owned();
    Ok(Answer { denies: reply.code == 2, told })
}

pub(super) fn socket(subject: &Subject, _: &Watch) -> Outcome {
    let socket = subject.socket();
    let shown = socket.display();
    let meta = match std::fs::symlink_metadata(&socket) {
        Ok(meta) if meta.file_type().is_socket() => meta,
        Ok(_) => return Outcome::Failed(format!("`{shown}` is no socket")),
        Err(error) => return Outcome::Failed(format!("`{shown}` cannot be reached: {error}")),
    };
    let mode = meta.mode() & 0o777;
    let mut wrong = Vec::new();
    if mode & 0o007 != 0 {
        wrong.push(format!("its mode {mode:04o} lets every user in"));
    }
    let directory = socket.parent().and_then(|parent| std::fs::metadata(parent).ok());
    match directory {
        Some(directory) if directory.mode() & 0o022 != 0 => {
            wrong.push(format!(
                "others can write its directory ({:04o})",
                directory.mode() & 0o7777
            ));
        }
        Some(directory) if directory.uid() != meta.uid() && directory.uid() != 0 => {
            wrong.push(format!("its directory belongs to user {}", directory.uid()));
        }
        Some(_) => {}
        None => wrong.push("its directory cannot be looked at".to_owned()),
    }
    if let Err(error) = UnixStream::connect(&socket) {
        wrong.push(format!("nothing answers at `{shown}`: {error}"));
    }
    let owner = meta.uid();
    Outcome::unless(&wrong, format!("`{shown}` is open, mode {mode:04o}, of user {owner}"))
}

pub(super) fn server_uid(subject: &Subject, _: &Watch) -> Outcome {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let ours = wiring::ours(subject);
    let stated: Option<BTreeSet<u32>> =
        ours.iter().map(|hook| hook.told().ok().and_then(|told| told.server_uid)).collect();
    let stated = match stated {
        Some(stated) if !stated.is_empty() => stated,
        Some(_) => return wiring::none(subject),
        None => {
            let why = "a hook asks whoever listens at its socket; give it --server-uid";
            return Outcome::Warning(why.to_owned());
        }
    };
    let Ok(stream) = UnixStream::connect(subject.socket()) else {
        return Outcome::Skipped("nobody listens there".to_owned());
    };
    match getsockopt(&stream, PeerCredentials) {
        Ok(peer) if stated.iter().all(|uid| *uid == peer.uid()) => {
            Outcome::Ok(format!("each hook asks user {} alone", peer.uid()))
        }
        Ok(peer) => Outcome::Failed(format!(
            "user {} listens; the hooks ask for {}, so all is denied",
            peer.uid(),
            stated.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ")
        )),
        Err(error) => Outcome::Skipped(format!("the peer cannot be seen: {error}")),
    }
}

pub(super) fn ready(subject: &Subject, _: &Watch) -> Outcome {
    let closed = UnixStream::connect(subject.admin())
        .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    if closed {
        let why = "this user may not ask; look as the sidecar's user, or as root";
        return Outcome::Skipped(why.to_owned());
    }
    match admin::ask(&subject.admin(), &Request::Health, ADMIN_TIMEOUT) {
        Ok(Reply::Health(health)) if !health.ready => Outcome::Failed(listed(&health.problems)),
        Ok(Reply::Health(health)) if !health.warnings.is_empty() => {
            Outcome::Warning(listed(&health.warnings))
        }
        Ok(Reply::Health(_)) => Outcome::Ok("it can judge and record".to_owned()),
        Ok(Reply::Error(why)) => Outcome::Skipped(why),
        Ok(
            Reply::Status(_)
            | Reply::Reload(_)
            | Reply::Label(_)
            | Reply::Erased(_)
            | Reply::Metrics(_),
        ) => Outcome::Failed("it answered another question".to_owned()),
        Err(why) => Outcome::Failed(why),
    }
}

/// Whether the floor holds in the sidecar that runs, for the real places.
pub(super) fn floor(subject: &Subject, _: &Watch) -> Outcome {
    if UnixStream::connect(subject.socket()).is_err() {
        return Outcome::Skipped(
            "because `sidecar.socket` failed: nobody answers there".to_owned(),
        );
    }
    let answers = &subject.probe().answers;
    let ours = wiring::ours(subject);
    let wired: BTreeSet<String> =
        ours.into_iter().map(|hook| hook.file.display().to_string()).collect();
    let mut wrong = Vec::new();
    for (about, answer) in answers {
        match answer {
            Ok(answer) if answer.denies && answer.told.contains(NOT_SERVED) => {
                return Outcome::Skipped(
                    "it does not serve this user; ask as the agent".to_owned(),
                );
            }
            Ok(Answer { denies: true, .. }) => {}
            Ok(Answer { denies: false, .. }) => {
                let is_wiring = wired.iter().any(|file| about.contains(file.as_str()));
                let mend = if is_wiring { "; name it in `[hook] wiring`" } else { "" };
                wrong.push(format!("{about} is not denied{mend}"));
            }
            Err(why) => wrong.push(why.clone()),
        }
    }
    Outcome::unless(&wrong, format!("{} writes are denied", answers.len()))
}

/// Whether the log has what was just asked, and its newest file is whole.
pub(super) fn log(subject: &Subject, _: &Watch) -> Outcome {
    let Some(directory) = log_directory(subject) else {
        return Outcome::Skipped("say where the log is, with --audit".to_owned());
    };
    let shown = directory.display();
    if let Err(error) = directory.read_dir() {
        return Outcome::Skipped(format!("`{shown}` cannot be read by this user: {error}"));
    }
    if let Some((_, Err(why))) = subject.probe().answers.first() {
        return Outcome::Skipped(format!("nothing was asked that it could have: {why}"));
    }
    let id = Some(subject.probe().id.as_str());
    let found = records(&directory).map(|mut all| {
        all.any(|entry| entry.is_ok_and(|entry| entry.record.tool_use_id.as_deref() == id))
    });
    match found {
        Ok(true) => {}
        Ok(false) => {
            let why = format!("the call that was just asked is not in `{shown}`");
            return Outcome::Failed(why);
        }
        Err(error) => return Outcome::Failed(error.to_string()),
    }
    match verify_newest(&directory) {
        Ok(report) if report.state() == State::Broken => {
            Outcome::Failed(format!("`{shown}` is broken; see `toolgate audit verify`"))
        }
        Ok(report) => Outcome::Ok(format!(
            "`{shown}` took the call; its newest file is whole, {} records",
            report.records
        )),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Whether the agent's user could change policy or log, or put a socket in place of ours.
pub(super) fn held(subject: &Subject, _: &Watch) -> Outcome {
    if !subject.socket().exists() {
        return Outcome::Skipped(format!("`{}` is not there", subject.socket().display()));
    }
    let mut places = policy_places(subject);
    places.extend(subject.request.config_file.clone());
    places.extend(log_directory(subject).filter(|log| log.exists()));
    // The shipped policy lies in the program, and a place that is not there is not read.
    places.retain(|path| path.exists());
    let files = held_from(subject, &places, false);
    let sockets = held_from(subject, &[subject.socket(), subject.admin()], true);
    match (files, sockets) {
        (Outcome::Ok(_), Outcome::Ok(_)) => Outcome::Ok(format!(
            "by modes, {} places are out of the agent's reach",
            places.len() + 2
        )),
        (Outcome::Ok(_), other) | (other, _) => other,
    }
}
