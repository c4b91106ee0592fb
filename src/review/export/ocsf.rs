//! A record as an event of OCSF 1.8, the Open Cybersecurity Schema Framework.
//!
//! OCSF has no settled class for agents' tool calls, so what fits a class is mapped to it and all
//! the rest stands in `unmapped`, whole; the mapping is a table in `src/review/README.md`. A
//! refusal is the activity that was asked for, with action Denied and disposition Blocked: no
//! process was launched, so none is terminated.

use crate::audit::wire::{WireAccess, WireRecord};
use crate::model::finding::Code;
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::review::findings::{at, what};
use crate::review::session::host_of;
use crate::review::subject;
use serde_json::{Map, json};

/// The version of the schema that events are in.
pub const OCSF_VERSION: &str = "1.8.0";

/// What a record is in OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// 1001: a file is read or written.
    File { writes: bool },
    /// 1007: a command is launched.
    Process,
    /// 2004: something does not agree.
    Finding,
    /// 4001: a connection.
    Network { activity: u64 },
    /// 4002: a request.
    Http,
    /// 5019: another policy is in force, or was refused.
    Config,
    /// 6003: any other tool.
    Api,
    /// 0: what no class is for.
    Base,
}

impl Class {
    fn of(record: &WireRecord) -> Class {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == record.kind);
        match kind {
            Some(Kind::ToolPre | Kind::ToolPost | Kind::ToolUnknown) => Class::of_tool(record),
            Some(Kind::McpCall | Kind::McpResult) => Class::Api,
            Some(Kind::NetOpen) if is_denied(record) => Class::Network { activity: 5 },
            Some(Kind::NetOpen) => Class::Network { activity: 1 },
            Some(Kind::NetClose) => Class::Network { activity: 2 },
            Some(Kind::LaunchStart | Kind::KernelExec) => Class::Process,
            Some(Kind::Finding | Kind::BadInput | Kind::KernelDeny | Kind::AuditRecovered) => {
                Class::Finding
            }
            Some(Kind::PolicyLoad | Kind::PolicyRefused) => Class::Config,
            Some(_) | None => Class::Base,
        }
    }

    fn of_tool(record: &WireRecord) -> Class {
        match record.tool.as_deref().unwrap_or_default() {
            "Bash" | "PowerShell" | "shell" | "exec_command" => Class::Process,
            "Read" | "Glob" | "Grep" | "LS" | "NotebookRead" => Class::File { writes: false },
            "Write" | "Edit" | "MultiEdit" | "NotebookEdit" | "apply_patch" => {
                Class::File { writes: true }
            }
            "WebFetch" => Class::Http,
            _ => Class::Api,
        }
    }

    /// Category, class, activity, and their captions.
    fn names(self, record: &WireRecord) -> (u64, u64, u64, &'static str, &'static str) {
        match self {
            Class::File { writes: false } => (1, 1001, 2, "File System Activity", "Read"),
            Class::File { writes: true } => (1, 1001, 3, "File System Activity", "Update"),
            Class::Process => (1, 1007, 1, "Process Activity", "Launch"),
            Class::Finding => (2, 2004, 1, "Detection Finding", "Create"),
            Class::Network { activity } => {
                let name = match activity {
                    1 => "Open",
                    2 => "Close",
                    _ => "Refuse",
                };
                (4, 4001, activity, "Network Activity", name)
            }
            Class::Http => {
                let (activity, name) = method(record);
                (4, 4002, activity, "HTTP Activity", name)
            }
            Class::Config => (5, 5019, 1, "Device Config State Change", "Log"),
            Class::Api => (6, 6003, 99, "API Activity", "Other"),
            Class::Base => (0, 0, 99, "Base Event", "Other"),
        }
    }
}

/// The event of a record.
#[must_use]
pub fn event(record: &WireRecord) -> Json {
    let class = Class::of(record);
    let (category, class_uid, activity, class_name, activity_name) = class.names(record);
    let mut event = Map::new();
    let mut put = |name: &str, value: Json| {
        if !value.is_null() {
            event.insert(name.to_owned(), value);
        }
    };
    put("activity_id", activity.into());
    put("activity_name", activity_name.into());
    put("category_uid", category.into());
    put("class_name", class_name.into());
    put("class_uid", class_uid.into());
    put("type_uid", (class_uid * 100 + activity).into());
    put("time", at(record).div_euclid(1_000).into());
    put("message", message(record).into());
    put("metadata", metadata(record));
    let (severity, severity_name) = severity(record, class);
    put("severity_id", severity.into());
    put("severity", severity_name.into());
    if let Some((status, name)) = status(record) {
        put("status_id", status.into());
        put("status", name.into());
    }
    if record.decision.is_some() {
        let (action, action_name, disposition, disposition_name) = control(record);
        put("action_id", action.into());
        put("action", action_name.into());
        put("disposition_id", disposition.into());
        put("disposition", disposition_name.into());
        put("policy", policy(record));
    }
    let actor = actor(record, class);
    put("unmapped", unmapped(record, !actor.is_null()));
    put("actor", actor);
    for (name, value) in parts(record, class) {
        put(name, value);
    }
    put("duration", record.details.get("duration_ms").cloned().unwrap_or(Json::Null));
    Json::Object(event)
}

