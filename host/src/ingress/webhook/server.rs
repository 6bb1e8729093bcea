//! The host's own listener: accepts connections, a bounded number of them, with or without TLS, and lets go of them when
//! the host stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::ingress::webhook::WebhookConfig;
use crate::ingress::webhook::respond;
use crate::ingress::webhook::wire::WatchedStream;
use crate::ingress::webhook::wire::Wire;
use crate::shutdown::Shutdown;

/// Pause after a failed accept, most often for want of file descriptors: trying at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The least that the HTTP library wants for its buffer. Beyond it and twice the largest head it gives up by itself,
/// with a bare 431; up to there the router answers in words.
const LEAST_BUFFER: usize = 8192;

/// Serves the router until the host stops, then finishes what is under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: WebhookConfig,
    tls: Option<Arc<ServerConfig>>,
    shutdown: Shutdown,
) {
    let router = router
        .fallback(respond::not_found)
        .method_not_allowed_fallback(respond::method_not_allowed);
    let server = Arc::new(Server { router, tls: tls.map(TlsAcceptor::from), config });
    let places = Arc::new(Semaphore::new(server.config.max_connections));
    loop {
        let accepted = tokio::select! {
            // Cancel safe: a connection is either accepted or still in the queue.
            () = shutdown.begun() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let (server, stopping) = (Arc::clone(&server), shutdown.clone());
                shutdown.spawn(async move {
                    server.welcome(stream, peer, stopping).await;
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
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers are small and urgent.
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

struct Server {
    router: Router,
    tls: Option<TlsAcceptor>,
    config: WebhookConfig,
}

impl Server {
    async fn welcome(&self, stream: TcpStream, peer: SocketAddr, shutdown: Shutdown) {
        let Some(tls) = &self.tls else { return self.converse(stream, peer, shutdown).await };
        match tokio::time::timeout(self.config.header_timeout(), tls.accept(stream)).await {
            Ok(Ok(stream)) => self.converse(stream, peer, shutdown).await,
            Ok(Err(error)) => tracing::debug!(%error, %peer, "a webhook connection began no TLS"),
            Err(_elapsed) => tracing::debug!(%peer, "a webhook connection was slow to begin TLS"),
        }
    }

    async fn converse<S>(&self, stream: S, peer: SocketAddr, shutdown: Shutdown)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let wire = Arc::new(Wire::default());
        let router = TowerToHyperService::new(self.router.clone());
        let of_this_connection = Arc::clone(&wire);
        // A layer of the router would be copied with it for every request.
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&of_this_connection));
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout())
            .max_buf_size(LEAST_BUFFER + 2 * self.config.max_header_bytes)
            .serve_connection(TokioIo::new(WatchedStream::new(stream, wire)), service);
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
}
