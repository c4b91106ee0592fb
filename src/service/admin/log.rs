//! How the log stands, for those who ask: in a status, in health, in metrics.

use super::protocol::Audit;
use crate::audit::{AuditError, Counts, OnFailure, Stage, Standing};
use crate::limits::LOG_FAILURE_TOLD_SECONDS;
use crate::metrics::Log;

/// For `toolgate status`.
pub(super) fn status(log: Standing) -> Audit {
    Audit {
        dir: None,
        head: log.head.map(|head| format!("{}/{}/{}", head.stream, head.seq, head.hash)),
        failure: log.failure.map(|why| why.to_string()),
        on_failure: log.on_failure.as_str().to_owned(),
        waiting: log.waiting.records,
        kept: log.kept,
        lost: log.counts.lost,
        space: log.stage.as_str().to_owned(),
        free_bytes: log.space.map(|space| space.free),
        signed_at: log.checkpoint.map(|at| format!("{at:.3}")),
    }
}

/// Every cause, those that never were too, so that their first change can be seen.
pub(super) fn failures(log: &Standing) -> Vec<(&'static str, u64)> {
    let count = |word| log.failures.get(word).copied().unwrap_or_default();
    AuditError::WORDS.map(|word| (word, count(word))).to_vec()
}

/// For metrics.
pub(super) fn counted<'a>(log: &Standing, failures: &'a [(&'static str, u64)]) -> Log<'a> {
    Log {
        failed: log.failure.is_some(),
        failures,
        waiting: log.waiting.records,
        waiting_for: log.waiting.oldest,
        kept: u64::try_from(log.kept).unwrap_or(u64::MAX),
        refused: log.counts.refused,
        let_through: log.counts.let_through,
        lost: log.counts.lost,
        free: log.space.map(|space| space.free),
        stage: match log.stage {
            Stage::Enough => 0,
            Stage::Warn => 1,
            Stage::Low => 2,
            Stage::Full => 3,
        },
        signed: log.checkpoint.map(|at| at.as_duration().as_secs_f64()),
    }
}

/// What to look at where there is little room; the sidecar's own message says what to do.
const LOOK: &str = "; `toolgate audit retention` shows what may be deleted";

/// What an operator should look at in the log, though it may take records.
pub(super) fn warnings(log: &Standing) -> Vec<String> {
    let mut warnings = Vec::new();
    if log.on_failure != OnFailure::Deny {
        warnings.push(format!(
            "`on_audit_failure = \"{}\"`: calls go on while the log cannot be written",
            log.on_failure.as_str()
        ));
    }
    let room = log.space.map_or(String::new(), |space| {
        format!(": {} of {} MiB are free", space.free >> 20, space.total >> 20)
    });
    match log.stage {
        Stage::Enough => {}
        Stage::Warn => warnings.push(format!("the disk of the log is filling up{room}{LOOK}")),
        Stage::Low => warnings.push(format!("the disk of the log is almost full{room}{LOOK}")),
        Stage::Full => warnings.push(format!("the disk of the log is full{room}{LOOK}")),
    }
    if !log.has_reserve {
        let why = "no room is held back for the last records before a full disk";
        warnings.push(why.to_owned());
    }
    let since = jiff::Timestamp::now().as_second().saturating_sub(LOG_FAILURE_TOLD_SECONDS);
    let is_recent = |at: &jiff::Timestamp| at.as_second() > since;
    if let Some((at, why)) = log.last_failure.as_ref().filter(|(at, _)| is_recent(at))
        && log.failure.is_none()
    {
        warnings.push(format!("the log failed at {at:.0} and goes on: {why}"));
    }
    let Counts { refused, let_through, lost } = log.counts;
    if refused + let_through + lost > 0 {
        warnings.push(format!(
            "while the log failed, {refused} records were refused, {let_through} let through, \
             {lost} of them lost"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Space;

    #[test]
    fn what_an_operator_should_look_at_is_said() {
        let sound = Standing { has_reserve: true, ..Standing::default() };
        assert_eq!(warnings(&sound), Vec::<String>::new());
        let space = Some(Space { free: 3 << 20, total: 300 << 20 });
        let bad = Standing {
            on_failure: OnFailure::Allow,
            stage: Stage::Low,
            space,
            has_reserve: false,
            counts: Counts { lost: 1, let_through: 2, refused: 3 },
            ..sound
        };
        let told = warnings(&bad).join("\n");
        for part in [
            "`on_audit_failure = \"allow\"`",
            "almost full: 3 of 300 MiB",
            "held back",
            "3 records were refused, 2 let through, 1 of them lost",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
