//! An HTTP proxy on loopback, like those of companies: it tunnels, forwards, and may require credentials.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_state::Mutex;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

/// Maximum bytes of a request's head; a real one has some hundred.
const LARGEST_HEAD: usize = 64 * 1024;

/// A running HTTP proxy.
pub struct TestProxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl TestProxy {
    /// Listens on a port that the system assigns. With `wanted`, it refuses requests with another `Proxy-Authorization`.
    pub async fn start(wanted: Option<&'static str>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&seen), wanted));
        Ok(Self { address, seen, serving })
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the request lines so far.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<String>>>, wanted: Option<&'static str>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        // Broken connections are ignored here; a test that needs the connection fails by itself.
        tokio::spawn(async move { drop(pass_on(stream, &seen, wanted).await) });
    }
}

async fn pass_on(
    mut client: TcpStream,
    seen: &Mutex<Vec<String>>,
    wanted: Option<&str>,
) -> anyhow::Result<()> {
    let head = read_head(&mut client).await?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    seen.lock().push(line.clone());
    let shown = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
        .map(|(_, value)| value);
    if wanted.is_some() && shown != wanted {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return Ok(client.write_all(refusal.as_bytes()).await?);
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if method == "CONNECT" {
        let mut server = TcpStream::connect(target).await?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    // The server must understand the address of a forwarded request, which is an absolute URL.
    let host = target.strip_prefix("http://").context("not for a proxy")?.split('/').next();
    let mut server = TcpStream::connect(host.unwrap_or_default()).await?;
    server.write_all(head.as_bytes()).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

async fn read_head(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < LARGEST_HEAD, "a head without an end");
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}
