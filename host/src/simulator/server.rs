//! The port: accepts connections, routes requests, and ends with the simulator.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::any;
use axum::routing::get;
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::local_page;
use crate::simulator::control;
use crate::simulator::discovery;
use crate::simulator::handshake;
use crate::simulator::open_api;
use crate::simulator::playground;
use crate::simulator::state::State;

/// A card of 100 KB, in a message, with room to spare.
pub(super) const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// HTTP connections served at once; the next one waits in the system's queue.
const MAX_HTTP_CONNECTIONS: usize = 1024;
/// How long a client may take to send its request line and headers.
const HEADER_LIMIT: Duration = Duration::from_secs(10);
/// How long to pause when the system has no more file descriptors, so that accepting does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `listener` until the state's stop token is cancelled.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let router = router(Arc::clone(&state));
    let places = Arc::new(Semaphore::new(MAX_HTTP_CONNECTIONS));
    // Cancel safe: an accept that is dropped has taken no connection.
    while let Some(accepted) = state.stop.run_until_cancelled(listener.accept()).await {
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let connection = secure(stream, state.tls.clone(), router.clone());
        let stop = state.stop.clone();
        state.tasks.spawn(async move {
            stop.run_until_cancelled(connection).await;
            drop(place);
        });
    }
}

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

async fn secure(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    // Frames are small and each one is waited for. If the option cannot be set, they are only slower.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve_connection(stream, router).await };
    match tokio::time::timeout(HEADER_LIMIT, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_connection(stream, router).await,
        Ok(Err(error)) => tracing::debug!(%error, "a client of the simulated platform refused TLS"),
        Err(_) => tracing::debug!("a client of the simulated platform never began TLS"),
    }
}

async fn serve_connection<S>(stream: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client of the simulated platform broke off");
    }
}
