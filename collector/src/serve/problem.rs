//! What cannot be answered, in words that say what to do.

use tierprobe_web::{Response, StatusCode, answer};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What is wrong, and what to do.
    pub message: String,
    /// After how many seconds to ask again, where that may help.
    pub retry_seconds: Option<u32>,
}

impl Problem {
    /// A question that makes no sense.
    #[must_use]
    pub const fn question(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, retry_seconds: None }
    }

    /// What was asked for does not exist, or not yet.
    #[must_use]
    pub const fn nothing(message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, message, retry_seconds: None }
    }

    /// What was asked for is more than can be given.
    #[must_use]
    pub const fn too_much(message: String) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message, retry_seconds: None }
    }

    /// Not now.
    #[must_use]
    pub const fn later(message: String, seconds: u32) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message, retry_seconds: Some(seconds) }
    }

    /// Ours.
    #[must_use]
    pub const fn ours(message: String) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message, retry_seconds: None }
    }

    /// Whether somebody has to do something about it, other than wait.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::INTERNAL_SERVER_ERROR].contains(&self.status)
    }

    /// The answer that says so.
    #[must_use]
    pub fn answer(&self) -> Response {
        let body = serde_json::json!({ "error": self.message, "status": self.status.as_u16() });
        let mut response = answer::of(self.status, answer::JSON, format!("{body:#}\n"));
        if let Some(seconds) = self.retry_seconds {
            let seconds = tierprobe_web::HeaderValue::from(seconds);
            response.headers_mut().insert(tierprobe_web::RETRY_AFTER, seconds);
        }
        response
    }
}
