//! The server. It bounds what a connection may use up before anything is believed: its place, its time, and the memory of its
//! head.
//!
//! | what | limit |
//! |---|---|
//! | TLS, and each head, counted from when it is waited for, which also ends idle connections | [`Limits::header_timeout`] |
//! | a request, from its first byte to its last | [`Limits::body_timeout`] |
//! | an answer that is not read | ten seconds for each 64 KiB |
//! | connections, of all clients and of one | [`Limits::max_connections`], [`Limits::max_connections_per_client`] |
//!
//! A newcomer beyond the number of connections takes the place of the connection that has waited for its client longest, and
//! a newcomer beyond the number for its client that of a connection of this client.

mod bodies;
mod places;
mod wire;

pub use crate::server::wire::Wire;

use std::io;
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
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::server::bodies::ArrivingBody;
use crate::server::bodies::LeavingBody;
use crate::server::places::Client;
use crate::server::places::NoPlace;
use crate::server::places::Place;
use crate::server::places::Places;
use crate::server::wire::WRITE_TIMEOUT;
use crate::server::wire::WatchedStream;

/// The message of the log line about connections that could not be accepted.
pub const ACCEPT_FAILED: &str = "server: cannot accept a connection";
/// The message of the log line about idle connections that were closed to make room.
pub const CONNECTION_LIMIT_REACHED: &str =
    "server: connection limit reached, closed the connection that was idle longest";

/// Pause after a failed accept, most often for want of file descriptors: trying at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Pause after a failed accept for which a connection was closed: its file descriptor is free as soon as its task has noticed.
const ROOM_PAUSE: Duration = Duration::from_millis(2);
/// Interval at which a newcomer checks for an answer that has taken so long that its place may be taken.
const PLACE_LOOK: Duration = Duration::from_millis(100);
/// Time between log lines about the same trouble: a flood of connections must not become a flood of lines.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Smallest buffer that the HTTP library accepts, in bytes. Beyond it and twice the largest head the library gives up by itself,
/// with a bare 431; up to there the router answers in words.
const LEAST_BUFFER: usize = 8192;

/// Limits on what a connection may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for TLS, and for each head.
    pub header_timeout: Duration,
    /// Time from a request's first byte to its last.
    pub body_timeout: Duration,
    /// The largest head, in bytes.
    pub max_header_bytes: usize,
    /// Connections that may be open at once.
    pub max_connections: usize,
    /// Connections that may be open at once from one address, or from one IPv6 network of 64 bits; `None` where one address
    /// stands for many clients.
    pub max_connections_per_client: Option<usize>,
}

impl Limits {
    /// Limits of ports that people and their tools ask, on this machine or a few of them elsewhere. All are generous for a
    /// browser, which has six connections to a server.
    pub const FOR_PEOPLE: Self = Self {
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(10),
        max_header_bytes: 64 << 10,
        max_connections: 256,
        max_connections_per_client: Some(128),
    };
}

/// The fate of open connections when a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Requests that are under way are finished.
    Finish,
    /// Every connection is cut.
    Cut,
}

/// A server before it serves.
pub struct HttpServer {
    /// Name of the server in the log.
    pub name: &'static str,
    /// Router that answers the requests.
    pub router: Router,
    /// Certificate and key; with them the server speaks HTTPS and nothing else.
    pub tls: Option<Arc<ServerConfig>>,
    /// Limits on what a connection may use up.
    pub limits: Limits,
    /// Token that stops the server.
    pub stop: CancellationToken,
    /// Tracker that the connections' tasks run in.
    pub tasks: TaskTracker,
    /// The fate of open connections when the server stops.
    pub ending: Ending,
}

impl HttpServer {
    /// Serves until it is stopped. The connections go on in `tasks` for as long as their ending allows.
    pub async fn serve(self, listener: TcpListener) {
        let places =
            Places::new(self.limits.max_connections, self.limits.max_connections_per_client);
        let (stop, tasks, name) = (self.stop.clone(), self.tasks.clone(), self.name);
        let acceptor = self.tls.clone().map(TlsAcceptor::from);
        let server = Arc::new(Connected { server: self, tls: acceptor });
        let mut full = Repeated::default();
        let mut failing = Repeated::default();
        // Cancel safe: a connection is either accepted or still in the queue, and one without a place is closed.
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_the_client_s(&error) => continue,
                Err(error) => {
                    let made_room = places.make_room(Instant::now());
                    failing.tell(|times| {
                        tracing::warn!(%error, times, made_room, what = name, "{ACCEPT_FAILED}");
                    });
                    let pause = if made_room { ROOM_PAUSE } else { ACCEPT_PAUSE };
                    stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                    continue;
                }
            };
            // Answers are small and urgent. If the option cannot be set, they are only slower.
            let _ = stream.set_nodelay(true);
            let wire = Arc::new(Wire::new(Instant::now()));
            let taking = take(&places, Client::of(peer.ip()), &wire);
            let Some(taken) = stop.run_until_cancelled(taking).await else { return };
            let Some((place, took)) = taken else {
                tracing::debug!(%peer, what = name, "closed: this client has all the connections it may have");
                continue;
            };
            if took {
                full.tell(|times| {
                    tracing::warn!(times, what = name, "{CONNECTION_LIMIT_REACHED}");
                });
            }
            let server = Arc::clone(&server);
            tasks.spawn(async move { server.hold(stream, peer, wire, place).await });
        }
    }
}

