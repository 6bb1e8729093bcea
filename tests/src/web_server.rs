//! Somebody else's web server, on loopback: what a plugin asks over HTTP. It writes down who asks for what, and misbehaves
//! where the path says so.

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

/// The head of a request has some hundred bytes.
const LARGEST_HEAD: usize = 64 * 1024;
/// One of the parts of a body that does not end.
const ENDLESS_PART: usize = 64 * 1024;

/// The body of an answer to whoever logs in, with credentials in several places and spellings.
pub const LOGIN: &str = r#"{"accessToken":"s3cr3t-20","data":{"id_token":"s3cr3t-21","Password":"s3cr3t/22","expires_in":7200},"page":"<a href='https://a.example/?api_key=s3cr3t-23#access_token=s3cr3t-24'>say Bearer s3cr3t-25</a>"}"#;
/// A cookie of that answer.
pub const COOKIE: &str = "sid=s3cr3t-26; Path=/; HttpOnly";

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path with query.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// All values of a header.
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

/// A running server. Paths that end in `/silent` get no answer, in `/halting` half of one, in `/endless` more than anybody
/// wants, in `/announced` the announcement of it, in `/elsewhere?` a redirect to what follows; `.html` is a page whose title
/// is its name; `/login` gives [`LOGIN`] and [`COOKIE`]; `/echo` gives the `Authorization` back; all others get `this is`, and
/// themselves.
pub struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    serving: tokio::task::JoinHandle<()>,
}

impl WebServer {
    /// Listens on a port of the system's choice.
    pub async fn start() -> anyhow::Result<Self> {
        Self::listen(None).await
    }

    /// The same over TLS.
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
                // A connection that breaks is the host's business; a test that needs it says so.
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

    /// An address on it.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        note(&self.seen, |seen| seen.asked.clone())
    }

    /// How often anybody connected.
    pub fn connections(&self) -> usize {
        note(&self.seen, |seen| seen.connections)
    }

    /// Waits until so many have hung up before they had an answer.
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
        // To close with something unread is a reset, which may overtake the answer.
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

/// Up to the empty line. What follows is not read: what these servers say does not depend on it.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(head.len() < LARGEST_HEAD, "a head without an end");
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}
