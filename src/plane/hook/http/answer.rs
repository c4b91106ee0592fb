//! What one request comes to: 200 and one JSON object.
//!
//! Who may not speak is not read any further than to the name of his event, by which his denial is
//! said. Everything else is an event, which goes through the door.

use super::Server;
use super::wire::Watch;
use crate::limits::{EVENT_BYTES_MAX, EVENT_READ_TIMEOUT, HTTP_IDLE_TOLD, HTTP_STRANGER_BYTES_MAX};
use crate::model::principal::Runtime;
use crate::plane::hook::answer::accept;
use crate::plane::hook::door::{Peer, denied};
use crate::plane::hook::protocol::Reply;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use std::pin::Pin;
use std::sync::Arc;

/// One connection, as its requests see it.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) server: Arc<Server>,
    pub(super) peer: Peer,
    /// Why nothing is heard on this connection, if that is so.
    pub(super) refused: Option<String>,
    pub(super) watch: Arc<Watch>,
}

/// What is left of a request once it has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// The next request may follow.
    Nothing,
    /// Something that nobody reads, behind which no other request is found.
    Unread,
}

/// Where Claude Code's events are sent.
const CLAUDE: &str = "/v1/hook/claude";
/// What a client may rely on: see [`HTTP_IDLE_TOLD`].
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

impl Asked {
    /// The one thing that can be asked, and the answer to all else.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route(CLAUDE, post(claude))
            .method_not_allowed_fallback(elsewhere)
            .fallback(elsewhere)
            .with_state(self)
    }

    async fn answer(&self, request: Request, refused: Option<String>) -> Response {
        let _serving = self.watch.serve();
        // hyper sends no body with these, and an answer without one is no denial: what is not 200
        // never goes out, and the connection ends with a denial that has one.
        let is_bodiless = matches!(*request.method(), Method::HEAD | Method::CONNECT);
        let (head, mut body) = request.into_parts();
        let (reply, rest) = match refused.or_else(|| self.unheard(&head.headers)) {
            Some(why) => self.refuse(&why, &mut body).await,
            None => self.event(&head.headers, &mut body).await,
        };
        let mut response = Response::new(Body::from(object(&reply)));
        if is_bodiless {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if is_bodiless || rest == Rest::Unread || self.is_last() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if let Ok(told) = format!("timeout={}", HTTP_IDLE_TOLD.as_secs()).parse() {
            headers.insert(KEEP_ALIVE, told);
        }
        response
    }

    /// Whether the connection ends with this answer. Who keeps one without need gives it up while
    /// others may be waiting for a place.
    fn is_last(&self) -> bool {
        let most = self.server.limiter.bounds().connections;
        let is_short = self.server.places.available_permits() <= most / 2;
        is_short || self.refused.is_some() || *self.server.closing.borrow()
    }

    /// Why a request is not heard, if that is so.
    fn unheard(&self, headers: &HeaderMap) -> Option<String> {
        if self.refused.is_some() {
            return self.refused.clone();
        }
        if !self.server.token.is_borne_by(headers) {
            return Some("the request does not bear the guard's token".to_owned());
        }
        self.server.closing.borrow().then(|| "the guard is closing".to_owned())
    }

    async fn refuse(&self, why: &str, body: &mut Body) -> (Reply, Rest) {
        let mut beginning = Vec::new();
        // Whatever came of it, in whatever time it took, is as good as it gets.
        let rest = match read(body, HTTP_STRANGER_BYTES_MAX, &mut beginning).await {
            Ok(()) => Rest::Nothing,
            Err(_) => Rest::Unread,
        };
        let (door, limiter) = (&self.server.door, &self.server.limiter);
        (door.refuse(why, &beginning, self.peer, limiter).await, rest)
    }

    async fn event(&self, headers: &HeaderMap, body: &mut Body) -> (Reply, Rest) {
        let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length: usize = stated.and_then(|text| text.parse().ok()).unwrap_or(EVENT_BYTES_MAX);
        if length > EVENT_BYTES_MAX {
            return self.refuse(&too_large(), body).await;
        }
        let server = &self.server;
        // Held until the answer is made: events of all connections share this much memory.
        let Some(_room) = server.door.room(length).await else {
            return (denied(&[], "the guard is closing"), Rest::Unread);
        };
        let mut bytes = Vec::new();
        if let Err(why) = read(body, EVENT_BYTES_MAX, &mut bytes).await {
            let reply = server.door.refuse(&why, &bytes, self.peer, &server.limiter).await;
            return (reply, Rest::Unread);
        }
        let bytes: Arc<[u8]> = bytes.into();
        let (door, limiter) = (Arc::clone(&server.door), Arc::clone(&server.limiter));
        let (peer, event) = (self.peer, Arc::clone(&bytes));
        let work = async move { door.event(Runtime::Claude, &event, peer, &limiter).await };
        let reply = guarded(&bytes, work).await;
        let reply = accept(Runtime::Claude, &bytes, reply);
        (reply.unwrap_or_else(|why| denied(&bytes, &why)), Rest::Nothing)
    }
}

