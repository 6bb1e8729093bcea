//! One request on a connection of its own. The address that was checked is the address that is dialled.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::Response;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Host;

use crate::capability::http::address::is_public;
use crate::capability::http::body::OutgoingBody;
use crate::capability::http::body::Patience;
use crate::capability::http::body::Received;
use crate::capability::http::grant::Addresses;
use crate::capability::http::limits::MAX_RESPONSE_BYTES;
use crate::capability::http::no_answer::NoAnswer;
use crate::capability::http::target::Scheme;
use crate::capability::http::target::Target;

/// Most bytes of a response's head, as much as servers and proxies usually send.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;
/// How long to wait for one of several addresses before the next is tried: long enough for the other side of the world.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(500);

/// Everything that a request needs besides itself.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tls: Arc<ClientConfig>,
    pub(super) target: Target,
    pub(super) addresses: Addresses,
    pub(super) until: Instant,
    pub(super) connect: Option<Duration>,
    pub(super) first_byte: Option<Duration>,
    pub(super) between: Option<Duration>,
    /// Cancelled when the call ends; its requests end too.
    pub(super) call: CancellationToken,
    pub(super) places: [OwnedSemaphorePermit; 2],
}

impl Plan {
    fn by(&self, at_most: Option<Duration>) -> Instant {
        // A plugin may set any 64-bit number of nanoseconds, so the addition is checked.
        let wanted = at_most.and_then(|at_most| Instant::now().checked_add(at_most));
        wanted.map_or(self.until, |wanted| wanted.min(self.until))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Sends the request, and returns as soon as the head of the response is there.
pub(super) async fn exchange(
    plan: Plan,
    request: Request<OutgoingBody>,
) -> Result<Response<Received>, NoAnswer> {
    let connecting = timeout_at(plan.by(plan.connect), connect(&plan));
    let stream = connecting.await.map_err(|_elapsed| NoAnswer::NoConnectionInTime)??;
    let mut client = http1::Builder::new();
    client.max_buf_size(MAX_HEAD_BYTES);
    let (mut sender, connection) =
        client.handshake(TokioIo::new(stream)).await.map_err(|error| NoAnswer::from(&error))?;
    let call = plan.call.clone();
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // The caller that waits for the response gets the error.
        let _ = call.run_until_cancelled(connection).await;
    }));
    let asking = timeout_at(plan.by(plan.first_byte), sender.send_request(request));
    let response = asking.await.map_err(|_elapsed| NoAnswer::NotInTime)?;
    let response = response.map_err(|error| NoAnswer::from(&error))?;
    let announced = hyper::body::Body::size_hint(response.body()).lower();
    if announced > MAX_RESPONSE_BYTES {
        return Err(NoAnswer::ResponseTooLong(Some(announced)));
    }
    let patience = Patience { until: plan.until, between: plan.between };
    Ok(response.map(|body| Received::new(body, patience, connection, plan.places)))
}

async fn connect(plan: &Plan) -> Result<Box<dyn Stream>, NoAnswer> {
    let addresses = resolve(&plan.target).await?;
    let allowed = |address: &SocketAddr| {
        plan.addresses == Addresses::Any || is_public(address.ip().to_canonical())
    };
    let allowed: Vec<_> = addresses.into_iter().filter(allowed).take(MAX_ADDRESSES).collect();
    let stream = dial(&allowed).await?;
    // Disables Nagle's algorithm, because requests are small and a call waits for each; a failure does no harm.
    let _ = stream.set_nodelay(true);
    if plan.target.scheme == Scheme::Http {
        return Ok(Box::new(stream));
    }
    let name = match &plan.target.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| NoAnswer::Name)?,
        Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
    };
    let connector = TlsConnector::from(Arc::clone(&plan.tls));
    let stream = connector.connect(name, stream).await.map_err(|error| from_tls(&error))?;
    Ok(Box::new(stream))
}

/// Resolves the host name once, for the check and for dialling: a second lookup could give another address.
async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, NoAnswer> {
    let port = target.port;
    match &target.host {
        Host::Domain(name) => {
            let found = tokio::net::lookup_host((name.as_str(), port)).await;
            Ok(found.map_err(|_| NoAnswer::Name)?.collect())
        }
        Host::Ipv4(address) => Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => Ok(vec![SocketAddr::from((*address, port))]),
    }
}

/// Tries the addresses one after the other, in the order of the resolver.
async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, NoAnswer> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(NoAnswer::NotPublic);
    };
    for address in others {
        let dialling = TcpStream::connect(address);
        if let Ok(Ok(stream)) = tokio::time::timeout(NEXT_ADDRESS_AFTER, dialling).await {
            return Ok(stream);
        }
    }
    TcpStream::connect(last).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => NoAnswer::Refused,
        std::io::ErrorKind::TimedOut => NoAnswer::NoConnectionInTime,
        _ => NoAnswer::Unreachable,
    })
}

fn from_tls(error: &std::io::Error) -> NoAnswer {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => NoAnswer::Certificate,
        _ => NoAnswer::Tls,
    }
}
