//! The owner while the log takes no records: tries with longer and longer waits, and then the
//! record of what happened.
//!
//! On a full disk the first try frees what was held back, writes what is waiting and says so in a
//! record; then records are refused until there is room to hold back again.

use crate::audit::error::AuditError;
use crate::audit::journal::kept::Kept;
use crate::audit::journal::owner::Owner;
use crate::audit::journal::resume::Resumed;
use crate::audit::journal::standing::Stage;
use crate::audit::journal::storage::Storage;
use crate::limits::{JOURNAL_RETRY_MAX, JOURNAL_RETRY_MIN};
use crate::model::finding::Code;
use crate::model::json::Json;
use crate::model::record::{Kind, Record};
use std::time::{Duration, Instant};

/// Why the log takes no records, and what was done about it.
pub(super) struct Trouble {
    /// What failed first.
    first: AuditError,
    /// What failed last.
    last: AuditError,
    since: jiff::Timestamp,
    tries: u64,
    wait: Duration,
    /// When to try again.
    pub(super) next: Instant,
    /// All lines are on the disk again; what is missing is room.
    stands: bool,
    /// The log has the record of a full disk.
    said_full: bool,
    /// Numbers of records that stand in the log although their calls were refused.
    pub(super) unanswered: Vec<u64>,
    resumed: Resumed,
}

impl Trouble {
    pub(super) fn new(why: AuditError) -> Trouble {
        Trouble {
            first: why.clone(),
            last: why,
            since: jiff::Timestamp::now(),
            tries: 0,
            wait: JOURNAL_RETRY_MIN,
            next: Instant::now(),
            stands: false,
            said_full: false,
            unanswered: Vec::new(),
            resumed: Resumed::default(),
        }
    }

    fn postpone(&mut self) {
        self.next = Instant::now() + self.wait;
        self.wait = self.wait.saturating_mul(2).min(JOURNAL_RETRY_MAX);
    }
}

impl<S: Storage> Owner<S> {
    /// Something failed: tries to go on at once. Whether all lines are on the disk now.
    pub(super) fn fail(&mut self, why: AuditError) -> bool {
        tracing::error!(%why, "the audit log failed");
        self.unsynced = None;
        self.shared.failed(&why);
        self.trouble = Some(Trouble::new(why));
        self.try_again()
    }

    /// Tries to go on. Whether all lines are on the disk now.
    pub(super) fn try_again(&mut self) -> bool {
        let Some(mut trouble) = self.trouble.take() else { return true };
        trouble.tries += 1;
        let result = self.go_on(&mut trouble);
        let stands = trouble.stands;
        match result {
            Ok(true) => {
                tracing::info!(tries = trouble.tries, "the audit log goes on");
                return stands;
            }
            Ok(false) => {}
            Err(why) => {
                trouble.stands = false;
                if why.word() != trouble.last.word() {
                    tracing::error!(%why, "the audit log still fails, of another cause");
                    self.shared.failed(&why);
                }
                trouble.last = why;
            }
        }
        self.shared.refuse(&trouble.last);
        trouble.postpone();
        self.trouble = Some(trouble);
        stands
    }

    /// Whether records are taken again.
    fn go_on(&mut self, trouble: &mut Trouble) -> Result<bool, AuditError> {
        let full = trouble.first.is_full() || trouble.last.is_full();
        if !trouble.stands {
            if full {
                self.room.free(&self.pen.storage);
            }
            self.pen.resume(&mut trouble.resumed)?;
            trouble.stands = true;
            self.shared.waiting.sync();
            self.shared.set_head(self.pen.head(), self.pen.signed_at);
            self.shared.commit();
        }
        self.room.look(&self.pen.storage);
        let held = self.room.hold(&self.pen.storage);
        if full && held.is_err() {
            self.room.stage = Stage::Full;
            self.shared.set_space(self.room.space, self.room.stage, self.room.has_reserve);
            if !trouble.said_full {
                trouble.said_full = true;
                let record = self.room.record(Stage::Full);
                self.note(record);
                self.settle_and_sync()?;
            }
            return Ok(false);
        }
        self.shared.set_space(self.room.space, self.room.stage, self.room.has_reserve);
        if trouble.said_full {
            let record = self.room.record(self.room.stage);
            self.note(record);
        }
        self.note_kept(self.shared.take_kept().unwrap_or_default(), trouble);
        self.settle_and_sync()?;
        while let Some(kept) = self.shared.take_kept_or_open() {
            self.note_kept(kept, trouble);
            self.settle_and_sync()?;
        }
        Ok(true)
    }

    fn settle_and_sync(&mut self) -> Result<(), AuditError> {
        self.settle()?;
        self.sync()
    }

    /// What was kept in memory, and what happened meanwhile.
    pub(super) fn note_kept(&mut self, kept: Kept, trouble: &Trouble) {
        let Kept { records, counts, .. } = kept;
        for (body, made) in &records {
            self.pen.add(body, Some(made.elapsed()));
        }
        let mut details: Vec<(&'static str, Json)> = vec![
            ("why", trouble.first.word().into()),
            ("what", trouble.first.to_string().into()),
            ("since", format!("{:.6}", trouble.since).into()),
            ("tries", trouble.tries.into()),
            ("lost_before", counts.lost.into()),
            ("kept", records.len().into()),
            ("let_through", counts.let_through.into()),
            ("refused", counts.refused.into()),
        ];
        if !trouble.unanswered.is_empty() {
            details.push(("unanswered", trouble.unanswered.as_slice().into()));
        }
        details.extend(trouble.resumed.details.iter().cloned());
        self.note(Record { details, ..Record::new(Kind::AuditRecovered) });
        if counts.let_through > 0 {
            let what = format!("{} records, {} of them lost", counts.let_through, counts.lost);
            let details: Vec<(&'static str, Json)> = vec![
                ("code", Code::LetThroughUnrecorded.as_str().into()),
                ("what", [what].as_slice().into()),
            ];
            self.note(Record { details, ..Record::new(Kind::Finding) });
        }
    }
}