fn is_denied(record: &WireRecord) -> bool {
    record.decision.as_ref().is_some_and(|decision| decision.effect == "deny")
}

fn message(record: &WireRecord) -> String {
    match &record.decision {
        Some(decision) => decision.reason.clone(),
        None => {
            let told = what(record);
            if told.is_empty() { record.kind.clone() } else { format!("{}: {told}", record.kind) }
        }
    }
}

fn metadata(record: &WireRecord) -> Json {
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": { "name": "toolgate", "vendor_name": "toolgate" },
        "log_name": record.stream,
        "sequence": record.seq,
        "uid": format!("{}/{}", record.stream, record.seq),
        "original_time": record.ts,
        "event_code": record.kind,
    });
    if let Some(fields) = metadata.as_object_mut() {
        if record.decision.is_some() {
            fields.insert("profiles".to_owned(), json!(["security_control"]));
        }
        if let Some(call) = &record.call {
            fields.insert("correlation_uid".to_owned(), call.as_str().into());
        }
    }
    metadata
}

/// How grave it is: a finding more than a refusal, a refusal more than what was let through.
fn severity(record: &WireRecord, class: Class) -> (u64, &'static str) {
    match class {
        Class::Finding => (4, "High"),
        _ if record.kind == Kind::PolicyRefused.as_str() => (3, "Medium"),
        _ if is_denied(record) => (3, "Medium"),
        _ => (1, "Informational"),
    }
}

/// What became of it, as far as this record tells.
fn status(record: &WireRecord) -> Option<(u64, &'static str)> {
    let failed = record.details.get("failed").and_then(Json::as_bool);
    match (failed, is_denied(record)) {
        (_, true) | (Some(true), _) => Some((2, "Failure")),
        (Some(false), _) => Some((1, "Success")),
        (None, false) if record.kind == Kind::ToolUnknown.as_str() => Some((0, "Unknown")),
        (None, false) => None,
    }
}

/// Action and disposition.
fn control(record: &WireRecord) -> (u64, &'static str, u64, &'static str) {
    match record.decision.as_ref().map(|decision| decision.effect.as_str()) {
        Some("allow") => (1, "Allowed", 1, "Allowed"),
        Some("deny") => (2, "Denied", 2, "Blocked"),
        // It waits for a person, or for the runtime's own say.
        Some("ask") => (0, "Unknown", 14, "Delayed"),
        _ => (0, "Unknown", 16, "No Action"),
    }
}

fn policy(record: &WireRecord) -> Json {
    let Some(policy) = &record.policy else { return Json::Null };
    json!({ "name": policy.name, "uid": policy.sha256 })
}

fn actor(record: &WireRecord, class: Class) -> Json {
    if matches!(class, Class::Base | Class::Config) && record.session.is_none() {
        return Json::Null;
    }
    let mut actor = Map::new();
    let runtime = record.runtime.as_deref().unwrap_or("toolgate");
    actor.insert("app_name".to_owned(), runtime.into());
    let agent = record.agent.as_ref();
    if let Some(uid) = agent.and_then(|agent| agent.id.as_deref()) {
        actor.insert("app_uid".to_owned(), uid.into());
    }
    // A process's actor is one that launches; which, is not known.
    actor.insert("process".to_owned(), json!({ "name": runtime }));
    if let Some(uid) = record.uid {
        actor.insert("user".to_owned(), json!({ "uid": uid.to_string() }));
    }
    if let Some(session) = &record.session {
        actor.insert("session".to_owned(), json!({ "uid": session }));
    }
    Json::Object(actor)
}

/// What belongs to the class.
fn parts(record: &WireRecord, class: Class) -> Vec<(&'static str, Json)> {
    let device = ("device", json!({ "type_id": 0, "type": "Unknown", "name": "unknown" }));
    match class {
        Class::File { writes } => vec![device, ("file", file(record, writes))],
        Class::Process => {
            let line = input(record, "command").unwrap_or_else(|| subject(record));
            let program = line.split_whitespace().next().unwrap_or("unknown");
            let name = program.rsplit('/').next().unwrap_or(program).to_owned();
            let mut process = json!({ "cmd_line": line, "name": name });
            if let (Some(cwd), Some(fields)) = (&record.cwd, process.as_object_mut()) {
                fields.insert("working_directory".to_owned(), cwd.as_str().into());
            }
            vec![device, ("process", process)]
        }
        Class::Finding => vec![("finding_info", finding(record)), ("is_alert", true.into())],
        Class::Network { .. } => vec![("dst_endpoint", endpoint(record))],
        Class::Http => {
            let url = input(record, "url").unwrap_or_else(|| subject(record));
            let (_, name) = method(record);
            let mut request = json!({ "url": { "url_string": url } });
            if let (true, Some(fields)) = (name != "Unknown", request.as_object_mut()) {
                fields.insert("http_method".to_owned(), name.to_uppercase().into());
            }
            vec![("dst_endpoint", endpoint(record)), ("http_request", request)]
        }
        Class::Config => {
            let enabled = record.kind == Kind::PolicyLoad.as_str();
            let (id, name) = if enabled { (2, "Enabled") } else { (1, "Disabled") };
            vec![device, ("state_id", id.into()), ("state", name.into())]
        }
        Class::Api => vec![("api", api(record)), ("src_endpoint", json!({ "name": "agent" }))],
        Class::Base => Vec::new(),
    }
}

