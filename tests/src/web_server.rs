//! Another party's web server, on loopback, for plugins that send HTTP requests. It records every request, and misbehaves if the
//! path says so.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_state::Mutex;
use rustls::ServerConfig;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::eventually::eventually_is;

/// Maximum bytes of a request's head; a real one has some hundred.
const LARGEST_HEAD: usize = 64 * 1024;
/// Bytes of each chunk of an endless body.
const ENDLESS_PART: usize = 64 * 1024;

/// Body of the answer to `/login`, with credentials in several places and spellings.
pub const LOGIN: &str = r#"{"accessToken":"s3cr3t-20","data":{"id_token":"s3cr3t-21","Password":"s3cr3t/22","expires_in":7200},"page":"<a href='https://a.example/?api_key=s3cr3t-23#access_token=s3cr3t-24'>say Bearer s3cr3t-25</a>"}"#;
/// Cookie of the answer to `/login`.
pub const COOKIE: &str = "sid=s3cr3t-26; Path=/; HttpOnly";

/// One request of a plugin.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path with query.
    pub line: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// Returns all values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).collect()
    }
}

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    asked: Vec<Asked>,
    hung_up: usize,
}

/// A running server. The path selects the answer: `/silent` none, `/halting` half of one, `/endless` an endless body,
/// `/announced` only the announcement of an endless body, `/elsewhere?` a redirect to the address behind it; `.html` is a page
/// whose title is its name; `/login` gives [`LOGIN`] and [`COOKIE`]; `/echo` repeats the `Authorization` header; all others get
/// `this is` and the path.
pub struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    serving: tokio::task::JoinHandle<()>,
}

impl WebServer {
    /// Listens on a port that the system assigns.
    pub async fn start() -> anyhow::Result<Self> {
        Self::listen(None).await
    }

    /// Listens on a port that the system assigns, with TLS.
    pub async fn over_tls(config: Arc<ServerConfig>) -> anyhow::Result<Self> {
        Self::listen(Some(config.into())).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Mutex<Seen>>::default();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::clone(&seen);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                note(&shared, |seen| seen.connections += 1);
                let (seen, tls) = (Arc::clone(&shared), tls.clone());
                // Broken connections are ignored here; a test that needs the connection fails by itself.
                tokio::spawn(async move {
                    match tls {
                        None => drop(serve(stream, &seen).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(serve(stream, &seen).await);
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { scheme, address, seen, serving })
    }

    /// Returns the URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        note(&self.seen, |seen| seen.asked.clone())
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        note(&self.seen, |seen| seen.connections)
    }

    /// Waits until that many clients have hung up before they had an answer.
    pub async fn wait_hung_up(&self, count: usize) -> anyhow::Result<()> {
        let enough = async || Ok(note(&self.seen, |seen| seen.hung_up) >= count);
        eventually_is(&format!("{count} connections are hung up"), enough).await
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn note<T>(seen: &Mutex<Seen>, what: impl FnOnce(&mut Seen) -> T) -> T {
    what(&mut seen.lock())
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Mutex<Seen>,
) -> anyhow::Result<()> {
    let head = head(&mut stream).await?;
    let mut lines = head.split("\r\n");
    let line = lines.next().and_then(|line| line.strip_suffix(" HTTP/1.1"));
    let line = line.context("a request line")?.to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let asked = Asked { line, headers: headers.collect() };
    note(seen, |seen| seen.asked.push(asked.clone()));
    let plain =
        |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = if let Some((_, to)) = path.split_once("/elsewhere?") {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    } else if path.ends_with("/silent") {
        String::new()
    } else if path.ends_with("/halting") {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_owned()
    } else if path.ends_with("/announced") {
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n".to_owned()
    } else if path.ends_with("/endless") {
        "HTTP/1.1 200 OK\r\n\r\n".to_owned()
    } else if path.split('?').next().is_some_and(|path| path.ends_with("/login")) {
        let length = LOGIN.len();
        format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: {COOKIE}\r\nContent-Length: {length}\r\n\r\n{LOGIN}"
        )
    } else if path.ends_with("/echo") {
        plain(&asked.all("authorization").join(", "))
    } else if let Some(name) = path.strip_suffix(".html") {
        plain(&format!("<html><head><title>\n {name} &amp; more </title></head></html>"))
    } else {
        plain(&format!("this is {path}"))
    };
    stream.write_all(answer.as_bytes()).await?;
    if path.ends_with("/endless") {
        let part = vec![b'x'; ENDLESS_PART];
        while stream.write_all(&part).await.is_ok() {}
    } else if matches!(path.rsplit('/').next(), Some("silent" | "halting" | "announced")) {
        until_nobody_is_there(&mut stream).await;
    } else {
        stream.shutdown().await?;
        // Closing a socket with unread bytes sends a reset, which may overtake the answer.
        until_nobody_is_there(&mut stream).await;
        return Ok(());
    }
    note(seen, |seen| seen.hung_up += 1);
    Ok(())
}

async fn until_nobody_is_there(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// Reads up to the empty line. The body stays unread: no answer of this server depends on it.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < LARGEST_HEAD, "a head without an end");
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}
