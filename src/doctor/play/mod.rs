//! A session of the real client, played for the canaries: the user's settings and policies, a
//! sidecar of our own that may be stopped and frozen, and a model that does as it is told.
//!
//! The stage is a process of its own, in a network that leads nowhere if the system allows it.
//! What came of each call is judged by what it left, and by the log of our own sidecar.

mod isolate;
mod scene;
mod script;
mod sidecar;
mod stage;

pub use stage::main as stage;

pub(super) use script::About;

use super::check::Watch;
use super::claude::settings::{self, Scope};
use super::claude::{client, wiring};
use super::model::{Heard, ToolResult, id_of};
use super::subject::Subject;
use crate::audit::records;
use crate::limits::{DOCTOR_HUNG_TIMEOUT, DOCTOR_POLL, DOCTOR_TURN_TIMEOUT};
use scene::Scene;
use script::Scripted;
use sidecar::Sidecar;
use stage::{Cue, Told};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where the client looks for managed settings.
const MANAGED: &str = "/etc/claude-code";
/// The client's output in the scratch directory.
const CLIENT_OUT: &str = "client.out";
/// The client's errors.
const CLIENT_ERRORS: &str = "client.err";

/// What came of a session.
pub(super) struct Play {
    /// Nothing if it was played off the network, else why not.
    pub(super) isolated: Result<(), String>,
    /// What of the user's settings was left out.
    pub(super) left_out: Vec<String>,
    /// Writes to what is the guard's own.
    pub(super) denied: Act,
    /// Calls that do no harm.
    pub(super) allowed: Act,
    /// The same with the sidecar gone.
    pub(super) stopped: Act,
    /// The same with the sidecar frozen.
    pub(super) hung: Act,
}

/// What came of the calls of one turn, or why there was none.
pub(super) type Act = Result<Vec<Tried>, String>;

/// What came of one call.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub(super) about: About,
    /// The call in a few words.
    pub(super) told: &'static str,
    /// Whether it ran.
    pub(super) ran: bool,
    /// Whether the client said that it failed; nothing if it said nothing.
    pub(super) is_error: Option<bool>,
    /// What the model was told.
    pub(super) text: String,
    /// What our sidecar decided, if it was asked.
    pub(super) decided: Option<String>,
}

/// Plays a session.
pub(super) fn play(subject: &Subject, watch: &Watch) -> Result<Play, String> {
    if wiring::ours(subject).is_empty() {
        return Err(wiring::why_none(subject));
    }
    if let Some(why) = wiring::http_gate(subject) {
        return Err(why);
    }
    let program = subject.client()?;
    client::may_be_played(&program)?;
    let managed = subject.settings().iter().any(|file| file.scope == Scope::Managed);
    if managed && subject.request.managed.as_path() != Path::new(MANAGED) {
        return Err(format!("the client reads managed settings in `{MANAGED}` alone"));
    }
    let scene = Scene::new()?;
    let covers = scene.furnish_settings(subject)?;
    let plan = scene.plan(subject, &program, covers, never_exposed(subject));
    let text = serde_json::to_string(&plan).map_err(|error| error.to_string())?;
    scene.write("plan.json", &text)?;
    watch.say("starting a sidecar of our own");
    let sidecar = Sidecar::start(&scene, subject)?;
    watch.say("starting the client against a scripted model");
    let (stage, isolated) = Stage::open(&scene)?;
    let mut session = Session { subject, scene: &scene, stage, turn: 0 };
    session.stage.cue(&Cue::Owns(sidecar.pid()?))?;
    let mut play = session.acts(sidecar, watch);
    play.isolated = isolated;
    play.left_out = settings::left_out(subject.settings());
    Ok(play)
}

