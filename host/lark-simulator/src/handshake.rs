//! `GET /ws/v2`: checks the ticket and turns the HTTP connection into a long connection.

use std::sync::Arc;

use axum::body::Body;
use axum::extract;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse as _;
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::form_urlencoded;

use crate::app::App;
use crate::connections::ConnectionPlace;
use crate::discovery::HANG_LIMIT;
use crate::script::HandshakeRefusal;
use crate::script::HandshakeScript;
use crate::socket;
use crate::state::State;
use crate::ticket::Redemption;

/// The query has no usable credential: its ticket is unknown, used or too old.
const NO_CREDENTIAL: i64 = 1_000_040_344;

/// Handles the request, by the app's script.
pub(super) async fn upgrade(
    extract::State(state): extract::State<Arc<State>>,
    mut request: Request,
) -> Response {
    let Some(accept) = accept_key(request.headers()) else {
        return (StatusCode::BAD_REQUEST, "this is a WebSocket endpoint").into_response();
    };
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::BAD_REQUEST, "this connection cannot be upgraded").into_response();
    };
    let (app, place) = match admit(&state, request.uri().query().unwrap_or_default()).await {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(&refusal),
    };
    let ended = place.connection.ended.clone();
    state.tasks.spawn(async move {
        let connection = Arc::clone(&place.connection);
        if let Some(Ok(upgraded)) = ended.run_until_cancelled(on_upgrade).await {
            socket::serve(upgraded, Arc::clone(&app), place).await;
        }
        app.connections.give_back(&connection);
    });
    switching_protocols(&accept)
}

fn accept_key(headers: &HeaderMap) -> Option<String> {
    let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
    let key = headers.get(header::SEC_WEBSOCKET_KEY)?;
    upgrade.eq_ignore_ascii_case("websocket").then(|| derive_accept_key(key.as_bytes()))
}

/// Returns the app whose ticket the query carries, with a place among its connections.
async fn admit(
    state: &State,
    query: &str,
) -> Result<(Arc<App>, ConnectionPlace), HandshakeRefusal> {
    let invalid = || HandshakeRefusal::authentication(NO_CREDENTIAL, "invalid ticket");
    let now = Instant::now();
    let ticket = form_urlencoded::parse(query.as_bytes())
        .find_map(|(key, value)| (key == "ticket").then(|| value.into_owned()))
        .ok_or_else(invalid)?;
    let (app, redemption) = state
        .apps()
        .map(|app| (app, app.tickets.redeem(&ticket, now)))
        .find(|(_, redemption)| *redemption != Redemption::Unknown)
        .ok_or_else(invalid)?;
    app.tally.count(|counters| counters.handshakes += 1);
    let script = app.scripts().handshake.clone();
    match script {
        HandshakeScript::Normal => {}
        HandshakeScript::Refuse(refusal) => return Err(refusal),
        HandshakeScript::Hang => {
            tokio::time::sleep(HANG_LIMIT).await;
            return Err(HandshakeRefusal::bare(StatusCode::GATEWAY_TIMEOUT.as_u16()));
        }
    }
    if redemption == Redemption::Stale {
        return Err(invalid());
    }
    let place = app.connections.take_place().ok_or_else(HandshakeRefusal::too_many_connections)?;
    Ok((Arc::clone(app), place))
}

fn switching_protocols(accept: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, value);
    }
    response
}

fn refuse(refusal: &HandshakeRefusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = status.into_response();
    let headers = response.headers_mut();
    if let Some(status) = refusal.handshake_status {
        headers.insert("Handshake-Status", HeaderValue::from(status));
        if let Ok(message) = HeaderValue::from_str(&refusal.message) {
            headers.insert("Handshake-Msg", message);
        }
    }
    if let Some(code) = refusal.auth_error_code {
        headers.insert("Handshake-Autherrcode", HeaderValue::from(code));
    }
    response
}
