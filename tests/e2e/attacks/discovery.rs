//! A discovery answer that leads elsewhere: to another host, out of TLS, or by a redirect. An attacker who can forge one answer
//! must not get the callbacks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server that a forged answer leads to: counts its connections.
struct Elsewhere {
    address: SocketAddr,
    came: Arc<AtomicUsize>,
    counting: tokio::task::JoinHandle<()>,
}

impl Elsewhere {
    async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, came) = (listener.local_addr()?, Arc::<AtomicUsize>::default());
        let counter = Arc::clone(&came);
        let counting = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self { address, came, counting })
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    async fn is_reached(&self) -> anyhow::Result<()> {
        eventually_is("somebody comes", async || Ok(self.came() > 0)).await
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.counting.abort();
    }
}

/// An https platform that gives every request the same answer.
struct Answering {
    address: SocketAddr,
    authority: TestAuthority,
    roots: tempfile::NamedTempFile,
    serving: tokio::task::JoinHandle<()>,
}

impl Answering {
    async fn with(answer: String) -> anyhow::Result<Self> {
        let authority = TestAuthority::new()?;
        let roots = tempfile::NamedTempFile::new()?;
        std::fs::write(roots.path(), authority.root_pem())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(authority.server());
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = Vec::new();
                    // Discovery's body is an object, which ends with a brace.
                    while !request.ends_with(b"}") {
                        let Ok(1..) = stream.read_buf(&mut request).await else { return };
                    }
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Ok(Self { address, authority, roots, serving })
    }

    /// Starts a platform whose discovery succeeds and names that address.
    async fn leading_to(url: &str) -> anyhow::Result<Self> {
        let config = json!({ "ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 0, "PingInterval": 120 });
        let data = json!({ "URL": url, "ClientConfig": config });
        let body = json!({ "code": 0, "msg": "", "data": data }).to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        Self::with(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await
    }

    async fn host(&self, long_connection: Value) -> anyhow::Result<Running> {
        let app = App::default().long_connection_only().set("long_connection", long_connection);
        let roots = self.roots.path().to_string_lossy().into_owned();
        let setup = Setup::new(app).against(format!("https://{}", self.address));
        setup.set("tls", "extra_roots", roots).launch(false).await
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn reason(running: &Running) -> anyhow::Result<String> {
    // The host logs a dial only after it has ended.
    let line = running.host.log().wait_for(events::DISCONNECTED, &[]).await?;
    Ok(line.text_of("reason").to_owned())
}

#[tokio::test]
async fn another_host_is_dialled_only_if_the_operator_named_it() -> anyhow::Result<()> {
    let elsewhere = Elsewhere::open().await?;
    // The certificate is valid for this name too, so only the host's own rule rejects it.
    let url = format!("wss://localhost:{}/ws?ticket=secret-ticket", elsewhere.address.port());
    let platform = Answering::leading_to(&url).await?;
    ensure!(!platform.authority.root_pem().is_empty());
    let running = platform.host(json!({})).await?;
    let reason = reason(&running).await?;
    ensure!(reason.contains("localhost") && reason.contains("long_connection.hosts"), "{reason}");
    ensure!(elsewhere.came() == 0, "the host went where the answer led");
    ensure!(!running.host.log().text().contains("secret-ticket"), "a ticket is in the log");

    let _running = platform.host(json!({ "hosts": ["localhost"] })).await?;
    elsewhere.is_reached().await
}

#[tokio::test]
async fn the_same_host_is_dialled_at_any_port() -> anyhow::Result<()> {
    let elsewhere = Elsewhere::open().await?;
    let platform = Answering::leading_to(&format!("wss://{}/ws", elsewhere.address)).await?;
    let _running = platform.host(json!({})).await?;
    elsewhere.is_reached().await
}

#[tokio::test]
async fn tls_is_not_given_up() -> anyhow::Result<()> {
    let elsewhere = Elsewhere::open().await?;
    for hosts in [json!([]), json!(["127.0.0.1"])] {
        let platform = Answering::leading_to(&format!("ws://{}/ws", elsewhere.address)).await?;
        let running = platform.host(json!({ "hosts": hosts })).await?;
        let reason = reason(&running).await?;
        ensure!(reason.contains("no TLS"), "{reason}");
        ensure!(elsewhere.came() == 0, "the host went where the answer led");
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> anyhow::Result<()> {
    let elsewhere = Elsewhere::open().await?;
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let to = format!("http://{}/callback/ws/endpoint", elsewhere.address);
        let head = format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nConnection: close");
        let platform = Answering::with(format!("{head}\r\nContent-Length: 0\r\n\r\n")).await?;
        let running = platform.host(json!({})).await?;
        let line = running.host.log().wait_for(events::DISCONNECTED, &[]).await?;
        let code = &status[..3];
        ensure!(line.text_of("reason").contains(code), "{}", line.text());
        ensure!(elsewhere.came() == 0, "the app's secret went where the answer led");
    }
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_none_is_refused_in_the_configuration() -> anyhow::Result<()> {
    let platform = Answering::leading_to("wss://127.0.0.1/").await?;
    let mut running = platform.host(json!({ "hosts": ["wss://ws.example.com/"] })).await?;
    let exit = running.host.wait().await?;
    ensure!(!exit.status.success());
    let said = running.host.log().text();
    ensure!(said.contains("is not a host"), "{said}");
    Ok(())
}
