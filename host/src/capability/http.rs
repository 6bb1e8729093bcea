//! `wasi:http/outgoing-handler`: requests to the servers that the operator granted a plugin, and to no others.
//!
//! The host resolves, checks, dials and adds the headers that a plugin must not know; none of it happens on a guest's thread. A
//! redirect is an answer like any other: a plugin that follows it makes another request, which is checked like the first.

mod address;
mod body;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod grant;
mod headers;
mod limits;
mod no_answer;
mod outbound;
mod target;
mod told;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header;
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::Linker;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::ForbiddenHeaderFilter;
use wasmtime_wasi_http::RequestOptions;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::WasiHttpHooks;
use wasmtime_wasi_http::WasiHttpView;

use crate::capability::access::PluginId;
use crate::capability::context::CallContext;
use crate::capability::http::body::OutgoingBody;
use crate::capability::http::body::Received;
use crate::capability::http::exchange::Plan;
use crate::capability::http::exchange::exchange;
use crate::capability::http::headers::is_forbidden;
use crate::capability::http::limits::MAX_REQUEST_BYTES;
use crate::capability::http::no_answer::NoAnswer;
use crate::capability::http::target::Target;
use crate::capability::http::told::RequestSummary;
use crate::capability::http::told::Whole;
use crate::capability::interface::RequiredGrant;
use crate::capability::prepared::PreparedAnswer;
use crate::telemetry::events::PLUGIN_REQUEST_FAILED;
use crate::telemetry::events::PLUGIN_REQUEST_REFUSED;
use crate::telemetry::metrics;

pub use crate::capability::http::grant::Destinations;
pub use crate::capability::http::grant::HttpGrant;
pub use crate::capability::http::grant::HttpGrantError;
pub use crate::capability::http::outbound::Outbound;

pub const GRANT: RequiredGrant = RequiredGrant {
    interfaces: &["wasi:http/outgoing-handler"],
    refused: "requests over HTTP are",
    example: "http = [\"https://api.example.com/\"]",
    is_in: |grants| !grants.http.is_empty(),
};

/// Concurrent requests of one call. A plugin that needs more would answer too late.
const MAX_AT_ONCE: usize = 8;
/// Requests of one call, refused ones included, because each writes a log line.
const MAX_IN_A_CALL: usize = 64;
/// Bytes of headers that a plugin may assemble in the host's memory. Servers refuse more.
const MAX_FIELD_BYTES: usize = 16 << 10;
/// Bytes of a body's part that waits in the host's memory to be sent.
const CHUNK_BYTES: usize = 16 << 10;
/// Time before the end of a call at which its requests end, so that the plugin can still report the failure.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// Most bytes of an address that the log shows.
const MAX_SHOWN: usize = 256;

pub fn link<T: WasiHttpView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

/// Returns the limits on a request that a guest assembles.
pub fn limits() -> WasiHttpCtx {
    let mut limits = WasiHttpCtx::new();
    limits.set_field_size_limit(MAX_FIELD_BYTES);
    limits
}

/// The requests of one call. `wasi:http` borrows this from the state of the call, so it owns its copy of the context.
pub struct HttpCalls {
    context: CallContext,
    asked: usize,
    /// Absent until the first request.
    under_way: Option<UnderWay>,
}

struct UnderWay {
    places: Arc<Semaphore>,
    call: CancellationToken,
    /// Cancels the requests when the call ends, even if an instance that is reused still holds one.
    _end: DropGuard,
}

impl Default for UnderWay {
    fn default() -> Self {
        let call = CancellationToken::new();
        let places = Arc::new(Semaphore::new(MAX_AT_ONCE));
        Self { places, _end: call.clone().drop_guard(), call }
    }
}

impl HttpCalls {
    /// Creates the state of a call without requests. Requests run on the context's I/O threads, so that no socket is ever
    /// polled on a guest's thread.
    pub fn new(context: CallContext) -> Self {
        Self { context, asked: 0, under_way: None }
    }

