//! A request to the server API, its response, and the reasons for having none.

use serde::Deserialize;

/// Largest response body that is read. The platform's answers are small.
pub(super) const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// A request to the server API, without credentials.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// The HTTP method: GET, POST, …
    pub method: &'static str,
    /// The path; begins with `/open-apis/`.
    pub path: String,
    /// Query parameters, in the order they are sent.
    pub query: Vec<(String, String)>,
    /// The body, as JSON.
    pub body: Option<String>,
}

/// A response with any HTTP status.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body, as the text of JSON.
    pub body: String,
    /// `X-Tt-Logid`, which the platform's support asks for.
    pub log_id: Option<String>,
}

impl ApiResponse {
    /// Returns the `code` in the body, which is 0 for success; `None` if the body has no such member.
    pub fn code(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Coded {
            code: Option<i64>,
        }
        named_fields::from_str::<Coded>(&self.body).ok()?.code
    }
}

/// The reason why a request has no response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The deadline passed before an answer came.
    #[error("no answer in time")]
    Deadline,
    /// The platform could not be reached.
    #[error("cannot reach the platform: {0}")]
    Transport(String),
    /// The platform refused to give a token.
    #[error("the platform gives no token: code {code}, {message} (log id {})", log_id.as_deref().unwrap_or("none"))]
    Token {
        /// The platform's error code.
        code: i64,
        /// The platform's error message.
        message: String,
        /// The log id of the response, for the platform's support.
        log_id: Option<String>,
    },
    /// The platform has sent no app ticket.
    #[error(
        "the platform has sent this store app no app ticket, though it was asked to: it comes as the event app_ticket, through a door of this host"
    )]
    NoTicket,
    /// A store app's callback has no tenant, so there is no token to choose.
    #[error("the callback names no tenant, and a store app acts for one")]
    NoTenant,
    /// The rate limit has no turn left before the deadline.
    #[error(
        "rate limit: no slot before the deadline, because plugins may send only so many requests per second"
    )]
    RateLimited,
    /// The plugin runs without a platform.
    #[error("this plugin runs offline, nothing was sent")]
    Offline,
    /// The answer is longer than `MAX_RESPONSE_BYTES`.
    #[error("the answer is larger than {MAX_RESPONSE_BYTES} bytes")]
    TooLarge,
}

impl ApiError {
    /// Returns whether it is certain that the platform has not seen the request.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Token { .. }
            | Self::NoTicket
            | Self::NoTenant
            | Self::RateLimited
            | Self::Offline => true,
            Self::Deadline | Self::Transport(_) | Self::TooLarge => false,
        }
    }
}
