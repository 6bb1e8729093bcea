//! Simulator, `dev` and `demo` must ignore requests from other sites and deliver only to known webhooks.

use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::PATIENCE;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::relay::Relay;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// `demo` may have to build the example plugins, and compiles them.
const LONGEST: Duration = Duration::from_secs(300);
/// Headers that a browser sends for a page of another site, or for a page that hides its origin.
const FOREIGN: [(&str, &str); 6] = [
    ("Origin", "https://evil.example"),
    ("Origin", "null"),
    ("Origin", "http://localhost:1"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
    ("Sec-Fetch-Site", "something new"),
];

fn click() -> Value {
    json!({ "app_id": APP_ID, "kind": "card_action", "value": {} })
}

fn send(request: &Value) -> Request {
    Request::post("/simulator/send", request.to_string())
}

/// Replaces a header of the request.
fn with(request: &Request, name: &str, value: &str) -> Request {
    let mut request = request.clone();
    request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    request.header(name, value)
}

/// Returns the head of an answer, even if its body does not end.
async fn head(to: SocketAddr, request: &str) -> anyhow::Result<Response> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut received = Vec::new();
    let reading = async {
        while !received.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut received).await? == 0 {
                break;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, reading).await.context("no head of an answer")??;
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").context("no head")?;
    // Cuts off the received part of the body; an empty last chunk ends a chunked body.
    received.truncate(end + 4);
    received.extend_from_slice(b"0\r\n\r\n");
    Response::parse(&received, started.elapsed())
}

/// Sends every request that a page of another site could send to this port; all must be refused.
async fn refuses_strangers(page: SocketAddr) -> anyhow::Result<()> {
    let port = page.port();
    let send = send(&click());
    let discovery = json!({ "AppID": APP_ID, "AppSecret": "simulated-secret" }).to_string();
    let discovery = Request::post("/callback/ws/endpoint", discovery);
    let requests = [
        send.clone(),
        discovery.clone(),
        Request::get("/simulator/state"),
        Request::get("/playground/events"),
        Request::get("/open-apis/im/v1/messages"),
        Request::get("/"),
    ];
    for request in &requests {
        for (name, value) in FOREIGN {
            let answer = with(request, name, value).send(page).await?;
            ensure!(answer.status == 403, "{} {name}: {value}: {}", request.path, answer.status);
        }
        for host in [
            format!("evil.example:{port}"),
            format!("127.0.0.1.evil.example:{port}"),
            format!("10.0.0.1:{port}"),
            format!("0.0.0.0:{port}"),
            format!("[::]:{port}"),
            String::new(),
        ] {
            let answer = with(request, "Host", &host).send(page).await?;
            ensure!(answer.status == 421, "{} Host: {host}: {}", request.path, answer.status);
        }
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "127.0.0.1".to_owned()] {
        let answer = with(&Request::get("/simulator/state"), "Host", &host).send(page).await?;
        ensure!(answer.status == 200, "Host: {host}: {}", answer.status);
    }
    // Content types that a form or a script can send to another site without a preflight request.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let answer = with(&send, "Content-Type", kind).send(page).await?;
        ensure!(answer.status == 415, "{kind}: {} {}", answer.status, answer.text());
    }
    refuses_foreign_connections(page).await?;
    // A struct that is encoded as an array.
    let as_array = Request::post("/simulator/send", json!([APP_ID, "card_action"]).to_string());
    let answer = as_array.send(page).await?;
    ensure!(answer.status == 400, "{} {}", answer.status, answer.text());
    ensure!(answer.text_at("/error").contains("sequence"), "{}", answer.text());
    Ok(())
}