    /// Checks everything that can be checked before the host name is resolved.
    fn admit(
        &mut self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Admitted, NoAnswer> {
        self.asked += 1;
        if self.asked > MAX_IN_A_CALL {
            return Err(NoAnswer::TooMany);
        }
        let note = Note::new(&self.context);
        let target = Target::of(request.uri()).map_err(|why| {
            note.refused("", &format!("it is no address to go to: {why}"));
            NoAnswer::Address
        })?;
        let shown = self.shown(&target);
        let destinations = &self.context.access.privileges.destinations;
        let Some(destination) = destinations.find(&target) else {
            let grant = toml::Value::from(shown.as_str());
            let write = format!("write http = [{grant}] under [grants] in its sidecar file");
            match self.context.prepared() {
                Some(prepared) => prepared.lacks(|| format!("{shown} is not granted: {write}")),
                None => note.refused(&shown, &format!("it is not granted: {write} if it shall be")),
            }
            return Err(NoAnswer::NotGranted);
        };
        // CONNECT opens a tunnel, and TRACE returns the headers that the host added.
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            note.refused(&shown, "CONNECT and TRACE are not sent");
            return Err(NoAnswer::Method);
        }
        if content_length(&request) > MAX_REQUEST_BYTES {
            return Err(NoAnswer::RequestTooLong);
        }
        if let Some(prepared) = self.context.prepared() {
            let PreparedAnswer { status, body } =
                prepared.http_answer(request.method().as_str(), &target.to_string());
            self.discard(request.into_body());
            return Ok(Admitted::Prepared(Whole::of(status, body)));
        }
        let outbound = self.context.privileges().map(|granted| granted.outbound.clone());
        let Some(Outbound::Network(tls)) = outbound else {
            note.refused(&shown, "it is granted, and not sent: this is only a try");
            return Err(NoAnswer::OnlyATry);
        };
        let request = as_sent(request, &target, &destination.headers)?;
        let under_way = self.under_way.get_or_insert_default();
        let plan = Plan {
            tls,
            target,
            addresses: destination.addresses,
            until: self.context.deadline.hard() - LAST_WORDS,
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between: options.between_bytes_timeout,
            call: under_way.call.clone(),
            places: [place(&under_way.places)?, place(&destinations.places())?],
        };
        let io = self.context.io.clone();
        Ok(Admitted::Live(Box::new(Asking { plan, request, note, shown, io })))
    }

    /// Reads the body of a request that is not sent, because a plugin's writing fails where nobody reads.
    fn discard(&self, body: WasiBody) {
        let (mut body, until) = (OutgoingBody::new(body), self.context.deadline.hard());
        self.context.io.spawn(tokio::time::timeout_at(until, async move {
            while let Some(Ok(_part)) = body.frame().await {}
        }));
    }

    /// Returns the target for the log: without the query, and without the secrets of the plugin's settings.
    fn shown(&self, target: &Target) -> String {
        let target = target.to_string();
        let shown = self.context.access.settings.without_secrets(&target);
        shown[..shown.floor_char_boundary(MAX_SHOWN)].to_owned()
    }
}

/// A request that passed the checks.
enum Admitted {
    /// It goes to its server.
    Live(Box<Asking>),
    /// A self-test has the answer.
    Prepared(Whole),
}

/// A request on its way to its server.
struct Asking {
    plan: Plan,
    request: Request<OutgoingBody>,
    note: Note,
    shown: String,
    io: Handle,
}

impl Asking {
    async fn send(self) -> Result<Response<Received>, NoAnswer> {
        let Self { plan, request, note, shown, io } = self;
        let asking = io.spawn(async move {
            let (began, call) = (Instant::now(), plan.call.clone());
            let answer = call.run_until_cancelled(exchange(plan, request)).await;
            let answer = answer.unwrap_or(Err(NoAnswer::NotInTime));
            note.ended(&shown, began, &answer);
            answer
        });
        AbortOnDropHandle::new(asking).await.map_err(|_stopping| NoAnswer::BrokeOff)?
    }
}