/// Returns a place for a newcomer, and true if it was taken from another connection. `None` where this client has all the
/// connections that it may have and all of them are busy.
async fn take(places: &Arc<Places>, client: Client, wire: &Arc<Wire>) -> Option<(Place, bool)> {
    loop {
        match places.take(client, wire, Instant::now()) {
            Ok(taken) => return Some(taken),
            Err(NoPlace::ClientBusy) => return None,
            Err(NoPlace::AllBusy) => {
                // After a time-out too there may be a place now.
                let _ = tokio::time::timeout(PLACE_LOOK, places.freed()).await;
            }
        }
    }
}

/// Returns true if the client was gone before its connection was accepted, which says nothing about this machine.
fn is_the_client_s(error: &io::Error) -> bool {
    use io::ErrorKind::ConnectionAborted;
    use io::ErrorKind::ConnectionReset;
    use io::ErrorKind::Interrupted;
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// Something that happens again and again, and is logged now and then.
#[derive(Default)]
struct Repeated {
    times: u64,
    told: Option<Instant>,
}

impl Repeated {
    fn tell(&mut self, tell: impl FnOnce(u64)) {
        self.times += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            tell(std::mem::take(&mut self.times));
            self.told = Some(Instant::now());
        }
    }
}

struct Connected {
    server: HttpServer,
    tls: Option<TlsAcceptor>,
}

impl Connected {
    /// Serves a connection until it ends, or until another one gets its place.
    async fn hold(&self, stream: TcpStream, peer: SocketAddr, wire: Arc<Wire>, place: Place) {
        tokio::select! {
            // All are dropped together.
            () = self.welcome(stream, peer, wire) => {}
            () = self.server.stop.cancelled(), if self.server.ending == Ending::Cut => {}
            () = place.lost() => {
                tracing::debug!(%peer, what = self.server.name, "closed: it was idle longest when there was no place left");
            }
        }
    }

    async fn welcome(&self, stream: TcpStream, peer: SocketAddr, wire: Arc<Wire>) {
        let Some(tls) = &self.tls else { return self.converse(stream, peer, wire).await };
        let what = self.server.name;
        match tokio::time::timeout(self.server.limits.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.converse(stream, peer, wire).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, %peer, what, "server: connection closed before TLS began")
            }
            Err(_elapsed) => tracing::debug!(%peer, what, "server: TLS handshake timed out"),
        }
    }

    async fn converse<S>(&self, stream: S, peer: SocketAddr, wire: Arc<Wire>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let HttpServer { router, limits, stop, name, .. } = &self.server;
        let router = TowerToHyperService::new(router.clone());
        let (of_this_connection, body_timeout) = (Arc::clone(&wire), limits.body_timeout);
        // A layer of the router would be copied with it for every request.
        let service = service_fn(move |mut request: Request<Incoming>| {
            let wire = Arc::clone(&of_this_connection);
            request.extensions_mut().insert(Arc::clone(&wire));
            request.extensions_mut().insert(ConnectInfo(peer));
            let request =
                request.map(|body| ArrivingBody::new(body, Arc::clone(&wire), body_timeout));
            let answer = router.call(request);
            async move {
                Ok::<_, std::convert::Infallible>(
                    answer.await?.map(|body| LeavingBody::new(body, wire)),
                )
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(LEAST_BUFFER + 2 * limits.max_header_bytes)
            .serve_connection(
                TokioIo::new(WatchedStream::new(stream, wire, WRITE_TIMEOUT)),
                service,
            )
            .with_upgrades();
        tokio::pin!(connection);
        let result = tokio::select! {
            // Dropping `cancelled` only stops waiting; the connection goes on below.
            result = &mut connection => result,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, what = name, "server: connection broke off");
        }
    }
}
