//! The scripted model's two endpoints on a loopback port; everything else is not found.

use super::{Heard, Turn, messages};
use crate::limits::DOCTOR_REQUEST_BYTES_MAX;
use crate::model::json::Json;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
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

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
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
        let body = Limited::new(request.into_body(), DOCTOR_REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| error.to_string()).and_then(|body| {
            serde_json::from_slice::<Json>(&body.to_bytes()).map_err(|error| error.to_string())
        });
        match body {
            Ok(body) => self.message(&body).await,
            Err(why) => {
                let error = messages::error("invalid_request_error", &why);
                respond(StatusCode::BAD_REQUEST, &error)
            }
        }
    }

    async fn message(&self, body: &Json) -> Response<Full<Bytes>> {
        let content = match messages::is_main(body) {
            true => self.turn(body).await,
            false => messages::text("toolgate doctor"),
        };
        let message = messages::message(body, content);
        if body.get("stream").and_then(Json::as_bool) != Some(true) {
            return respond(StatusCode::OK, &message);
        }
        let mut response = Response::new(Full::new(Bytes::from(messages::stream(&message))));
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

fn respond(status: StatusCode, body: &Json) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
