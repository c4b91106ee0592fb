//! Metrics and probes over HTTP, for those who scrape and probe that way. It only tells.
//!
//! Whoever can reach the address may read it, the agent too: there is nothing of any call in it.
//! A connection has one request and one deadline, and there are few at a time, so nobody can hold
//! the probes up for long.

use super::server::Server;
use crate::limits::{ADMIN_HTTP_CONNECTIONS_MAX, ADMIN_TIMEOUT};
use crate::metrics::MEDIA_TYPE;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Serves until the task is dropped.
pub(in crate::service) async fn serve(server: Arc<Server>, listener: TcpListener) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(server);
    let places = Arc::new(Semaphore::new(ADMIN_HTTP_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let mut http = http1::Builder::new();
                    let one =
                        http.keep_alive(false).serve_connection(TokioIo::new(stream), service);
                    // Whoever is slow or speaks no HTTP needs no answer.
                    let _ = tokio::time::timeout(ADMIN_TIMEOUT, one).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: give the connections time to end.
                tracing::warn!(%error, "the admin listener could not accept");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    match server.metrics().await {
        Ok(text) => ([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response(),
    }
}

async fn livez(State(server): State<Arc<Server>>) -> Response {
    match server.liveness().await {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn readyz(State(server): State<Arc<Server>>) -> Response {
    let health = server.health().await;
    match health.ready {
        true => "ok\n".into_response(),
        false => {
            let told = format!("{}\n", health.problems.join("\n"));
            (StatusCode::SERVICE_UNAVAILABLE, told).into_response()
        }
    }
}
