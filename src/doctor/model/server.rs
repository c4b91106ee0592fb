//! The scripted model's two endpoints on a loopback port; everything else is not found.

use super::{Heard, Turn, messages};
use crate::limits::DOCTOR_REQUEST_BYTES_MAX;
use crate::model::json::Json;
use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// What every connection shares.
pub(in crate::doctor) struct Model {
    turns: watch::Sender<Vec<Turn>>,
    heard: mpsc::UnboundedSender<Heard>,
    told: Mutex<Told>,
}

/// What the driver has heard already.
#[derive(Default)]
struct Told {
    asked: usize,
    results: BTreeSet<(usize, usize)>,
}

impl Model {
    /// A model that tells what it hears to `heard`.
    pub(in crate::doctor) fn new(heard: mpsc::UnboundedSender<Heard>) -> Arc<Model> {
        let turns = watch::Sender::new(Vec::new());
        Arc::new(Model { turns, heard, told: Mutex::default() })
    }

    /// Opens a port on loopback: its number, and where the clients come in.
    pub(in crate::doctor) async fn listen() -> std::io::Result<(u16, TcpListener)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok((listener.local_addr()?.port(), listener))
    }

    /// What comes in the next turn that is asked for.
    pub(in crate::doctor) fn give(&self, turn: Turn) {
        self.turns.send_modify(|turns| turns.push(turn));
    }

    /// Answers until the task is dropped.
    pub(in crate::doctor) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let model = Arc::clone(&self);
            let service = hyper::service::service_fn(move |request| {
                let model = Arc::clone(&model);
                async move { Ok::<_, Infallible>(model.answer(request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A client that hangs up in the middle is seen by the driver, as its end.
            tokio::spawn(async move { drop(served.await) });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/v1/messages") => {}
            (&Method::POST, "/v1/messages/count_tokens") => {
                return respond(StatusCode::OK, &serde_json::json!({ "input_tokens": 10 }));
            }
            (_, path) => {
                let why = format!("the scripted model does not serve `{path}`");
                let error = messages::error("not_found_error", &why);
                return respond(StatusCode::NOT_FOUND, &error);
            }
        }
        let body = to_bytes(Body::new(request.into_body()), DOCTOR_REQUEST_BYTES_MAX).await;
        let body = body.map_err(|error| error.to_string()).and_then(|body| {
            serde_json::from_slice::<Json>(&body).map_err(|error| error.to_string())
        });
        match body {
            Ok(body) => self.message(&body).await,
            Err(why) => {
                let error = messages::error("invalid_request_error", &why);
                respond(StatusCode::BAD_REQUEST, &error)
            }
        }
    }

    async fn message(&self, body: &Json) -> Response<Body> {
        let content = match messages::is_main(body) {
            true => self.turn(body).await,
            false => messages::text("toolgate doctor"),
        };
        let message = messages::message(body, content);
        if body.get("stream").and_then(Json::as_bool) != Some(true) {
            return respond(StatusCode::OK, &message);
        }
        let mut response = Response::new(Body::from(messages::stream(&message)));
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    /// The content of the turn that comes now, once the driver has said what that is.
    async fn turn(&self, body: &Json) -> Vec<Json> {
        let results = messages::results(body);
        let number = messages::next_turn(&results);
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            for result in results {
                if told.results.insert((result.turn, result.index)) {
                    let _ = self.heard.send(Heard::Result(result));
                }
            }
            if told.asked <= number {
                told.asked = number + 1;
                let _ = self.heard.send(Heard::Asked(number));
            }
        }
        let mut turns = self.turns.subscribe();
        let calls = match turns.wait_for(|turns| turns.len() > number).await {
            Ok(turns) => turns.get(number).cloned().unwrap_or_default(),
            // The driver is gone: the session ends.
            Err(_) => Vec::new(),
        };
        messages::content(number, &calls)
    }
}

fn respond(status: StatusCode, body: &Json) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::super::{Call, ToolResult, id_of};
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// One request as a client sends it: the status line, and the body.
    async fn ask(port: u16, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn the_driver_says_what_comes_and_hears_what_came_back_once() {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let model = Model::new(sender);
        let (port, listener) = Model::listen().await.unwrap();
        tokio::spawn(Arc::clone(&model).serve(listener));
        let result = json!({
            "type": "tool_result", "tool_use_id": id_of(0, 0), "content": "seen", "is_error": true,
        });
        let first = json!({ "tools": [{ "name": "Read" }], "messages": [] }).to_string();
        let second = json!({
            "tools": [{ "name": "Read" }], "stream": true,
            "messages": [{ "role": "user", "content": [result] }],
        });
        let second = second.to_string();
        let side = json!({ "messages": [] }).to_string();
        let (status, body) = ask(port, "POST", "/v1/messages?beta=true", &side).await;
        assert!(status.contains(" 200 ") && body.contains("toolgate doctor"), "{status}: {body}");
        model.give(vec![Call { name: "Read".to_owned(), input: json!({}) }]);
        for _ in 0..2 {
            let (_, body) = ask(port, "POST", "/v1/messages", &first).await;
            assert!(body.contains(&id_of(0, 0)), "{body}");
        }
        model.give(Vec::new());
        for _ in 0..2 {
            let (_, body) = ask(port, "POST", "/v1/messages", &second).await;
            assert!(body.contains("event: message_stop"), "{body}");
        }
        let told = Heard::Result(ToolResult {
            turn: 0,
            index: 0,
            is_error: true,
            text: "seen".to_owned(),
        });
        for expected in [Heard::Asked(0), told, Heard::Asked(1)] {
            assert_eq!(heard.try_recv().unwrap(), expected);
        }
        assert!(heard.try_recv().is_err());
    }

    #[tokio::test]
    async fn everything_else_is_refused() {
        let (sender, _heard) = mpsc::unbounded_channel();
        let (port, listener) = Model::listen().await.unwrap();
        tokio::spawn(Model::new(sender).serve(listener));
        for (method, path, body, status) in [
            ("GET", "/v1/messages", "", " 404 "),
            ("POST", "/v1/complete", "{}", " 404 "),
            ("POST", "/v1/messages", "{", " 400 "),
            ("POST", "/v1/messages/count_tokens", "{}", " 200 "),
        ] {
            let (said, _) = ask(port, method, path, body).await;
            assert!(said.contains(status), "{method} {path}: {said}");
        }
    }
}
