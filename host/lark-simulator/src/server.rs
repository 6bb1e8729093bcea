//! The port: routes requests, refuses those of strangers, and ends with the simulator.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use axum::routing::get;
use axum::routing::post;
use guarded_http::local_page;
use guarded_http::server::Ending;
use guarded_http::server::HttpServer;
use guarded_http::server::Limits;
use tokio::net::TcpListener;

use crate::control;
use crate::discovery;
use crate::handshake;
use crate::open_api;
use crate::open_api::MAX_REQUEST_BYTES;
use crate::playground;
use crate::state::State;

/// Most HTTP connections at once: those of a host under load and all its plugins on this machine.
const MAX_HTTP_CONNECTIONS: usize = 1024;

/// Serves `listener` until the state's stop token is cancelled. Connections are cut then.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    // One host may have all connections.
    let limits = Limits {
        max_connections: MAX_HTTP_CONNECTIONS,
        max_connections_per_client: None,
        ..Limits::FOR_PEOPLE
    };
    let server = HttpServer {
        name: "simulator",
        router: router(Arc::clone(&state)),
        tls: state.tls.clone(),
        limits,
        stop: state.stop.clone(),
        tasks: state.tasks.clone(),
        ending: Ending::Cut,
    };
    server.serve(listener).await;
}

/// Builds the router. The platform's side is behind the same guard as the page: its clients are programs on this machine, which
/// pass the guard. A page of another site could otherwise take the place of a host, whose secrets are in the help text.
fn router(state: Arc<State>) -> Router {
    let router = Router::new()
        .route("/callback/ws/endpoint", post(discovery::discover))
        .route("/ws/v2", get(handshake::upgrade))
        .route("/open-apis/{*path}", any(open_api::call))
        .route("/simulator/send", post(control::send))
        .route("/simulator/state", get(control::state))
        .merge(playground::router())
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(state);
    local_page::guarded(router)
}
