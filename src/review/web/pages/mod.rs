//! Every page: what it is made of, and the frame that all share.

mod explore;
mod findings;
mod frame;
mod overview;
mod policy;
mod record;
mod session;
mod sessions;
mod table;

use super::Web;
use super::link::parameters;
use super::log::Asking;
use super::sidecar::Standing;
use askama::Template;
use axum::http::StatusCode;
use frame::Frame;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// One kind of page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// How it stands, and what was refused lately.
    Overview,
    /// Records by filter.
    Explore,
    /// The list of sessions.
    Sessions,
    /// What one session did.
    Session,
    /// One record whole.
    Record,
    /// What does not agree.
    Findings,
    /// The policy in force, and what it came to.
    Policy,
}

impl Page {
    /// The page at a path.
    pub(super) fn at(path: &str) -> Option<Page> {
        Some(match path {
            "/" => Page::Overview,
            "/explore" => Page::Explore,
            "/sessions" => Page::Sessions,
            "/session" => Page::Session,
            "/record" => Page::Record,
            "/findings" => Page::Findings,
            "/policy" => Page::Policy,
            _ => return None,
        })
    }
}

/// What a page is made from.
struct Asked<'a> {
    web: &'a Web,
    log: Asking,
    standing: Standing,
    now: Timestamp,
    parameters: Vec<(String, String)>,
}

impl Asked<'_> {
    /// The first parameter of this name.
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(one, value)| one == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }
}

/// How long a page waits for what is new in the log to be held in memory. At first there may be far
/// more than can be read in this time; what is not held is read line by line.
const READING: Duration = Duration::from_millis(120);

/// Makes a page.
pub(super) fn make(
    web: &Arc<Web>,
    page: Page,
    query: &str,
    standing: Standing,
) -> (StatusCode, String) {
    read_on(web);
    let parameters = parameters(query);
    let asked = Asked { web, log: web.log.ask(), standing, now: Timestamp::now(), parameters };
    match page {
        Page::Overview => overview::make(&asked),
        Page::Explore => explore::make(&asked),
        Page::Sessions => sessions::make(&asked),
        Page::Session => session::make(&asked),
        Page::Record => record::make(&asked),
        Page::Findings => findings::make(&asked),
        Page::Policy => policy::make(&asked),
    }
}

/// Reads what is new, as far as that is quick; the rest goes on beside.
fn read_on(web: &Arc<Web>) {
    let (done, is_done) = sync_channel(1);
    let reader = Arc::clone(web);
    std::thread::spawn(move || {
        if let Err(error) = reader.log.read_on() {
            tracing::warn!(%error, "the log cannot be read for the review pages");
        }
        let _ = done.send(());
    });
    let _ = is_done.recv_timeout(READING);
}

/// The text of a page, or of why there is none.
fn rendered(status: StatusCode, page: &impl Template) -> (StatusCode, String) {
    match page.render() {
        Ok(text) => (status, text),
        Err(error) => {
            tracing::error!(%error, "a review page could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, failed())
        }
    }
}

/// A page with nothing but words.
#[derive(Template)]
#[template(path = "words.html", config = "src/review/web/askama.toml")]
struct Words {
    frame: Frame,
    title: &'static str,
    words: &'static str,
    command: &'static str,
    /// Whether a click from here may bring the cookie along.
    go_on: bool,
}

fn words(title: &'static str, words: &'static str) -> Words {
    Words { frame: Frame::bare(), title, words, command: "", go_on: false }
}

/// For who has no cookie.
pub(super) fn stranger() -> String {
    let page = Words {
        go_on: true,
        ..words(
            "Open the link",
            "These pages show what agents did. Whoever looks needs the link with the token, which \
             toolgate serve prints on stderr when it starts; each start has another.",
        )
    };
    rendered(StatusCode::UNAUTHORIZED, &page).1
}

/// For an address that is no page.
pub(super) fn nothing_here() -> String {
    rendered(StatusCode::NOT_FOUND, &words("There is nothing here", "No page has this address.")).1
}

/// For a page that took too long.
pub(super) fn busy() -> String {
    let page =
        words("Not now", "The pages are busy. Nothing is wrong with the sidecar; try again.");
    rendered(StatusCode::SERVICE_UNAVAILABLE, &page).1
}

/// For a page that cannot be made.
pub(super) fn failed() -> String {
    // No template: one may be what failed.
    "<!doctype html><title>toolgate</title><p>This page could not be made; the messages of the \
     sidecar say why."
        .to_owned()
}
