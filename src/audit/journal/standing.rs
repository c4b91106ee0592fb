//! What the owner and the journal's handles both see, and how the log stands for those who ask.

use crate::audit::error::AuditError;
use crate::audit::journal::committed::Committed;
use crate::audit::journal::kept::{Counts, Kept};
use crate::audit::journal::storage::Space;
use crate::audit::journal::waiting::{Tally, Waiting};
use crate::audit::options::OnFailure;
use crate::audit::place::{Head, Proof, Waiver};
use crate::audit::wire::Body;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the log stands: for health, metrics and whoever looks.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Why it takes no records now, if it takes none.
    pub failure: Option<AuditError>,
    /// The last failure, mended or not, and when it was.
    pub last_failure: Option<(jiff::Timestamp, AuditError)>,
    /// How often it failed, by [`AuditError::word`].
    pub failures: BTreeMap<&'static str, u64>,
    /// What a call comes to while it takes none.
    pub on_failure: OnFailure,
    /// The room on its disk, if that can be seen.
    pub space: Option<Space>,
    /// What that room comes to.
    pub stage: Stage,
    /// Whether room is held back for the last records.
    pub has_reserve: bool,
    /// What is taken and not yet on the disk.
    pub waiting: Waiting,
    /// Records kept in memory until it takes records again.
    pub kept: usize,
    /// What was refused, let through and lost since the start.
    pub counts: Counts,
    /// The newest record.
    pub head: Option<Head>,
    /// When the newest signed head was made.
    pub checkpoint: Option<jiff::Timestamp>,
}

/// How much room there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// As much as is wanted.
    #[default]
    Enough,
    /// Below the first mark.
    Warn,
    /// Below the second mark.
    Low,
    /// None: the last records went to what was held back.
    Full,
}

impl Stage {
    /// Its word in records, metrics and health.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Enough => "enough",
            Stage::Warn => "warn",
            Stage::Low => "low",
            Stage::Full => "full",
        }
    }
}

/// What both sides share.
#[derive(Debug, Default)]
pub(in crate::audit) struct Shared {
    /// Whether the log takes nothing. Set and cleared under the lock of `kept`.
    refusing: AtomicBool,
    state: Mutex<State>,
    kept: Mutex<Kept>,
    /// What is on its way to the disk.
    pub(in crate::audit) waiting: Tally,
    /// The newest record on the disk.
    pub(super) committed: Arc<Committed>,
}

/// What changes seldom.
#[derive(Debug, Default)]
struct State {
    failure: Option<AuditError>,
    last_failure: Option<(jiff::Timestamp, AuditError)>,
    failures: BTreeMap<&'static str, u64>,
    space: Option<Space>,
    stage: Stage,
    has_reserve: bool,
    told: Counts,
    head: Option<Head>,
    checkpoint: Option<jiff::Timestamp>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the log takes nothing now.
    pub(super) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Acquire)
    }

    /// Why it takes nothing now, if it takes nothing.
    pub(super) fn failure(&self) -> Option<AuditError> {
        self.state().failure.clone()
    }

    /// Something failed; the log may yet go on at once.
    pub(super) fn failed(&self, why: &AuditError) {
        let mut state = self.state();
        state.last_failure = Some((jiff::Timestamp::now(), why.clone()));
        *state.failures.entry(why.word()).or_default() += 1;
    }

    /// From now on it takes nothing.
    pub(super) fn refuse(&self, why: &AuditError) {
        let _held = self.kept();
        self.refusing.store(true, Ordering::Release);
        self.state().failure = Some(AuditError::Failed(Arc::new(why.clone())));
    }

    /// From now on it takes nothing, and nothing will change that.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.failure.get_or_insert(AuditError::Closed);
    }

    /// What happened while the log took nothing; if that is nothing, it takes records from now on.
    pub(super) fn take_kept_or_open(&self) -> Option<Kept> {
        let mut kept = self.kept();
        if kept.is_empty() {
            self.refusing.store(false, Ordering::Release);
            self.state().failure = None;
            return None;
        }
        let taken = kept.take();
        self.state().told += taken.counts;
        Some(taken)
    }

    /// What was lost or refused although the log takes records: its queue was full too long.
    pub(super) fn take_kept(&self) -> Option<Kept> {
        let mut kept = self.kept();
        let taken = (!kept.is_empty()).then(|| kept.take())?;
        self.state().told += taken.counts;
        Some(taken)
    }

    /// What becomes of a record while the log takes nothing. It comes back if the log takes it.
    pub(super) fn turn_away(
        &self,
        body: Body,
        waivable: bool,
    ) -> Result<Result<Proof, AuditError>, Body> {
        let mut kept = self.kept();
        if !self.is_refusing() {
            return Err(body);
        }
        Ok(match (waivable, self.failure()) {
            (true, failure) => {
                kept.keep(body);
                Ok(waiver(failure.as_ref()))
            }
            (false, failure) => {
                kept.counts.refused += 1;
                Err(failure.unwrap_or(AuditError::Closed))
            }
        })
    }

    /// A record that the owner has lines of, which are not on the disk and will be written again.
    pub(super) fn answer_unwritten(&self, waivable: bool) -> Result<Proof, AuditError> {
        let failure = self.failure();
        let mut kept = self.kept();
        match waivable {
            true => {
                kept.counts.let_through += 1;
                Ok(waiver(failure.as_ref()))
            }
            false => {
                kept.counts.refused += 1;
                Err(failure.unwrap_or(AuditError::Closed))
            }
        }
    }

    /// A record that took too long; `sent` if the owner has it, and may still write it.
    pub(super) fn answer_late(
        &self,
        waivable: bool,
        sent: bool,
        late: AuditError,
    ) -> Result<Proof, AuditError> {
        let mut kept = self.kept();
        if !waivable {
            kept.counts.refused += 1;
            return Err(late);
        }
        kept.counts.let_through += 1;
        kept.counts.lost += u64::from(!sent);
        Ok(waiver(Some(&late)))
    }

    pub(super) fn head(&self) -> Option<Head> {
        self.state().head.clone()
    }

    pub(super) fn set_head(&self, head: Head, signed_at: Option<jiff::Timestamp>) {
        let mut state = self.state();
        (state.head, state.checkpoint) = (Some(head), signed_at);
    }

    /// All that the kernel was given is on the disk.
    pub(super) fn commit(&self) {
        if let Some(head) = self.head() {
            self.committed.set(head);
        }
    }

    pub(super) fn set_space(&self, space: Option<Space>, stage: Stage, has_reserve: bool) {
        let mut state = self.state();
        (state.space, state.stage, state.has_reserve) = (space, stage, has_reserve);
    }

    /// All of it, as it is now.
    pub(super) fn standing(&self, on_failure: OnFailure) -> Standing {
        let kept = self.kept();
        let state = self.state();
        let mut counts = state.told;
        counts += kept.counts;
        Standing {
            failure: state.failure.clone(),
            last_failure: state.last_failure.clone(),
            failures: state.failures.clone(),
            on_failure,
            space: state.space,
            stage: state.stage,
            has_reserve: state.has_reserve,
            waiting: self.waiting.now(),
            kept: kept.records.len(),
            counts,
            head: state.head.clone(),
            checkpoint: state.checkpoint,
        }
    }
}

fn waiver(why: Option<&AuditError>) -> Proof {
    Proof::Waiver(Waiver::new(why.map_or("closed", AuditError::word)))
}