impl WasiHttpHooks for HttpCalls {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn set_host_header(&mut self) -> bool {
        // `as_sent` makes the header from the checked target.
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<SentResponse, Error>> + Send> {
        const CALL: &str = "outgoing-handler.handle";
        let tape = self.context.tape.clone();
        let asked = tape.asked(RequestSummary::of(&request));
        let admitted = match tape.is_playing() {
            true => Err(NoAnswer::NotAskedThen),
            false => self.admit(request, options.unwrap_or_default()),
        };
        Box::new(async move {
            let asking = match admitted {
                Ok(Admitted::Prepared(whole)) => return Ok((whole.into_answer()?, nothing_left())),
                Ok(Admitted::Live(asking)) => Ok(asking),
                Err(why) => Err(why),
            };
            let answer = if tape.is_verbatim() {
                let whole = async { Whole::read(asking?.send().await?).await };
                let answered = tape.through(CALL, asked, whole).await;
                answered.unwrap_or(Err(NoAnswer::NotAskedThen))?.into_answer()?
            } else {
                let answered = tape.timed(CALL, asking?.send()).await?;
                answered.map(|body| body.map_err(Error::from).boxed_unsync())
            };
            // The connection ends with the body, so there is nothing else to keep going.
            Ok((answer, nothing_left()))
        })
    }
}

/// A future that has to run until the body of an answer is complete.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;
/// An answer, and the rest of its exchange.
type SentResponse = (Response<WasiBody>, Rest);

fn nothing_left() -> Rest {
    Box::new(std::future::ready(Ok(())))
}

fn content_length(request: &Request<WasiBody>) -> u64 {
    let value = request.headers().get(header::CONTENT_LENGTH);
    value.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, NoAnswer> {
    Arc::clone(places).try_acquire_owned().map_err(|_none| NoAnswer::TooMany)
}

/// Returns the request as it goes over the wire. Headers that the host adds replace the plugin's headers of the same name.
fn as_sent(
    request: Request<WasiBody>,
    target: &Target,
    added: &[(HeaderName, HeaderValue)],
) -> Result<Request<OutgoingBody>, NoAnswer> {
    const USER_AGENT: HeaderValue =
        HeaderValue::from_static(concat!("aviary/", env!("CARGO_PKG_VERSION")));
    let (mut parts, body) = request.into_parts();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let uri = format!("{}{query}", target.path).parse();
    parts.uri = uri.map_err(|_invalid| NoAnswer::Address)?;
    let host = HeaderValue::try_from(target.authority());
    parts.headers.insert(header::HOST, host.map_err(|_invalid| NoAnswer::Address)?);
    parts.headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    for (name, value) in added {
        parts.headers.insert(name, value.clone());
    }
    Ok(Request::from_parts(parts, OutgoingBody::new(body)))
}

/// Writes the log lines and metrics of a request.
struct Note {
    id: PluginId,
    event_id: String,
}

impl Note {
    fn new(context: &CallContext) -> Self {
        Self { id: context.access.id.clone(), event_id: context.event_id().to_owned() }
    }

    fn refused(&self, url: &str, reason: &str) {
        let Self { id: PluginId { app, name: plugin, version }, event_id } = self;
        tracing::warn!(%app, %plugin, %version, %event_id, url, reason, "{PLUGIN_REQUEST_REFUSED}");
        metrics::record_plugin_request(app, plugin, "refused");
    }

    fn ended<T>(&self, url: &str, began: Instant, answer: &Result<Response<T>, NoAnswer>) {
        let Self { id: PluginId { app, name: plugin, version }, event_id } = self;
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::debug!(%app, %plugin, %version, %event_id, url, status, ms, "plugin: request");
                metrics::record_plugin_request(app, plugin, "answered");
            }
            Err(NoAnswer::NotPublic) => {
                let grant = toml::Value::from(url);
                self.refused(url, &format!("its address is not public: write http = [{{ url = {grant}, private_addresses = true }}] under [grants] in its sidecar file if it is meant to be near"));
            }
            Err(reason) => {
                tracing::warn!(%app, %plugin, %version, %event_id, url, %reason, ms, "{PLUGIN_REQUEST_FAILED}");
                metrics::record_plugin_request(app, plugin, "failed");
            }
        }
    }
}