/// Opens WebSockets and the page's feed with foreign headers, as browsers write them; all must be refused.
async fn refuses_foreign_connections(page: SocketAddr) -> anyhow::Result<()> {
    let handshake = |more: &str| {
        format!(
            "GET /ws/v2?ticket=none HTTP/1.1\r\nHost: {page}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
    };
    let by_a_page = head(page, &handshake("Origin: https://evil.example\r\n")).await?;
    ensure!(by_a_page.header("handshake-autherrcode").is_none(), "it came as far as the ticket");
    ensure!(by_a_page.status == 403, "{}", by_a_page.status);
    let by_a_program = head(page, &handshake("")).await?;
    ensure!(by_a_program.header("handshake-autherrcode").is_some(), "{by_a_program:?}");
    let feed = |more: &str| {
        format!(
            "GET /playground/events HTTP/1.1\r\nHost: {page}\r\nAccept: text/event-stream\r\n{more}\r\n"
        )
    };
    let own = format!("Sec-Fetch-Site: same-origin\r\nReferer: http://{page}/\r\n");
    ensure!(head(page, &feed(&own)).await?.status == 200, "our own page");
    let subscribed =
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n";
    ensure!(head(page, &feed(subscribed)).await?.status == 403, "another site's page");
    // A link on another site may lead a person here; its frames and scripts get nothing.
    let visit = |dest: &str| {
        format!(
            "GET / HTTP/1.1\r\nHost: {page}\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\
             Sec-Fetch-Dest: {dest}\r\n\r\n"
        )
    };
    let visited = head(page, &visit("document")).await?;
    ensure!(visited.status == 200, "{}", visited.status);
    ensure!(visited.header("cross-origin-resource-policy") == Some("same-origin"), "{visited:?}");
    ensure!(head(page, &visit("iframe")).await?.status == 403);
    Ok(())
}

/// Asks for a delivery to that address, which must be refused before anything is sent there.
async fn delivers_nothing_to(page: SocketAddr, url: &str) -> anyhow::Result<()> {
    let mut delivery = click();
    delivery["door"] = "webhook".into();
    delivery["url"] = url.into();
    let answer = send(&delivery).send(page).await?;
    ensure!(answer.status == 400, "{url}: {} {}", answer.status, answer.text());
    ensure!(!answer.text_at("/error").is_empty(), "{}", answer.text());
    Ok(())
}

/// A port of this machine that answers every request, and records whether one came.
struct Trusting {
    address: SocketAddr,
    visitors: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Trusting {
    async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let visitors = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&visitors);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        Ok(Self { address, visitors })
    }

    async fn is_left_alone_by(&self, page: SocketAddr) -> anyhow::Result<()> {
        for url in [
            format!("http://{}/plugins/rollback", self.address),
            format!("http://localhost:{}/", self.address.port()),
            format!("http://[::1]:{}/", self.address.port()),
            format!("https://{}/", self.address),
            "http://example.com/".to_owned(),
        ] {
            delivers_nothing_to(page, &url).await?;
        }
        let visitors = self.visitors.load(std::sync::atomic::Ordering::SeqCst);
        ensure!(visitors == 0, "{visitors} deliveries to a stranger");
        Ok(())
    }
}

/// Starts a platform that knows that webhook.
async fn simulate(
    folder: &std::path::Path,
    webhook: &str,
) -> anyhow::Result<(HostProcess, SocketAddr)> {
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--webhook", webhook];
    let simulator = HostProcess::start(&arguments, folder, &[])?;
    let address = simulator.printed_address().await?;
    Ok((simulator, address))
}

#[tokio::test]
async fn the_simulator_turns_strangers_away() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = Relay::start().await?;
    let webhook = format!("http://{}/callback", relay.address());
    let (_simulator, page) = simulate(folder.path(), &webhook).await?;
    refuses_strangers(page).await?;
    Trusting::start().await?.is_left_alone_by(page).await?;
    for nearly in ["/callback/", "/callback?x=1", "/", "/callback%2f"] {
        delivers_nothing_to(page, &format!("http://{}{nearly}", relay.address())).await?;
    }
    // Programs send neither an origin nor a fetch context.
    let discovery = json!({ "AppID": APP_ID, "AppSecret": "simulated-secret" }).to_string();
    let form = "application/x-www-form-urlencoded";
    let by_curl = with(&Request::post("/callback/ws/endpoint", discovery), "Content-Type", form);
    let answer = by_curl.send(page).await?;
    ensure!(answer.json()?["code"] == 0, "{} {}", answer.status, answer.text());
    let mut delivery = click();
    delivery["door"] = "webhook".into();
    delivery["url"] = webhook.into();
    let answer = send(&delivery).send(page).await?;
    ensure!(answer.status == 200, "the webhook it was started with: {}", answer.text());
    let state = Request::get("/simulator/state").send(page).await?.json()?;
    ensure!(state["webhook"] == delivery["url"], "{state}");
    Ok(())
}

#[tokio::test]
async fn a_webhook_elsewhere_is_refused_at_the_start() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let arguments = ["simulate", "--listen", "127.0.0.1:0", "--webhook", "http://example.com/"];
    let mut simulator = HostProcess::start(&arguments, folder.path(), &[])?;
    let exit = simulator.wait().await?;
    ensure!(exit.status.code() == Some(64), "{exit:?} {}", simulator.log().text());
    Ok(())
}

