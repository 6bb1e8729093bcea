//! An OpenTelemetry collector on loopback: receives traces over HTTP, decodes them with the protocol's own types, and misbehaves
//! on request.

use aviary_state::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::eventually::eventually;
use anyhow::Context as _;
use anyhow::ensure;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

/// The collector's reaction to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Accepts every request with status 200.
    Takes,
    /// Answers every request with status 503.
    Refuses,
    /// Reads it and never answers.
    Hangs,
}

/// One request of the host.
#[derive(Clone, Debug)]
pub struct Export {
    /// Method and path of the request.
    pub line: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The decoded body of the request.
    pub body: ExportTraceServiceRequest,
}

impl Export {
    /// Returns all spans of the request.
    pub fn spans(&self) -> Vec<Span> {
        let scopes = self.body.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

/// A running collector. Stops when dropped.
pub struct Collector {
    address: SocketAddr,
    exports: Arc<Mutex<Vec<Export>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Collector {
    /// Listens on a port of the system's choice.
    pub async fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let exports = Arc::<Mutex<Vec<Export>>>::default();
        let shared = Arc::clone(&exports);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let exports = Arc::clone(&shared);
                // The host ends its connections itself; what it sent is in `exports`.
                tokio::spawn(async move { drop(serve(stream, manner, &exports).await) });
            }
        });
        Ok(Self { address, exports, serving })
    }

    /// Returns the value for `[trace] otlp`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests received so far.
    pub fn exports(&self) -> Vec<Export> {
        self.exports.lock().clone()
    }

    /// Waits for the trace of an event, and returns its spans with the root first.
    pub async fn trace(&self, event_id: &str) -> anyhow::Result<Vec<Span>> {
        eventually(&format!("the trace of {event_id}"), async || {
            let mut spans: Vec<_> = self.exports().iter().flat_map(Export::spans).collect();
            let root = spans.iter().find(|span| text(span, "aviary.event_id") == event_id);
            let Some(trace_id) = root.map(|root| root.trace_id.clone()) else { return Ok(None) };
            spans.retain(|span| span.trace_id == trace_id);
            Ok(Some(spans))
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns an attribute of a span as text: numbers as digits, an absent attribute as an empty text.
pub fn text(span: &Span, key: &str) -> String {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
    match attribute.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        _ => String::new(),
    }
}

async fn serve(
    stream: TcpStream,
    manner: Manner,
    exports: &Mutex<Vec<Export>>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            ensure!(stream.read_line(&mut line).await? > 0, "the host has hung up");
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let headers = head.iter().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: Vec<_> = headers.collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.context("a length")?.1.parse()?];
        stream.read_exact(&mut body).await?;
        let line = head.first().context("a request line")?.clone();
        let body = ExportTraceServiceRequest::decode(&*body)?;
        let export = Export { line, headers, body };
        exports.lock().push(export);
        match manner {
            Manner::Takes => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?
            }
            Manner::Refuses => {
                let busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(busy).await?;
            }
            Manner::Hangs => std::future::pending().await,
        }
    }
}
