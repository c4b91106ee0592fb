//! Makes a record fit on its line, giving up least first, and never failing.
//!
//! An agent chooses most of a record's texts. It must not be able to push what it did out of the
//! log by writing more: accesses are left out mildest first, and each count of what is left out
//! stays.

use crate::audit::wire::{WireCapture, WireRecord, WireRedaction};
use crate::limits::RECORD_BYTES_MAX;
use crate::redact::{Redactor, TOO_LONG};

/// The bytes of a line that its place takes: number, time, stream, link, newline.
const PLACE_BYTES_MAX: usize = 320;

/// How much of each part is kept.
struct Keep {
    text_bytes: usize,
    accesses: usize,
    rules: usize,
    redactions: usize,
    obligations: usize,
    /// Captured values longer than this become a digest.
    value_bytes: usize,
    /// Details longer than this become a digest.
    detail_bytes: usize,
    details: usize,
}

/// From everything a usual record has, to what fits whatever is in it: the last one's texts come
/// to less than half a line even if every byte of them is escaped.
const STEPS: [Keep; 4] = [
    Keep {
        text_bytes: 4096,
        accesses: 256,
        rules: 64,
        redactions: 256,
        obligations: 64,
        value_bytes: usize::MAX,
        detail_bytes: usize::MAX,
        details: usize::MAX,
    },
    Keep {
        text_bytes: 512,
        accesses: 32,
        rules: 16,
        redactions: 16,
        obligations: 16,
        value_bytes: usize::MAX,
        detail_bytes: 4096,
        details: 16,
    },
    Keep {
        text_bytes: 512,
        accesses: 16,
        rules: 8,
        redactions: 8,
        obligations: 16,
        value_bytes: 128,
        detail_bytes: 128,
        details: 16,
    },
    Keep {
        text_bytes: 96,
        accesses: 4,
        rules: 4,
        redactions: 0,
        obligations: 4,
        value_bytes: 128,
        detail_bytes: 0,
        details: 8,
    },
];

