//! An HTTP client that can misbehave: exact bytes, any header, bodies that never end. One request per connection.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

use crate::PATIENCE;

/// Maximum bytes of an answer, far more than the host ever sends.
const LARGEST_RESPONSE: u64 = 16 * 1024 * 1024;

/// A request, with no check that it is valid.
#[derive(Clone, Debug)]
pub struct Request {
    /// HTTP method, such as `GET`.
    pub method: &'static str,
    /// The path, with the query.
    pub path: String,
    /// Headers in the order in which they are sent. `Content-Length` and `Connection` are added, and `Host` unless it is there.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body.
    pub body: Bytes,
}

impl Request {
    /// A request without a body.
    pub fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    /// A `POST` request with a JSON content type, as the platform sends it. The body need not be JSON.
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        let headers =
            vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { method: "POST", path: path.to_owned(), headers, body: body.into() }
    }

    /// Adds a header to the request.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sends the request, and waits for the whole answer.
    pub async fn send(&self, to: SocketAddr) -> anyhow::Result<Response> {
        self.send_over(to, TcpStream::connect(to)).await
    }

    /// Sends the request from that address of this machine, and waits for the whole answer.
    pub async fn send_from(&self, from: IpAddr, to: SocketAddr) -> anyhow::Result<Response> {
        self.send_over(to, connect_from(from, to)).await
    }

    async fn send_over(
        &self,
        to: SocketAddr,
        connecting: impl Future<Output = std::io::Result<TcpStream>>,
    ) -> anyhow::Result<Response> {
        let started = Instant::now();
        let exchange = async {
            let stream = connecting.await.context("cannot connect")?;
            let (mut reader, mut writer) = stream.into_split();
            let mut received = Vec::new();
            let write = async {
                // A server that refuses early closes the connection during this write; its answer still counts.
                let _ = writer.write_all(self.head(to).as_bytes()).await;
                let _ = writer.write_all(&self.body).await;
                std::future::pending::<()>().await;
            };
            let read = async {
                let read = (&mut reader).take(LARGEST_RESPONSE).read_to_end(&mut received).await;
                // After an early refusal of a large body the connection is reset behind a complete answer.
                match read {
                    Err(error) if received.is_empty() => {
                        Err(anyhow::Error::new(error).context("no answer"))
                    }
                    _ => Ok(()),
                }
            };
            tokio::select! {
                () = write => {}
                result = read => result?,
            }
            Response::parse(&received, started.elapsed())
        };
        tokio::time::timeout(PATIENCE, exchange).await.with_context(|| {
            format!("no answer to {} {} within {PATIENCE:?}", self.method, self.path)
        })?
    }

    fn head(&self, to: SocketAddr) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name == "Host") {
            head += &format!("Host: {to}\r\n");
        }
        if self.method != "GET" {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}

/// Connects from that address of this machine: loopback has many, and a limit for one client counts each by itself.
pub async fn connect_from(from: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

/// An answer that was received completely.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status code.
    pub status: u16,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its transfer encoding.
    pub body: Bytes,
    /// Time from before the connection was opened until the last byte.
    pub elapsed: Duration,
}

impl Response {
    /// Parses the bytes of one answer.
    pub fn parse(bytes: &[u8], elapsed: Duration) -> anyhow::Result<Self> {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .context("the answer has no end of head")?;
        let head = std::str::from_utf8(&bytes[..end]).context("the head is not UTF-8")?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .context("no status line")?
            .parse()?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = &bytes[end + 4..];
        let chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if chunked { dechunk(body)? } else { body.to_vec() };
        Ok(Self { status, headers, body: body.into(), elapsed })
    }

    /// Returns a header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Parses the body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| {
            format!("the body is not JSON: {:?}", String::from_utf8_lossy(&self.body))
        })
    }

    /// Returns the text at a JSON pointer, empty if there is none.
    pub fn text_at(&self, pointer: &str) -> String {
        let json = self.json().unwrap_or_default();
        json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// Returns the text of the toast in the answer.
    pub fn toast(&self) -> String {
        self.text_at("/toast/content")
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn dechunk(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .context("a chunk has no size line")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end])?, 16)
            .context("a chunk size is not hex")?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(end + 2..end + 2 + size).context("a chunk is cut short")?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).context("a chunk is cut short")?;
    }
}
