//! What stands around every page: where one can go, whether the log is whole, what is wrong.

use super::Asked;
use crate::audit::{Report, State};
use crate::review::web::assets::ASSETS;
use crate::review::web::view::{Shown, ago, count};
use std::sync::PoisonError;

/// The frame of a page.
pub(super) struct Frame {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
    pub(super) nav: Vec<NavItem>,
    pub(super) badge: Badge,
    pub(super) policy: Shown,
    pub(super) version: Shown,
    pub(super) notices: Vec<Notice>,
    /// The log is still being read, and the page will know more.
    pub(super) is_reading: bool,
    /// Which state of the log the page shows.
    pub(super) seen: u64,
}

/// A page that one can go to.
pub(super) struct NavItem {
    pub(super) href: &'static str,
    pub(super) text: &'static str,
    /// The letter after `g`.
    pub(super) key: &'static str,
    pub(super) is_here: bool,
}

/// Whether the log is what was written.
#[derive(Clone)]
pub(super) struct Badge {
    pub(super) state: &'static str,
    pub(super) class: &'static str,
    pub(super) shape: &'static str,
    pub(super) told: String,
}

/// What should be known before the page is read.
pub(super) struct Notice {
    pub(super) class: &'static str,
    pub(super) text: Shown,
}

const NAV: [(&str, &str, &str); 5] = [
    ("/", "Overview", "o"),
    ("/explore", "Explore", "e"),
    ("/sessions", "Sessions", "s"),
    ("/findings", "Findings", "f"),
    ("/policy", "Policy", "p"),
];

impl Frame {
    /// Around a page below one of the entries, of which everything was asked.
    pub(super) fn of(asked: &Asked<'_>, here: &str) -> Frame {
        let mut notices = Vec::new();
        let mut notice = |class: &'static str, text: &str| {
            notices.push(Notice { class, text: Shown::cut(text, 600) });
        };
        asked.standing.problems.iter().for_each(|problem| notice("bad", problem));
        asked.standing.warnings.iter().for_each(|warning| notice("warn", warning));
        let (noted, progress) = (asked.log.noted(), asked.web.log.progress());
        if let Some(trouble) = &noted.trouble {
            notice("bad", &format!("The log cannot be read: {trouble}"));
        }
        let is_reading = noted.cut && !progress.whole;
        if is_reading {
            let (held, files) = (progress.held, progress.files);
            let told = format!(
                "The log is being read: {held} of {files} files that are not sealed. What follows \
                 does not count all of it yet."
            );
            notice("note", &told);
        } else if noted.cut {
            notice(
                "note",
                "Not all of the log could be looked through in time: what is older is not counted \
                 here. The command line counts all.",
            );
        }
        if noted.unreadable > 0 {
            let lines = count(noted.unreadable);
            notice("bad", &format!("{lines} lines of the log cannot be read as records."));
        }
        let nav = NAV.map(|(href, text, key)| NavItem { href, text, key, is_here: href == here });
        Frame {
            nav: nav.into(),
            badge: Badge::of(asked),
            policy: Shown::cut(&asked.standing.policy, 60),
            version: Shown::of(&asked.standing.version),
            notices,
            is_reading,
            seen: asked.web.log.version(),
            ..Frame::bare()
        }
    }

    /// Around a page that tells nothing.
    pub(super) fn bare() -> Frame {
        Frame {
            style: &ASSETS.style.path,
            script: &ASSETS.script.path,
            icon: &ASSETS.icon.path,
            nav: Vec::new(),
            badge: Badge::unknown("not checked yet"),
            policy: Shown::default(),
            version: Shown::default(),
            notices: Vec::new(),
            is_reading: false,
            seen: 0,
        }
    }
}

impl Badge {
    fn unknown(told: &str) -> Badge {
        Badge { state: "CHECKING", class: "unknown", shape: "◔", told: told.to_owned() }
    }

    /// What the last look at the whole log found.
    pub(super) fn of(asked: &Asked<'_>) -> Badge {
        let verified = asked.web.verified.lock().unwrap_or_else(PoisonError::into_inner);
        match &verified.report {
            None => Badge::unknown("the log is being verified"),
            Some((Err(why), _)) => Badge {
                state: "UNREADABLE",
                class: "broken",
                shape: "✕",
                told: format!("the log cannot be verified: {why}"),
            },
            Some((Ok(report), at)) => {
                let (now, at) = (asked.now.as_microsecond(), at.as_microsecond());
                Badge::told(report, &ago(at, now))
            }
        }
    }

    fn told(report: &Report, when: &str) -> Badge {
        let (state, class, shape) = match report.state() {
            State::Sealed => ("SEALED", "sealed", "✓"),
            State::Unsealed => ("UNSEALED", "unsealed", "◐"),
            State::Broken => ("BROKEN", "broken", "✕"),
        };
        let records = count(report.records);
        let on_trust = match report.on_trust() {
            0 => String::new(),
            some => format!(", {} of them taken on trust by a start", count(some)),
        };
        Badge { state, class, shape, told: format!("{records} records verified{on_trust}, {when}") }
    }
}
