//! Connections and requests: who is answered, with which headers, and in which bounds.
//!
//! Each request passes the same gate, in this order: it names us, it only reads, it bears the
//! cookie. Styles, the script and the way to the cookie stand before the last. A page is made on a
//! blocking thread; what takes too long is given up towards the browser.

use super::assets::ASSETS;
use super::pages::{self, Page};
use super::{Web, link, live};
use crate::limits::{
    REVIEW_CONNECTION_TIMEOUT, REVIEW_CONNECTIONS_MAX, REVIEW_HEAD_BYTES_MAX, REVIEW_HEAD_TIMEOUT,
    REVIEW_IDLE, REVIEW_PAGE_TIMEOUT,
};
use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Serves until the task is dropped.
pub async fn serve(web: Arc<Web>, listener: TcpListener) {
    tokio::spawn(forget(Arc::downgrade(&web)));
    let places = Arc::new(Semaphore::new(REVIEW_CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let web = Arc::clone(&web);
                tokio::spawn(async move {
                    let answer = service_fn(move |request| answer(Arc::clone(&web), request));
                    let mut http = http1::Builder::new();
                    let one = http
                        .timer(TokioTimer::new())
                        .header_read_timeout(REVIEW_HEAD_TIMEOUT)
                        .max_buf_size(REVIEW_HEAD_BYTES_MAX)
                        .serve_connection(TokioIo::new(stream), answer);
                    // Whoever is slow or speaks no HTTP needs no answer.
                    let _ = tokio::time::timeout(REVIEW_CONNECTION_TIMEOUT, one).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: give the connections time to end.
                tracing::warn!(%error, "the review pages could not accept");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Gives up what is counted once nobody looks any more.
async fn forget(web: std::sync::Weak<Web>) {
    loop {
        tokio::time::sleep(REVIEW_IDLE / 4).await;
        let Some(web) = web.upgrade() else { return };
        if web.is_forgotten() && web.live.viewers() == 0 {
            web.look(None);
            let cleared = tokio::task::spawn_blocking(move || web.log.clear());
            let _ = cleared.await;
        }
    }
}

async fn answer(web: Arc<Web>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let mut response = of(web, &request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What every answer says to the browser: run and load nothing but ours, and keep nothing.
const ALWAYS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), clipboard-read=()",
    ),
];

async fn of(web: Arc<Web>, request: &Request<Incoming>) -> Response<Body> {
    let (headers, uri) = (request.headers(), request.uri());
    if !web.door.is_for_us(headers, uri) {
        let why = "This address is not ours. Open the pages by the address that was printed at \
                   the start, or name this one in `hosts` of `[review]`.\n";
        return text(StatusCode::MISDIRECTED_REQUEST, why);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "These pages are only read.\n");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let query = uri.query().unwrap_or_default();
    match uri.path() {
        "/login" => return login(&web, query),
        path if path.starts_with("/assets/") => return asset(path),
        _ => {}
    }
    if !web.door.lets_in(headers) || is_from_elsewhere(headers) {
        return html(StatusCode::UNAUTHORIZED, pages::stranger());
    }
    web.look(Some(Instant::now()));
    web.verify_soon();
    match uri.path() {
        "/events" => live::events(&web),
        path => match Page::at(path) {
            Some(page) => made(web, page, query.to_owned()).await,
            None => html(StatusCode::NOT_FOUND, pages::nothing_here()),
        },
    }
}

/// The token leaves the address by a redirect, and stays in no history.
fn login(web: &Web, query: &str) -> Response<Body> {
    let token = link::parameters(query).into_iter().find(|(name, _)| name == "token");
    let cookie = token.and_then(|(_, token)| web.door.exchange(&token));
    let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) else {
        return html(StatusCode::UNAUTHORIZED, pages::stranger());
    };
    let mut response = text(StatusCode::SEE_OTHER, "");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    response
}

/// A page of another site may lead here, but not fetch from here; browsers say which it is.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    says("sec-fetch-site").is_some_and(|site| matches!(site, "cross-site" | "same-site"))
        && says("sec-fetch-mode") != Some("navigate")
}

fn asset(path: &str) -> Response<Body> {
    let Some(asset) = ASSETS.at(path) else {
        return text(StatusCode::NOT_FOUND, "There is nothing here.\n");
    };
    let mut response = Response::new(Body::from(asset.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media));
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    response
}

/// Makes a page beside everything else, when it is its turn.
async fn made(web: Arc<Web>, page: Page, query: String) -> Response<Body> {
    let making = async {
        let standing = web.sidecar.standing().await;
        let Ok(place) = Arc::clone(&web.pages).acquire_owned().await else {
            return Err("no page is made any more".to_owned());
        };
        let task = tokio::task::spawn_blocking(move || {
            let made = pages::make(&web, page, &query, standing);
            drop(place);
            made
        });
        task.await.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(REVIEW_PAGE_TIMEOUT, making).await {
        Ok(Ok((status, page))) => html(status, page),
        Ok(Err(why)) => {
            tracing::error!(%why, "a review page could not be made");
            html(StatusCode::INTERNAL_SERVER_ERROR, pages::failed())
        }
        Err(_) => html(StatusCode::SERVICE_UNAVAILABLE, pages::busy()),
    }
}

fn html(status: StatusCode, page: String) -> Response<Body> {
    of_type(status, "text/html; charset=utf-8", page)
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    of_type(status, "text/plain; charset=utf-8", text.to_owned())
}

fn of_type(status: StatusCode, media: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