/// The record's JSON without its place and without the outer braces, short enough for one line.
pub(in crate::audit) fn to_fit(mut record: WireRecord, redactor: &Redactor) -> String {
    for keep in &STEPS {
        shrink(&mut record, keep, redactor);
        if let Some(body) = serialise(&record)
            && body.len() + PLACE_BYTES_MAX <= RECORD_BYTES_MAX
        {
            return body;
        }
    }
    // Not reached (a test tries); a record must never fail, so what is left is its kind.
    let least = WireRecord { v: record.v, kind: record.kind, ..WireRecord::default() };
    serialise(&least).unwrap_or_else(|| r#""kind":"finding""#.to_owned())
}

/// The fields between the place's first part and `prev`; the record has no place yet.
fn serialise(record: &WireRecord) -> Option<String> {
    let text = serde_json::to_string(record).ok()?;
    let head = format!(r#"{{"v":{},"seq":0,"ts":"","stream":"","#, record.v);
    let body = text.strip_prefix(&head)?.strip_suffix(r#","prev":""}"#)?;
    Some(body.to_owned())
}

fn shrink(record: &mut WireRecord, keep: &Keep, redactor: &Redactor) {
    let texts = [
        &mut record.call,
        &mut record.session,
        &mut record.tool,
        &mut record.tool_use_id,
        &mut record.cwd,
    ];
    texts.into_iter().flatten().for_each(|text| clip(text, keep.text_bytes));
    if let Some(agent) = &mut record.agent {
        agent.id.iter_mut().for_each(|id| clip(id, keep.text_bytes));
        clip(&mut agent.kind, keep.text_bytes);
    }
    if let Some(policy) = &mut record.policy {
        clip(&mut policy.name, keep.text_bytes);
        clip(&mut policy.sha256, keep.text_bytes);
    }
    shrink_accesses(record, keep);
    shrink_decision(record, keep);
    [&mut record.input, &mut record.output]
        .into_iter()
        .flatten()
        .for_each(|capture| shrink_capture(capture, keep, redactor));
    shrink_details(record, keep, redactor);
}

fn shrink_accesses(record: &mut WireRecord, keep: &Keep) {
    let left_out = record.accesses.len().saturating_sub(keep.accesses);
    if left_out > 0 {
        // Mildest out first, and of equal ones the last; the order stays.
        let severity = |verdict: &str| match verdict {
            "deny" => 0,
            "ask" => 1,
            "defer" => 2,
            _ => 3,
        };
        let mut order: Vec<(usize, usize)> = record
            .accesses
            .iter()
            .enumerate()
            .map(|(index, access)| (severity(&access.verdict), index))
            .collect();
        order.sort_unstable();
        let kept: std::collections::BTreeSet<usize> =
            order.into_iter().take(keep.accesses).map(|(_, index)| index).collect();
        let mut index = 0;
        record.accesses.retain(|_| {
            index += 1;
            kept.contains(&(index - 1))
        });
        record.accesses_more += left_out;
    }
    for access in &mut record.accesses {
        clip(&mut access.target, keep.text_bytes);
        access.real.iter_mut().for_each(|text| clip(text, keep.text_bytes));
        access.doubt.iter_mut().for_each(|text| clip(text, keep.text_bytes));
    }
}

fn shrink_decision(record: &mut WireRecord, keep: &Keep) {
    let Some(decision) = &mut record.decision else { return };
    clip(&mut decision.reason, keep.text_bytes);
    decision.rules_more += decision.rules.len().saturating_sub(keep.rules);
    decision.rules.truncate(keep.rules);
    for rule in &mut decision.rules {
        clip(&mut rule.id, keep.text_bytes);
        clip(&mut rule.file, keep.text_bytes);
    }
    let left_out = decision.obligations.len().saturating_sub(keep.obligations);
    decision.obligations.truncate(keep.obligations);
    decision.obligations.iter_mut().for_each(|name| clip(name, keep.text_bytes));
    if left_out > 0 {
        decision.obligations.push(format!("and {left_out} more"));
    }
}

fn shrink_capture(capture: &mut WireCapture, keep: &Keep, redactor: &Redactor) {
    if let Some(value) = &mut capture.value {
        // Only the text is long; a usize::MAX bound needs none.
        let text = if keep.value_bytes == usize::MAX { String::new() } else { value.to_string() };
        if text.len() > keep.value_bytes {
            *value = redactor.digest(&text);
            let (pointer, detector) = (String::new(), TOO_LONG.to_owned());
            let whole = WireRedaction { pointer, detector, hmac: None, blob: None };
            capture.redactions.insert(0, whole);
        }
    }
    // What names a text that is kept beside the log stays: nothing else leads to it, and who
    // erases what a session left behind must find all of it. There are few (`TEXTS_KEPT_MAX`).
    let most = capture.redactions.len();
    capture.redactions.sort_by_key(|redaction| redaction.blob.is_none());
    let named = capture.redactions.partition_point(|redaction| redaction.blob.is_some());
    capture.redactions.truncate(keep.redactions.max(named));
    capture.redactions_more += most - capture.redactions.len();
    for redaction in &mut capture.redactions {
        clip(&mut redaction.pointer, keep.text_bytes);
        clip(&mut redaction.detector, keep.text_bytes);
    }
}

fn shrink_details(record: &mut WireRecord, keep: &Keep, redactor: &Redactor) {
    for value in record.details.values_mut() {
        let text = value.to_string();
        if text.len() > keep.detail_bytes && text.len() > 128 {
            *value = redactor.digest(&text);
        }
    }
    while record.details.len() > keep.details {
        record.details.pop_last();
    }
}

/// Cuts a text to about `bytes` and says how many are missing.
fn clip(text: &mut String, bytes: usize) {
    if text.len() <= bytes {
        return;
    }
    let end = text.floor_char_boundary(bytes);
    let missing = text.len() - end;
    text.truncate(end);
    text.push_str(&format!("…(+{missing} bytes)"));
}