/// Why the settings must not be played where there is a network, if they must not.
fn never_exposed(subject: &Subject) -> Option<String> {
    let files = subject.settings();
    let says = |key: &str| {
        files.iter().any(|file| file.content.as_ref().is_ok_and(|all| all.get(key).is_some()))
    };
    if files.iter().any(|file| file.scope == Scope::Managed) {
        return Some("managed settings would lead to the sidecar that runs".to_owned());
    }
    if wiring::hooks(subject).iter().any(|hook| !hook.is_ours()) {
        return Some("the hooks of others would run beside a network".to_owned());
    }
    let plugins = says("enabledPlugins") || says("extraKnownMarketplaces");
    plugins.then(|| "plugins would be fetched".to_owned())
}

/// One session, turn by turn.
struct Session<'a> {
    subject: &'a Subject,
    scene: &'a Scene,
    stage: Stage,
    turn: usize,
}

impl Session<'_> {
    fn acts(&mut self, sidecar: Sidecar, watch: &Watch) -> Play {
        let unreached = || Err("the play did not come to it".to_owned());
        let mut play = Play {
            isolated: Ok(()),
            left_out: Vec::new(),
            denied: unreached(),
            allowed: unreached(),
            stopped: unreached(),
            hung: unreached(),
        };
        watch.say("the model writes to what is the guard's own");
        play.denied =
            self.begin().and_then(|()| self.act(script::denied(self.scene), DOCTOR_TURN_TIMEOUT));
        if let Err(why) = &play.denied {
            let why = why.clone();
            [&mut play.allowed, &mut play.stopped, &mut play.hung]
                .into_iter()
                .for_each(|act| *act = Err(why.clone()));
            return play;
        }
        watch.say("the model makes calls that do no harm");
        play.allowed = script::harmless(self.scene, "allowed")
            .and_then(|calls| self.act(calls, DOCTOR_TURN_TIMEOUT));
        let ran = play.allowed.as_deref().unwrap_or_default();
        let ran: Vec<&str> = ran.iter().filter(|tried| tried.ran).map(|tried| tried.told).collect();
        if ran.is_empty() {
            let why = "no call ran while the sidecar lived, so that one is held back shows nothing";
            (play.stopped, play.hung) = (Err(why.to_owned()), Err(why.to_owned()));
            return play;
        }
        watch.say("the sidecar is killed, and the calls come again");
        sidecar.kill();
        play.stopped = self.again("stopped", &ran, DOCTOR_TURN_TIMEOUT);
        if play.stopped.is_ok() {
            watch.say("a new sidecar is frozen, and the calls come again; the hooks must give up");
            play.hung = self.frozen(&ran);
        }
        play
    }

    fn frozen(&mut self, ran: &[&str]) -> Act {
        let sidecar = Sidecar::start(self.scene, self.subject)?;
        self.stage.cue(&Cue::Owns(sidecar.pid()?))?;
        sidecar.freeze()?;
        self.again("hung", ran, DOCTOR_HUNG_TIMEOUT)
    }

    /// The harmless calls that ran before, on new files.
    fn again(&mut self, act: &str, ran: &[&str], patience: Duration) -> Act {
        let mut calls = script::harmless(self.scene, act)?;
        calls.retain(|call| ran.contains(&call.told));
        self.act(calls, patience)
    }

    fn begin(&mut self) -> Result<(), String> {
        self.results_until(DOCTOR_TURN_TIMEOUT).map(|_| ())
    }

    /// One turn: the calls, and what came of each.
    fn act(&mut self, calls: Vec<Scripted>, patience: Duration) -> Act {
        let turn = self.turn;
        self.turn += 1;
        self.stage.cue(&Cue::Turn(calls.iter().map(|call| call.call.clone()).collect()))?;
        let results = self.results_until(patience)?;
        let log = self.decided();
        let tried = |(index, call): (usize, &Scripted)| {
            let result = results.iter().find(|result| (result.turn, result.index) == (turn, index));
            Tried {
                about: call.about,
                told: call.told,
                ran: call.ran(result),
                is_error: result.map(|result| result.is_error),
                text: result.map(|result| result.text.clone()).unwrap_or_default(),
                decided: log.get(&id_of(turn, index)).cloned(),
            }
        };
        Ok(calls.iter().enumerate().map(tried).collect())
    }

    /// What came back until the client asks what comes in the next turn.
    fn results_until(&mut self, patience: Duration) -> Result<Vec<ToolResult>, String> {
        let until = Instant::now() + patience;
        let mut results = Vec::new();
        loop {
            match self.stage.next(until)? {
                Told::Heard(Heard::Result(result)) => results.push(result),
                Told::Heard(Heard::Asked(turn)) if turn == self.turn => return Ok(results),
                Told::Heard(Heard::Asked(_)) | Told::Begins(_) => {}
                Told::Failed(why) => return Err(why),
                Told::Ended(code) => {
                    let code =
                        code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                    return Err(format!("the client ended with {code}: {}", self.last_words()));
                }
            }
        }
    }

    /// The end of what the client printed.
    fn last_words(&self) -> String {
        const SHOWN: usize = 300;
        let read = |name| std::fs::read(self.scene.at(name)).unwrap_or_default();
        let text = |name| String::from_utf8_lossy(&read(name)).trim().to_owned();
        let errors = text(CLIENT_ERRORS);
        let words = if errors.is_empty() { text(CLIENT_OUT) } else { errors };
        let skipped = words.chars().count().saturating_sub(SHOWN);
        words.chars().skip(skipped).collect()
    }

    /// What our sidecar decided of each call so far.
    fn decided(&self) -> BTreeMap<String, String> {
        let Ok(log) = records(&self.scene.at("audit")) else { return BTreeMap::new() };
        let before = log.flatten().map(|entry| entry.record).filter(|one| one.kind == "tool.pre");
        before.filter_map(|one| Some((one.tool_use_id?, one.decision?.effect))).collect()
    }
}

