//! Accepting connections, a bounded number of them, and letting go of them when the host stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::ingress::webhook::HEADER_TIMEOUT;
use crate::ingress::webhook::wire::WatchedStream;
use crate::ingress::webhook::wire::Wire;
use crate::shutdown::Shutdown;

/// Pause after a failed accept, most often for want of file descriptors: trying at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a request's head may take. The platform's have a few hundred bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    loop {
        let accepted = tokio::select! {
            // Cancel safe: a connection is either accepted or still in the queue.
            () = shutdown.begun() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let (router, stopping) = (router.clone(), shutdown.clone());
                shutdown.spawn(async move {
                    serve_connection(stream, router, stopping).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a webhook connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    // Answers are small and urgent.
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn serve_connection(stream: TcpStream, router: Router, shutdown: Shutdown) {
    let wire = Arc::new(Wire::default());
    let router = router.layer(axum::Extension(Arc::clone(&wire)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(
            TokioIo::new(WatchedStream::new(stream, wire)),
            TowerToHyperService::new(router),
        );
    tokio::pin!(connection);
    let result = tokio::select! {
        // Dropping `begun` only stops waiting; the connection goes on below.
        result = &mut connection => result,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "webhook connection ended");
    }
}