/// A text of the call's input.
fn input(record: &WireRecord, name: &str) -> Option<String> {
    let value = record.input.as_ref()?.value.as_ref()?;
    value.get(name)?.as_str().map(str::to_owned)
}

fn first<'a>(record: &'a WireRecord, verb: &str) -> Option<&'a WireAccess> {
    record.accesses.iter().find(|access| access.verb == verb)
}

fn file(record: &WireRecord, writes: bool) -> Json {
    let access = first(record, if writes { "write" } else { "read" });
    let path = access.map(|access| access.target.clone());
    let path = path.or_else(|| input(record, "file_path")).unwrap_or_else(|| subject(record));
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("/").to_owned();
    json!({ "name": name, "path": path, "type_id": 0 })
}

fn endpoint(record: &WireRecord) -> Json {
    let access = first(record, "connect");
    let host = access.and_then(|access| host_of(&access.target));
    let host = host.or_else(|| input(record, "url").and_then(|url| host_of(&url)));
    json!({ "hostname": host.unwrap_or_else(|| "unknown".to_owned()) })
}

/// The method of a request as an activity.
fn method(record: &WireRecord) -> (u64, &'static str) {
    let target = first(record, "connect").map(|access| access.target.as_str());
    let method = target.and_then(|target| target.split_once(' ')).map(|(method, _)| method);
    const METHODS: [(&str, u64, &str); 9] = [
        ("CONNECT", 1, "Connect"),
        ("DELETE", 2, "Delete"),
        ("GET", 3, "Get"),
        ("HEAD", 4, "Head"),
        ("OPTIONS", 5, "Options"),
        ("POST", 6, "Post"),
        ("PUT", 7, "Put"),
        ("TRACE", 8, "Trace"),
        ("PATCH", 9, "Patch"),
    ];
    let found = METHODS.into_iter().find(|(name, ..)| Some(*name) == method);
    found.map_or((0, "Unknown"), |(_, activity, name)| (activity, name))
}

fn api(record: &WireRecord) -> Json {
    let tool = record.tool.as_deref().unwrap_or("unknown");
    let is_mcp = tool.starts_with("mcp:") || tool.starts_with("mcp__");
    let server = tool.strip_prefix("mcp:").and_then(|rest| rest.split_once('/'));
    let server = server.or_else(|| tool.strip_prefix("mcp__")?.split_once("__"));
    let (service, name) = match server {
        Some((server, name)) => (server, name),
        None => (record.runtime.as_deref().unwrap_or("toolgate"), tool),
    };
    let mut api = json!({
        "operation": if is_mcp { "tools/call" } else { tool },
        "service": { "name": service, "labels": [format!("capability: {name}")] },
    });
    if let (Some(id), Some(fields)) = (&record.tool_use_id, api.as_object_mut()) {
        fields.insert("request".to_owned(), json!({ "uid": id }));
    }
    api
}

fn finding(record: &WireRecord) -> Json {
    let code = record.details.get("code").and_then(Json::as_str);
    let known = Code::ALL.into_iter().find(|one| Some(one.as_str()) == code);
    let title = code.unwrap_or(&record.kind);
    let mut finding = json!({
        "uid": format!("{}/{}", record.stream, record.seq),
        "title": title,
        "types": [title],
        "analytic": { "name": "toolgate", "type_id": 1, "type": "Rule" },
    });
    if let (Some(code), Some(fields)) = (known, finding.as_object_mut()) {
        fields.insert("desc".to_owned(), code.meaning().into());
    }
    finding
}

/// All of the record that has no field of its own above, so that nothing is lost.
fn unmapped(record: &WireRecord, has_actor: bool) -> Json {
    let mut rest = serde_json::to_value(record).unwrap_or(Json::Null);
    let of_actor: &[&str] = if has_actor { &["session", "runtime", "uid"] } else { &[] };
    if let Some(fields) = rest.as_object_mut() {
        for name in ["seq", "ts", "stream", "policy"].iter().chain(of_actor) {
            fields.remove(*name);
        }
    }
    json!({ "toolgate": rest })
}
