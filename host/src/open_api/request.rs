//! A request to the server API, its answer, and why there is none.

use serde::Deserialize;

/// The platform's answers are small; more than this is not read.
pub(super) const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// A request, without credentials.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// GET, POST, …
    pub method: &'static str,
    /// Begins with `/open-apis/`.
    pub path: String,
    /// In order.
    pub query: Vec<(String, String)>,
    /// JSON.
    pub body: Option<String>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// HTTP.
    pub status: u16,
    /// JSON, as text.
    pub body: String,
    /// `X-Tt-Logid`: what the platform's support asks for.
    pub log_id: Option<String>,
}

impl ApiResponse {
    /// The `code` in the body, 0 where all is well.
    pub fn code(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Coded {
            code: Option<i64>,
        }
        named_fields::from_str::<Coded>(&self.body).ok()?.code
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// It took too long.
    #[error("no answer in time")]
    Deadline,
    /// The platform could not be reached.
    #[error("cannot reach the platform: {0}")]
    Transport(String),
    /// It gave no token.
    #[error("the platform gives no token: code {code}, {message} (log id {})", log_id.as_deref().unwrap_or("none"))]
    Token {
        /// The platform's.
        code: i64,
        /// The platform's.
        message: String,
        /// For its support.
        log_id: Option<String>,
    },
    /// It has sent no ticket.
    #[error(
        "the platform has sent this store app no app ticket, though it was asked to: it comes as the event app_ticket, through a door of this host"
    )]
    NoTicket,
    /// Nobody knows for whom.
    #[error("the callback names no tenant, and a store app acts for one")]
    NoTenant,
    /// Too many requests.
    #[error("its turn does not come in time: plugins may make only so many requests a second")]
    RateLimited,
    /// There is no platform.
    #[error("this plugin runs offline, nothing was sent")]
    Offline,
    /// The answer is too large.
    #[error("the answer is larger than {MAX_RESPONSE_BYTES} bytes")]
    TooLarge,
}

impl ApiError {
    /// Whether the platform has certainly not seen the request.
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
