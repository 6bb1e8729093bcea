//! What the platform can be told to do wrong: the two steps of connecting, and the update of a card.

use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;

use crate::delivery::Door;

/// What `POST /callback/ws/endpoint` does for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DiscoveryScript {
    /// Check the credentials and hand out a URL.
    #[default]
    Normal,
    /// HTTP 200 with an error code.
    Refuse {
        /// For example 1000040343 (try again) or 1000040345 (do not).
        code: i64,
        /// `msg` of the answer.
        msg: String,
    },
    /// Any HTTP answer: an outage, a body that is not JSON, a missing field.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The body, as it stands, but for [`FRESH_URL`], [`OWN_ADDRESS`] and [`FRESH_TICKET`].
        body: String,
    },
    /// Accept the request and say nothing.
    Hang,
}

impl DiscoveryScript {
    /// A gateway's error page.
    pub fn status(status: u16) -> Self {
        Self::Reply { status, body: format!("{{\"code\":{status},\"msg\":\"gateway\"}}") }
    }

    /// HTTP 200 and a body that is not JSON, as a captive portal answers.
    pub fn not_json() -> Self {
        Self::Reply { status: 200, body: "<html>sign in</html>".into() }
    }
}

/// In the body of a [`DiscoveryScript::Reply`]: the URL that an undisturbed discovery would hand out.
pub const FRESH_URL: &str = "$URL";
/// Likewise: the address and port of the simulator, for a URL with a query of one's own.
pub const OWN_ADDRESS: &str = "$ADDRESS";
/// Likewise: a ticket of the app, for such a query.
pub const FRESH_TICKET: &str = "$TICKET";

/// What `POST /open-apis/auth/v3/app_ticket/resend` leads to for one store app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketScript {
    /// A ticket comes through this door.
    Push(Door),
    /// Nothing.
    Silent,
}

impl Default for TicketScript {
    fn default() -> Self {
        Self::Push(Door::LongConnection)
    }
}

/// What a pong carries for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PongScript {
    /// The whole configuration, as the platform does.
    #[default]
    Normal,
    /// This payload.
    Payload(Bytes),
}

/// What `GET /ws/v2` does for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandshakeScript {
    /// Check the ticket and upgrade.
    #[default]
    Normal,
    /// Answer without an upgrade.
    Refuse(HandshakeRefusal),
    /// Accept the request and say nothing.
    Hang,
}

/// An answer other than 101, and the headers that explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeRefusal {
    /// The HTTP status.
    pub status: u16,
    /// `Handshake-Status`; absent as from a proxy that knows nothing of it.
    pub handshake_status: Option<i64>,
    /// `Handshake-Msg`, sent with `Handshake-Status`.
    pub message: String,
    /// `Handshake-Autherrcode`.
    pub auth_error_code: Option<i64>,
}

impl HandshakeRefusal {
    /// 514 with 1000040350: more connections than an app may have.
    pub fn too_many_connections() -> Self {
        Self::authentication(TOO_MANY_CONNECTIONS, "exceed conn limit")
    }

    /// 403: the app is forbidden to connect.
    pub fn forbidden() -> Self {
        Self {
            status: StatusCode::FORBIDDEN.as_u16(),
            handshake_status: Some(403),
            message: "forbidden".into(),
            auth_error_code: None,
        }
    }

    /// 514 with any other reason.
    pub fn authentication(auth_error_code: i64, message: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN.as_u16(),
            handshake_status: Some(AUTHENTICATION_FAILED),
            message: message.into(),
            auth_error_code: Some(auth_error_code),
        }
    }

    /// A bare HTTP status, as a proxy on the way would answer.
    pub fn bare(status: u16) -> Self {
        Self { status, handshake_status: None, message: String::new(), auth_error_code: None }
    }
}

/// What `GET /open-apis/application/v6/applications/me` answers for one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationScript {
    /// The app may not read its own settings.
    Forbid,
    /// These are its settings: `data.app`.
    Tell(Value),
}

impl Default for ApplicationScript {
    /// As the public documentation has it: that it is published, and nothing of what is subscribed.
    fn default() -> Self {
        Self::Tell(json!({ "status": 1, "online_version_id": "oav_simulated" }))
    }
}

/// What `POST /open-apis/interactive/v1/card/update` does for one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CardUpdateScript {
    /// Check the token and the card.
    #[default]
    Normal,
    /// Take nothing, and say so. Costs no use of the token.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// For example 300000 (internal error) or 99991400 (too many requests).
        code: i64,
    },
    /// Take nothing and say nothing.
    Hang,
    /// Show the card and say nothing, as if the answer was lost on the way.
    TakeAndHang,
}

/// `Handshake-Status` of every refusal that `Handshake-Autherrcode` explains.
const AUTHENTICATION_FAILED: i64 = 514;
/// The platform's code for the connection limit, at discovery and at the handshake.
pub(super) const TOO_MANY_CONNECTIONS: i64 = 1_000_040_350;