/// Repeats the original attack: a page has the simulator deliver an array to the tokenless admin port, which reads it as a
/// request to roll a plugin back.
#[tokio::test]
async fn a_delivery_rolls_no_plugin_back() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().guest("version-a")?).start().await?;
    running.drop_guest("version-b", "version-a")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[]).await?;
    let admin = running.host.admin().await?;
    let (_simulator, page) =
        simulate(running.folder(), &running.webhook_url(&App::default()).await?).await?;
    let before = live_version(&running).await?;
    let attack = json!({
        "app_id": APP_ID, "kind": "other", "door": "webhook", "payload": ["version-a", APP_ID],
        "url": format!("http://{admin}/plugins/rollback"),
    });
    for request in [send(&attack), with(&send(&attack), "Content-Type", "text/plain")] {
        let answer = request.send(page).await?;
        ensure!(matches!(answer.status, 400 | 415), "{} {}", answer.status, answer.text());
    }
    let by_array = json!(["version-a", APP_ID]).to_string();
    let answer = Request::post("/plugins/rollback", by_array).send(admin).await?;
    ensure!(answer.status == 400, "{} {}", answer.status, answer.text());
    ensure!(live_version(&running).await? == before, "it was rolled back");
    // A rollback is possible here, so the test would notice one.
    let wish = Request::post("/plugins/rollback", json!({ "name": "version-a" }).to_string());
    ensure!(wish.send(admin).await?.status == 200);
    ensure!(live_version(&running).await? != before);
    Ok(())
}

async fn live_version(running: &Running) -> anyhow::Result<String> {
    let listed = Request::get("/plugins").send(running.host.admin().await?).await?.json()?;
    let version = listed["apps"][0]["plugins"][0]["version"].as_str().map(str::to_owned);
    version.with_context(|| format!("no version: {listed}"))
}

#[tokio::test]
async fn the_admin_port_turns_strangers_away_from_everything() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only()).start().await?;
    let admin = running.host.admin().await?;
    for path in ["/", "/plugins", "/metrics", "/dashboard.json", "/dashboard/app.js"] {
        for (name, value) in FOREIGN {
            let answer = Request::get(path).header(name, value).send(admin).await?;
            ensure!(answer.status == 403, "{path} {name}: {value}: {}", answer.status);
        }
        let answer = Request::get(path).header("Host", "evil.example").send(admin).await?;
        ensure!(answer.status == 421, "{path}: {}", answer.status);
        let twice = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nHost: evil.example\r\n\r\n");
        let answer = head(admin, &twice).await?;
        ensure!(matches!(answer.status, 400 | 421), "{path}: {}", answer.status);
        let elsewhere = format!("GET http://evil.example{path} HTTP/1.1\r\nHost: {admin}\r\n\r\n");
        let answer = head(admin, &elsewhere).await?;
        ensure!(answer.status == 421, "{path} in absolute form: {}", answer.status);
        let own = Request::get(path).header("Sec-Fetch-Site", "same-origin").send(admin).await?;
        ensure!(own.status == 200, "{path}: {}", own.status);
    }
    Ok(())
}

/// A build that needs no compiler.
const RECIPE: &str = r#"
name = "copied"
[build]
run = [["cp", "source.bin", "built.wasm"]]
output = "built.wasm"
"#;

#[tokio::test]
async fn dev_turns_strangers_away() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    std::fs::create_dir(&source)?;
    std::fs::write(source.join("plugin.toml"), RECIPE)?;
    std::fs::copy(artifacts::guest("version-a")?, source.join("source.bin"))?;
    let dev = HostProcess::start(&["dev", "source", "--open"], folder.path(), &[])?;
    let page = dev.printed_address().await?;
    dev.stdout().wait_for_text("waiting for a change").await?;
    refuses_strangers(page).await?;
    let stranger = Trusting::start().await?;
    stranger.is_left_alone_by(page).await?;
    // The refused request does not replace the last callback, which is sent to each new version.
    let mut again = click();
    again["name"] = "mine".into();
    let answer = send(&again).send(page).await?;
    ensure!(answer.status == 200, "{}", answer.text());
    delivers_nothing_to(page, &format!("http://{}/", stranger.address)).await?;
    std::fs::copy(artifacts::guest("version-b")?, source.join("source.bin"))?;
    dev.stdout().wait_for_text("the user sees  toast “b”").await?;
    stranger.is_left_alone_by(page).await
}

#[tokio::test]
async fn demo_turns_strangers_away() -> anyhow::Result<()> {
    // Built in advance, so that the time limit covers only the demo.
    artifacts::plugin("approval-card")?;
    let environment = [(
        "CARGO_TARGET_DIR".to_owned(),
        artifacts::target_folder()?.to_string_lossy().into_owned(),
    )];
    let folder = artifacts::source_root();
    let demo = HostProcess::start(&["demo", "--open"], &folder, &environment)?;
    demo.stdout().wait_for_text_within(LONGEST, "Playground").await?;
    let page = demo.printed_address().await?;
    refuses_strangers(page).await?;
    Trusting::start().await?.is_left_alone_by(page).await
}
