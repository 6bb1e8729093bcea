//! A platform that sends exactly the bytes a test gives it and keeps exactly the bytes it receives. For everything else there is
//! the simulator.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::bail;
use aviary_state::Mutex;
use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::PATIENCE;

/// Service id of the captured frames.
pub const SERVICE_ID: i32 = 33_554_678;
/// Maximum of pending connections, more than any test opens.
const BACKLOG: u32 = 16;
/// Receive buffer in bytes, which fills while a test does not read.
const RECEIVE_BUFFER: u32 = 64 * 1024;
/// Maximum bytes of a request; a discovery request has a few hundred.
const LARGEST_REQUEST: usize = 64 * 1024;

/// The platform's address, and the connections that were opened to it.
pub struct Wire {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: mpsc::Receiver<WireConnection>,
    serving: tokio::task::JoinHandle<()>,
}

impl Wire {
    /// Listens on a port of the system's choice.
    pub async fn start() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // A small receive buffer fills quickly, so the host soon notices that the test does not read.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let requests = Arc::default();
        let (opened, connections) = mpsc::channel(BACKLOG as usize);
        let serving = tokio::spawn(serve(listener, Arc::clone(&requests), opened));
        Ok(Self { address, requests, connections, serving })
    }

    /// Returns the value for the host's `domain`.
    pub fn domain(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the discovery requests so far, head and body.
    pub fn discoveries(&self) -> Vec<String> {
        let discovery = |request: &String| request.starts_with("POST /callback/ws/endpoint ");
        self.requests().into_iter().filter(discovery).collect()
    }

    /// Returns all HTTP requests so far, head and body. Each was answered as a discovery request.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }

    /// Waits for the next connection of the host.
    pub async fn connection(&mut self) -> anyhow::Result<WireConnection> {
        let next = tokio::time::timeout(PATIENCE, self.connections.recv()).await;
        next.context("the host does not connect")?.context("the platform stopped")
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The platform's side of a WebSocket.
pub struct WireConnection {
    socket: WebSocketStream<TcpStream>,
}

impl WireConnection {
    /// Sends one binary message.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::Binary(bytes.into())).await?)
    }

    /// Sends one text message, which the protocol does not know.
    pub async fn send_text(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// Waits for the next binary message.
    pub async fn receive(&mut self) -> anyhow::Result<Bytes> {
        match self.receive_within(PATIENCE).await? {
            Some(bytes) => Ok(bytes),
            None => bail!("the host sent nothing within {PATIENCE:?}"),
        }
    }

    /// Waits for the next binary message; `None` if none comes within that time.
    pub async fn receive_within(&mut self, time: Duration) -> anyhow::Result<Option<Bytes>> {
        let next = async {
            loop {
                match self.socket.next().await.context("the host closed the connection")?? {
                    Message::Binary(bytes) => return anyhow::Ok(bytes),
                    Message::Close(frame) => bail!("the host closed the connection: {frame:?}"),
                    Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                }
            }
        };
        match tokio::time::timeout(time, next).await {
            Ok(received) => received.map(Some),
            Err(_) => Ok(None),
        }
    }
}

async fn serve(
    listener: TcpListener,
    requests: Arc<Mutex<Vec<String>>>,
    opened: mpsc::Sender<WireConnection>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        // Broken connections are ignored here; a test that needs the connection waits for it and fails.
        let _ = accept(stream, &listener, &requests, &opened).await;
    }
}

async fn accept(
    mut stream: TcpStream,
    listener: &TcpListener,
    requests: &Mutex<Vec<String>>,
    opened: &mpsc::Sender<WireConnection>,
) -> anyhow::Result<()> {
    let mut first = [0; 1];
    stream.peek(&mut first).await?;
    if &first == b"G" {
        let socket = tokio_tungstenite::accept_async(stream).await?;
        return opened
            .send(WireConnection { socket })
            .await
            .context("nobody waits for connections");
    }
    let request = read_request(&mut stream).await?;
    requests.lock().push(request);
    let body = json!({
        "code": 0,
        "msg": "",
        "data": {
            "URL": format!("ws://{}/ws/v2?fpid=493&device_id=7441873153905737730&service_id={SERVICE_ID}&ticket=t", listener.local_addr()?),
            "ClientConfig": { "ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 120 },
        },
    })
    .to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await?;
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&request);
        let expected =
            text.split_once("\r\n\r\n").map(|(head, body)| (content_length(head), body.len()));
        match expected {
            Some((expected, found)) if found >= expected => return Ok(text.into_owned()),
            _ if length == 0 || request.len() > LARGEST_REQUEST => {
                bail!("the request is not complete: {text}")
            }
            _ => {}
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