/// The driver's end of the stage.
struct Stage {
    child: Child,
    cues: Option<ChildStdin>,
    told: Receiver<Told>,
}

impl Stage {
    /// Opens it; with it, whether it is off the network.
    fn open(scene: &Scene) -> Result<(Stage, Result<(), String>), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let failed = |error: std::io::Error| format!("the stage cannot be set up: {error}");
        // A group of its own: an interrupt reaches us alone, and we being gone ends the play.
        let mut child = Command::new(program)
            .arg("doctor-stage")
            .arg(scene.at("plan.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (cues, out) = (child.stdin.take(), child.stdout.take());
        let (sender, told) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out?).lines() {
                let told = line.ok().and_then(|line| serde_json::from_str(&line).ok())?;
                sender.send(told).ok()?;
            }
            Some(())
        });
        let mut stage = Stage { child, cues, told };
        match stage.next(Instant::now() + DOCTOR_TURN_TIMEOUT)? {
            Told::Begins(isolated) => Ok((stage, isolated)),
            Told::Failed(why) => Err(why),
            Told::Heard(_) | Told::Ended(_) => Err("the stage began in the middle".to_owned()),
        }
    }

    fn next(&mut self, until: Instant) -> Result<Told, String> {
        let patience = until.saturating_duration_since(Instant::now());
        self.told.recv_timeout(patience).map_err(|error| match error {
            std::sync::mpsc::RecvTimeoutError::Timeout => {
                "nothing had come of it when the doctor stopped waiting".to_owned()
            }
            std::sync::mpsc::RecvTimeoutError::Disconnected => "the stage is gone".to_owned(),
        })
    }

    fn cue(&mut self, cue: &Cue) -> Result<(), String> {
        let mut line = serde_json::to_vec(cue).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let cues = self.cues.as_mut().ok_or("the stage is closed")?;
        cues.write_all(&line).map_err(|error| format!("the stage is gone: {error}"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(10);
        let _ = self.cue(&Cue::End);
        self.cues = None;
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(DOCTOR_POLL);
        }
    }
}
