//! One session as it went.

use super::{Asked, words};
use axum::http::StatusCode;

pub(super) fn make(_asked: &Asked<'_>) -> (StatusCode, String) {
    super::rendered(StatusCode::OK, &words("Session", "Soon."))
}
