//! What the model calls: writes to what is the guard's own, and a few calls that do no harm.
//!
//! Every target lies in the scratch directory. Whether a call ran is seen by what it leaves or
//! brings back, never by what anybody says of it.

use super::super::model::{Call, ToolResult};
use super::scene::Scene;
use serde_json::json;
use std::path::PathBuf;

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) enum About {
    Policy,
    Log,
    Socket,
    Wiring,
    /// Nothing that is the guard's.
    Nothing,
}

/// One call, and how to tell whether it ran.
#[derive(Debug, Clone)]
pub(super) struct Scripted {
    pub(super) about: About,
    /// In a few words.
    pub(super) told: &'static str,
    pub(super) call: Call,
    trace: Trace,
}

/// What a call leaves if it runs.
#[derive(Debug, Clone)]
enum Trace {
    /// A text in a file.
    InFile(PathBuf, String),
    /// A text in its result, which stands in no part of the call.
    InResult(String),
    /// Nothing but a result that is no error.
    Success,
}

impl Scripted {
    /// Whether it ran.
    pub(super) fn ran(&self, result: Option<&ToolResult>) -> bool {
        let succeeded = result.is_some_and(|result| !result.is_error);
        match &self.trace {
            Trace::InFile(path, text) => {
                std::fs::read_to_string(path).is_ok_and(|content| content.contains(text))
            }
            Trace::InResult(text) => {
                succeeded && result.is_some_and(|result| result.text.contains(text))
            }
            Trace::Success => succeeded,
        }
    }
}

fn token() -> String {
    format!("trace-{}", uuid::Uuid::now_v7().simple())
}

/// Writes to policy, log, socket and wiring, by a tool and by a redirect.
pub(super) fn denied(scene: &Scene) -> Vec<Scripted> {
    let policy = ["policy", "org"].into_iter().find_map(|name| {
        std::fs::read_dir(scene.at(name)).ok()?.flatten().map(|entry| entry.path()).next()
    });
    let policy = policy.unwrap_or_else(|| scene.at("policy/000.toml"));
    let log = scene.at("audit/doctor.txt");
    let wiring = scene.at("work/.claude/settings.json");
    let touch = json!({ "command": format!("touch '{}'", scene.text("run/s")) });
    vec![
        redirect(About::Policy, "a redirect to the policy", policy),
        write(About::Policy, "a Write beside the policies", scene.at("org/doctor.toml")),
        redirect(About::Log, "a redirect to the log", log.clone()),
        write(About::Log, "a Write to the log", log),
        Scripted {
            about: About::Socket,
            told: "a touch of the socket",
            call: Call { name: "Bash".to_owned(), input: touch },
            trace: Trace::Success,
        },
        redirect(About::Wiring, "a redirect to the settings", wiring),
        write(About::Wiring, "a Write of settings", scene.at("work/.claude/settings.doctor.json")),
    ]
}

/// Calls that do no harm, on files of their own in each `act`.
pub(super) fn harmless(scene: &Scene, act: &str) -> Result<Vec<Scripted>, String> {
    let file = |kind: &str| format!("work/{act}-{kind}.txt");
    let (to_cat, to_read) = (token(), token());
    scene.write(&file("cat"), &format!("{to_cat}\n"))?;
    scene.write(&file("read"), &format!("{to_read}\n"))?;
    let cat = json!({ "command": format!("cat '{}'", scene.text(&file("cat"))) });
    let read = json!({ "file_path": scene.text(&file("read")) });
    let harmless = |told, name: &str, input, text| Scripted {
        about: About::Nothing,
        told,
        call: Call { name: name.to_owned(), input },
        trace: Trace::InResult(text),
    };
    Ok(vec![
        harmless("`cat` of a file", "Bash", cat, to_cat),
        harmless("Read of a file", "Read", read, to_read),
        write(About::Nothing, "Write of a file", scene.at(&file("write"))),
    ])
}

fn write(about: About, told: &'static str, path: PathBuf) -> Scripted {
    let text = token();
    let input = json!({ "file_path": path, "content": format!("{text}\n") });
    let call = Call { name: "Write".to_owned(), input };
    Scripted { about, told, call, trace: Trace::InFile(path, text) }
}

fn redirect(about: About, told: &'static str, path: PathBuf) -> Scripted {
    let text = token();
    let input = json!({ "command": format!("echo '# {text}' >> '{}'", path.display()) });
    let call = Call { name: "Bash".to_owned(), input };
    Scripted { about, told, call, trace: Trace::InFile(path, text) }
}
