//! A recorded call, asked again of a policy: the one of then, or the current one.
//!
//! It can be told only as far as the log kept what was asked: an input of which there is only the
//! digest, or that was cut, cannot be judged again, and that is said. Files are looked at as they
//! are now, and a count of a limit is not known any more.

use crate::audit::wire::WireRecord;
use crate::author::explain::{Candidate, Explained, Explainer};
use crate::author::line::Line;
use crate::model::json::Json;
use crate::model::record::Kind;
use crate::model::time::Moment;
use crate::model::truth::Truth;
use crate::redact::{DIGEST_ONLY, TOO_LONG};
use crate::review::findings::at;
use serde::Serialize;
use serde_json::json;

/// What a policy says when it is asked again.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Again {
    /// Whether it can be told.
    pub told: bool,
    /// Why not.
    pub why_not: String,
    /// The policy that was asked: `name@version`.
    pub policy: String,
    /// Its digest.
    pub sha256: String,
    /// Which policy that is, in words, where several could be meant.
    pub whose: String,
    /// What it says; empty if that cannot be told.
    pub effect: String,
    /// Why.
    pub reason: String,
    /// Whether that is what the record says.
    pub same: bool,
    /// What was not as it was then.
    pub caveats: Vec<String>,
    /// The rules that match, may match, or nearly did, strictest first.
    pub rules: Vec<NearRule>,
    /// The whole explanation, as `policy explain --format json` has it.
    pub explanation: Json,
}

/// One rule that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearRule {
    /// The access it was asked of: verb and target.
    pub access: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Its file.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// The layer it belongs to; `floor` for what is built in.
    pub layer: String,
    /// `yes`, `maybe`, or `no` for one that nearly matched.
    pub matched: String,
    /// Whether it is told only.
    pub shadow: bool,
    /// Why it did not match, as far as that is known.
    pub differs: String,
}

impl Again {
    /// It cannot be told.
    #[must_use]
    pub fn untold(why: String) -> Again {
        Again { why_not: why, ..Again::default() }
    }
}

/// Asks a policy what it says of a recorded call.
#[must_use]
pub fn ask(record: &WireRecord, explainer: &Explainer<'_>) -> Again {
    let (line, mut caveats) = match call_of(record) {
        Ok(call) => call,
        Err(why) => return Again::untold(why),
    };
    let labels = labels(record, &mut caveats);
    let told = explainer.explain(line, &labels, Moment(at(record)));
    let told = match told {
        Ok(told) => told,
        Err(why) => return Again::untold(why),
    };
    let decision = record.decision.as_ref();
    let recorded = decision.map(|one| one.attended.as_deref().unwrap_or(&one.effect));
    let id = &explainer.bound.policy.id;
    Again {
        told: true,
        why_not: String::new(),
        policy: id.name.clone(),
        sha256: id.sha256.clone(),
        whose: String::new(),
        effect: told.effect.as_str().to_owned(),
        reason: told.story.decision.reason.clone(),
        same: recorded == Some(told.effect.as_str()),
        caveats,
        rules: rules(&told, explainer),
        explanation: explainer.as_json(&told),
    }
}

/// The call as it can be asked again, and what of it is not as it was.
fn call_of(record: &WireRecord) -> Result<(Line, Vec<String>), String> {
    if record.kind != Kind::ToolPre.as_str() {
        return Err("only a decision before a call can be asked again".to_owned());
    }
    let input = record.input.as_ref();
    let digest = "the log kept only the length of its input, so it cannot be judged again";
    let value = input.and_then(|input| input.value.as_ref()).ok_or(digest)?;
    let redactions = input.map(|input| input.redactions.as_slice()).unwrap_or_default();
    let has = |what: &str| redactions.iter().any(|one| one.detector == what);
    if has(TOO_LONG) || has(DIGEST_ONLY) || value.get("sha256").is_some() {
        return Err("the log kept only the digest of a part of its input, so it cannot be judged \
                    again"
            .to_owned());
    }
    let mut caveats = vec!["files are looked at as they are now".to_owned()];
    if !redactions.is_empty() {
        let mut names: Vec<&str> = redactions.iter().map(|one| one.detector.as_str()).collect();
        names.dedup();
        caveats.push(format!("secrets in it were taken out: {}", names.join(", ")));
    }
    let mut line = json!({
        "tool_name": record.tool, "tool_input": value,
        "runtime": record.runtime.as_deref().unwrap_or("claude"),
    });
    if let Some(fields) = line.as_object_mut() {
        let mode = record.details.get("permission_mode").and_then(Json::as_str);
        let agent = record.agent.as_ref().map(|agent| agent.kind.as_str());
        let more = [("cwd", record.cwd.as_deref()), ("agent", agent), ("permission_mode", mode)];
        for (name, value) in more {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value.into());
            }
        }
    }
    let line = Line::read(line.to_string().as_bytes())?;
    Ok((line, caveats))
}

/// The labels that the session had then.
fn labels(record: &WireRecord, caveats: &mut Vec<String>) -> Vec<String> {
    let before = record.state.as_ref().and_then(|state| state.get("before"));
    let Some(before) = before else { return Vec::new() };
    if before.get("labels_more").is_some() {
        caveats.push("the session had more labels than its record lists".to_owned());
    }
    let labels = before.get("labels").and_then(Json::as_array);
    labels.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Every rule that matched or may have, and those that nearly did.
fn rules(told: &Explained, explainer: &Explainer<'_>) -> Vec<NearRule> {
    let mut rows = Vec::new();
    for one in &told.story.accesses {
        let access = format!("{} {}", one.access.target.verb(), one.access.target);
        let mut row = |layer: &str, rule: &Candidate, differs: String| {
            rows.push(NearRule {
                access: access.clone(),
                id: rule.id.clone(),
                says: rule.says.as_str().to_owned(),
                file: rule.file.clone(),
                line: rule.line,
                layer: layer.to_owned(),
                matched: rule.truth.to_string(),
                shadow: rule.shadow,
                differs,
            });
        };
        for rule in &one.floor {
            row("floor", rule, differs(rule));
        }
        for layer in &one.layers {
            for rule in &layer.candidates {
                row(layer.kind.as_str(), rule, differs(rule));
            }
        }
        for near in explainer.nearest(one) {
            rows.push(NearRule {
                access: access.clone(),
                id: near.id,
                says: "allow".to_owned(),
                file: near.file,
                line: near.line,
                layer: String::new(),
                matched: Truth::No.to_string(),
                shadow: false,
                differs: near.differs.to_string(),
            });
        }
    }
    for rule in &told.story.output {
        rows.push(NearRule {
            access: "output".to_owned(),
            id: rule.id.clone(),
            says: rule.says.as_str().to_owned(),
            file: rule.file.clone(),
            line: rule.line,
            layer: String::new(),
            matched: rule.truth.to_string(),
            shadow: rule.shadow,
            differs: differs(rule),
        });
    }
    rows
}

/// Why a candidate did not match, as far as it says.
fn differs(rule: &Candidate) -> String {
    if rule.truth == Truth::Yes {
        return String::new();
    }
    let mut why = Vec::new();
    if rule.lapsed.is_some() {
        why.push("it ended by itself".to_owned());
    }
    if rule.excepted {
        why.push("an exception of its own fits".to_owned());
    }
    for condition in rule.conditions.iter().filter(|one| one.truth != Truth::Yes) {
        let found = condition.found.as_deref().unwrap_or("not known");
        why.push(format!("{} is {found}", condition.key));
    }
    why.join("; ")
}