async fn claude(State(asked): State<Asked>, request: Request) -> Response {
    asked.answer(request, None).await
}

async fn elsewhere(State(asked): State<Asked>, request: Request) -> Response {
    let why = format!("the guard answers POST {CLAUDE} only; see the `url` of this hook");
    asked.answer(request, Some(why)).await
}

/// What `work` answers; a panic in it ends as the refusal of this one event. It is done to its end
/// even if nobody waits any more.
async fn guarded(event: &[u8], work: impl Future<Output = Reply> + Send + 'static) -> Reply {
    match tokio::spawn(work).await {
        Ok(reply) => reply,
        Err(_) => denied(event, "the guard failed: an internal error"),
    }
}

/// Reads a body into `bytes`, as much as came in time.
///
/// # Errors
/// If it is longer than `most`, comes too slowly, or breaks off.
async fn read(body: &mut Body, most: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    let reading = async {
        while let Some(frame) = next(body).await {
            let frame = frame.map_err(|_| "the event is cut short".to_owned())?;
            // What is no data are trailers, which say nothing to us.
            let Ok(data) = frame.into_data() else { continue };
            let (kept, rest) = data.split_at(data.len().min(most - bytes.len()));
            bytes.extend_from_slice(kept);
            if !rest.is_empty() {
                return Err(too_large());
            }
        }
        Ok(())
    };
    match tokio::time::timeout(EVENT_READ_TIMEOUT, reading).await {
        Ok(read) => read,
        Err(_) => Err("the event did not arrive in time".to_owned()),
    }
}

fn too_large() -> String {
    format!("the event is larger than {} MiB", EVENT_BYTES_MAX / (1024 * 1024))
}

async fn next(
    body: &mut Body,
) -> Option<Result<hyper::body::Frame<axum::body::Bytes>, axum::Error>> {
    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

/// The JSON object of a reply: no opinion is an empty one. A command's exit code has no place in
/// it, so what would hold back by that alone is said in words.
fn object(reply: &Reply) -> Vec<u8> {
    match (reply.code, reply.stdout.as_slice()) {
        (0, []) => b"{}".to_vec(),
        (_, []) => denied(&[], &String::from_utf8_lossy(&reply.stderr)).stdout,
        (_, said) => said.to_vec(),
    }
}

/// A whole answer, for where hyper has none.
pub(super) fn whole(reply: &Reply) -> Vec<u8> {
    let body = object(reply);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_panic_is_a_denial_in_the_events_own_words() {
        let panics = || async { panic!("on purpose") };
        let pre = br#"{"hook_event_name":"PreToolUse"}"#;
        let said = object(&block_on(guarded(pre, panics())));
        assert!(String::from_utf8(said).unwrap().contains(r#""permissionDecision":"deny""#));
        let stop = br#"{"hook_event_name":"Stop"}"#;
        assert_eq!(object(&block_on(guarded(stop, panics()))), b"{}");
    }

    #[test]
    fn an_exit_code_alone_holds_back_too() {
        let reply = |code, stdout: &str| {
            let (stdout, stderr) = (stdout.as_bytes().to_vec(), b"why".to_vec());
            String::from_utf8(object(&Reply { code, stdout, stderr })).unwrap()
        };
        assert_eq!((reply(0, "").as_str(), reply(2, "{1}").as_str()), ("{}", "{1}"));
        assert!(reply(2, "").contains(r#""permissionDecisionReason":"why""#));
    }

    #[test]
    fn a_body_is_read_up_to_its_bound() {
        for (size, most, expected) in [
            (0, 0, Ok(())),
            (10, 10, Ok(())),
            (10, 9, Err("larger than 16 MiB")),
            (10, 0, Err("larger than 16 MiB")),
        ] {
            let mut bytes = Vec::new();
            let mut body = Body::from(vec![7; size]);
            let said = block_on(read(&mut body, most, &mut bytes));
            match expected {
                Ok(()) => assert_eq!(said, Ok(())),
                Err(why) => assert!(said.unwrap_err().contains(why)),
            }
            assert_eq!(bytes, vec![7; size.min(most)]);
        }
    }
}
