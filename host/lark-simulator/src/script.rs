//! Scripts of the platform's faults: in connecting, tickets, pongs and settings, and in updating a card.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use crate::delivery::Door;

/// Behaviour of `POST /callback/ws/endpoint` for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DiscoveryScript {
    /// Check the credentials and hand out a URL.
    #[default]
    Normal,
    /// HTTP 200 with an error code.
    Refuse {
        /// Error code, for example 1000040343 (try again) or 1000040345 (do not).
        code: i64,
        /// Text of the answer's `msg`.
        msg: String,
    },
    /// Any HTTP answer: an outage, a body that is not JSON, a missing field.
    Reply {
        /// HTTP status of the answer.
        status: u16,
        /// Body of the answer, unchanged but for [`FRESH_URL`], [`OWN_ADDRESS`] and [`FRESH_TICKET`].
        body: String,
    },
    /// Accept the request and never answer.
    Hang,
}

impl DiscoveryScript {
    /// Answers with a gateway's error page.
    pub fn status(status: u16) -> Self {
        Self::Reply { status, body: format!("{{\"code\":{status},\"msg\":\"gateway\"}}") }
    }

    /// Answers with HTTP 200 and a body that is not JSON, as a captive portal does.
    pub fn not_json() -> Self {
        Self::Reply { status: 200, body: "<html>sign in</html>".into() }
    }
}

/// Placeholder in the body of a [`DiscoveryScript::Reply`] for the URL that an undisturbed discovery would hand out.
pub const FRESH_URL: &str = "$URL";
/// Placeholder for the address and port of the simulator, for a URL with a query of one's own.
pub const OWN_ADDRESS: &str = "$ADDRESS";
/// Placeholder for a ticket of the app, for such a query.
pub const FRESH_TICKET: &str = "$TICKET";

/// Reaction to `POST /open-apis/auth/v3/app_ticket/resend` for one store app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketScript {
    /// A ticket comes through this door.
    Push(Door),
    /// No ticket comes at all.
    Silent,
}

impl Default for TicketScript {
    fn default() -> Self {
        Self::Push(Door::LongConnection)
    }
}

/// Payload of a pong for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PongScript {
    /// The whole configuration, as the platform does.
    #[default]
    Normal,
    /// These bytes instead of the configuration.
    Payload(Bytes),
}

/// Behaviour of `GET /ws/v2` for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandshakeScript {
    /// Check the ticket and upgrade.
    #[default]
    Normal,
    /// Answer without an upgrade.
    Refuse(HandshakeRefusal),
    /// Accept the request and never answer.
    Hang,
}

/// An answer other than 101, and the headers that explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRefusal {
    /// HTTP status of the answer.
    pub status: u16,
    /// The header `Handshake-Status`; absent as from a proxy that knows nothing of it.
    pub handshake_status: Option<i64>,
    /// The header `Handshake-Msg`, sent with `Handshake-Status`.
    pub message: String,
    /// The header `Handshake-Autherrcode`, if any.
    pub auth_error_code: Option<i64>,
}

impl HandshakeRefusal {
    /// Refuses with 514 and 1000040350: more connections than an app may have.
    pub fn too_many_connections() -> Self {
        Self::authentication(TOO_MANY_CONNECTIONS, "exceed conn limit")
    }

    /// Refuses with 403: the app is forbidden to connect.
    pub fn forbidden() -> Self {
        Self {
            status: StatusCode::FORBIDDEN.as_u16(),
            handshake_status: Some(403),
            message: "forbidden".into(),
            auth_error_code: None,
        }
    }

    /// Refuses with 514 and another reason.
    pub fn authentication(auth_error_code: i64, message: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN.as_u16(),
            handshake_status: Some(AUTHENTICATION_FAILED),
            message: message.into(),
            auth_error_code: Some(auth_error_code),
        }
    }

    /// Refuses with a bare HTTP status, as a proxy on the way would.
    pub fn bare(status: u16) -> Self {
        Self { status, handshake_status: None, message: String::new(), auth_error_code: None }
    }
}

/// Answer of `GET /open-apis/application/v6/applications/me` for one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationScript {
    /// The app may not read its own settings.
    Forbid,
    /// The app reads these settings, as `data.app`.
    Tell(Value),
}

impl Default for ApplicationScript {
    /// The answer of the public documentation: the app is published, and the subscriptions are left out.
    fn default() -> Self {
        Self::Tell(json!({ "status": 1, "online_version_id": "oav_simulated" }))
    }
}

/// Behaviour of `POST /open-apis/interactive/v1/card/update` for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CardUpdateScript {
    /// Check the token and the card.
    #[default]
    Normal,
    /// Refuse the update with an error. It costs no use of the token.
    Refuse {
        /// HTTP status of the answer.
        status: u16,
        /// Error code, for example 300000 (internal error) or 99991400 (too many requests).
        code: i64,
    },
    /// Ignore the update and never answer.
    Hang,
    /// Show the card and never answer, as if the answer was lost on the way.
    TakeAndHang,
}

/// `Handshake-Status` of every refusal that `Handshake-Autherrcode` explains.
const AUTHENTICATION_FAILED: i64 = 514;
/// The platform's code for the connection limit, at discovery and at the handshake.
pub(super) const TOO_MANY_CONNECTIONS: i64 = 1_000_040_350;
