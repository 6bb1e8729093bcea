//! Errors of connecting: whether another attempt helps, and what to change if it does not.
//!
//! The platform's codes decide, never the shape of its answer. The texts never contain an address, which carries a ticket, or a
//! credential.

use std::error::Error;
use std::time::Duration;

use tokio_tungstenite::tungstenite::http::HeaderMap;

use crate::ingress::long_connection::destination::DestinationError;
use crate::ingress::long_connection::tunnel::TunnelError;

/// Time limit of discovery and of the handshake, which each take well under a second.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Discovery codes after which another attempt may help; every other one means that somebody has to change something.
const SYSTEM_BUSY: i64 = 1;
const INTERNAL_ERROR: i64 = 1_000_040_343;
/// Codes that discovery and handshake share.
const FORBIDDEN: i64 = 403;
const AUTH_FAILED: i64 = 514;
const TOO_MANY_CONNECTIONS: i64 = 1_000_040_350;
/// The app belongs to the other domain.
const WRONG_DOMAIN: i64 = 1_000_040_351;
/// The app does not exist, the secret is wrong, or long connections are not enabled.
const WRONG_CREDENTIALS: i64 = 1_000_040_345;

/// The most characters of the platform's text that are logged.
const MAX_WORDS: usize = 200;

/// Says if another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    Worthwhile,
    Useless,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("{0} took more than {limit} s", limit = STEP_TIMEOUT.as_secs())]
    Timeout(&'static str),
    #[error("discovery failed: {0}")]
    Transport(String),
    #[error("discovery answered HTTP {status}: {message}")]
    DiscoveryStatus { status: u16, message: String },
    #[error("discovery gave an answer that cannot be used: {0}")]
    DiscoveryBody(String),
    #[error("discovery refused: code {code}, {message}{}", hint(*code))]
    DiscoveryRefused { code: i64, message: String },
    #[error("discovery gave an address that is not dialled: {0}")]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    #[error("the handshake was refused: status {status}, code {code}, {message}{}", hint(*code))]
    HandshakeRefused { status: i64, code: i64, message: String },
    #[error("the handshake failed: {0}")]
    Handshake(String),
}

fn hint(code: i64) -> &'static str {
    match code {
        WRONG_CREDENTIALS | AUTH_FAILED => {
            "; check the app's id and secret, and that a version of it is published with long connection as its way of \
             delivery"
        }
        TOO_MANY_CONNECTIONS => {
            "; the app has its 50 connections already, some of which may belong to another host"
        }
        WRONG_DOMAIN => "; the app lives on the other domain: try domain = \"lark\" or \"feishu\"",
        FORBIDDEN => "; the app is not allowed to connect: it may be disabled in the console",
        _ => "",
    }
}

impl DialError {
    /// Returns the platform's error code, if it gave one.
    pub(super) fn code(&self) -> Option<i64> {
        match self {
            Self::DiscoveryRefused { code, .. } | Self::HandshakeRefused { code, .. } => {
                Some(*code)
            }
            _ => None,
        }
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::DiscoveryRefused { code: SYSTEM_BUSY | INTERNAL_ERROR, .. } => Retry::Worthwhile,
            Self::DiscoveryRefused { .. }
            | Self::HandshakeRefused { status: FORBIDDEN, .. }
            // Any other code means that the ticket was refused, and the next discovery gives another one.
            | Self::HandshakeRefused {
                status: AUTH_FAILED,
                code: TOO_MANY_CONNECTIONS | WRONG_DOMAIN,
                ..
            } => Retry::Useless,
            _ => Retry::Worthwhile,
        }
    }

    /// Makes an error of the HTTP client's, with its sources: its own text does not name the cause.
    pub(super) fn transport(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Transport(clip(&text))
    }

    /// Makes an error of a refused handshake. The platform explains a refusal in headers of its own; without them a gateway or
    /// proxy refused.
    pub(super) fn handshake(http_status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| text(name).and_then(|text| text.trim().parse::<i64>().ok());
        match number("Handshake-Status") {
            Some(status) => Self::HandshakeRefused {
                status,
                code: number("Handshake-Autherrcode").unwrap_or(status),
                message: clip(text("Handshake-Msg").unwrap_or_default()),
            },
            None => Self::Handshake(format!("HTTP {http_status}")),
        }
    }
}

/// Returns the beginning of a text from outside, short enough for a log line.
pub(super) fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(MAX_WORDS).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discovery(code: i64) -> DialError {
        DialError::DiscoveryRefused { code, message: "words".into() }
    }

    fn handshake(headers: &[(&'static str, &'static str)]) -> DialError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        DialError::handshake(403, &map)
    }

    #[test]
    fn discovery_is_tried_again_by_its_code() {
        for code in [1, 1_000_040_343] {
            assert_eq!(discovery(code).retry(), Retry::Worthwhile, "{code}");
        }
        for code in [403, 514, 1_000_040_344, 1_000_040_345, 1_000_040_350, 1_000_040_351, 7, -1] {
            assert_eq!(discovery(code).retry(), Retry::Useless, "{code}");
        }
    }

    #[test]
    fn a_refused_handshake_is_read_from_its_headers() {
        let forbidden = handshake(&[("handshake-status", "403")]);
        let many = [("Handshake-Status", "514"), ("Handshake-Autherrcode", "1000040350")];
        let domain = [("Handshake-Status", "514"), ("Handshake-Autherrcode", "1000040351")];
        for fatal in [forbidden, handshake(&many), handshake(&domain)] {
            assert_eq!(fatal.retry(), Retry::Useless, "{fatal}");
        }
        let ticket = [("Handshake-Status", "514"), ("Handshake-Autherrcode", "1000040344")];
        let no_code = [("Handshake-Status", "514"), ("Handshake-Autherrcode", "none")];
        // A bare 403 is as likely a proxy's as the platform's.
        for again in [handshake(&ticket), handshake(&no_code), handshake(&[])] {
            assert_eq!(again.retry(), Retry::Worthwhile, "{again}");
        }
    }

    #[test]
    fn the_words_say_what_to_change() {
        for (code, word) in [
            (1_000_040_345, "secret"),
            (1_000_040_345, "published"),
            (1_000_040_350, "50 connections"),
            (1_000_040_351, "other domain"),
            (403, "not allowed"),
        ] {
            let text = discovery(code).to_string();
            assert!(text.contains(word) && text.contains(&code.to_string()), "{text}");
        }
        assert!(clip(&"长".repeat(10_000)).len() < 4 * MAX_WORDS);
    }
}
