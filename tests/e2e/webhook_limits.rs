//! Resources that a stranger can use up at the webhook, none of which others need.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_SECRET;
use aviary_e2e::PATIENCE;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::http::Request;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::endless;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Default deadline, at which the host answers in place of a plugin.
const SOFT_DEADLINE: Duration = Duration::from_millis(2500);

fn setup() -> anyhow::Result<Setup> {
    Ok(Setup::new(App::default().webhook_only().guest("version-a")?))
}

async fn answers(running: &Running) -> anyhow::Result<()> {
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.status == 200 && response.toast() == "a", "{}", response.text());
    Ok(())
}

/// Sends these bytes and nothing more, and returns what comes until the host closes.
async fn send_and_wait(running: &Running, bytes: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(running.webhook().await?).await?;
    stream.write_all(bytes.as_bytes()).await?;
    let mut received = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received));
    end.await.context("the host keeps the connection")??;
    Ok((received, started.elapsed()))
}

#[tokio::test]
async fn a_body_has_a_largest_size() -> anyhow::Result<()> {
    let running = setup()?.set("webhook", "max_body_bytes", 2048).start().await?;
    let mut click = sender::click("b");
    click["padding"] = "x".repeat(2048).into();
    let refused = running.deliver(&click).await?;
    ensure!(refused.status == 413 && !refused.text_at("/msg").is_empty(), "{}", refused.text());
    answers(&running).await
}

#[tokio::test]
async fn a_head_has_a_largest_size() -> anyhow::Result<()> {
    let running = setup()?.set("webhook", "max_header_bytes", 1024).start().await?;
    let with = |bytes| sender::plain("{}").header("X-Padding", "x".repeat(bytes));
    let refused = running.post(with(1024)).await?;
    ensure!(refused.status == 431 && !refused.text_at("/msg").is_empty(), "{}", refused.text());
    // A head so large that the HTTP library does not read it.
    let refused = running.post(with(100_000)).await?;
    ensure!(refused.status == 431, "{}", refused.status);
    answers(&running).await
}

#[tokio::test]
async fn a_slow_sender_is_left() -> anyhow::Result<()> {
    let setup = setup()?.set("webhook", "header_timeout_ms", 300);
    let running = setup.set("webhook", "body_timeout_ms", 400).start().await?;
    let (_, took) = send_and_wait(&running, "POST /callback HTTP/1.1\r\nHost:").await?;
    ensure!(took >= Duration::from_millis(300), "a slow head: {took:?}");
    let head =
        "POST /callback HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{";
    let (answer, took) = send_and_wait(&running, head).await?;
    let refused = Response::parse(&answer, took)?;
    ensure!(refused.status == 408 && !refused.text_at("/msg").is_empty(), "{}", refused.text());
    ensure!(took < SOFT_DEADLINE, "no limit but the deadline's: {took:?}");
    running.host.log().wait_for(events::REJECTED, &[("kind", "slow")]).await?;
    answers(&running).await
}

#[tokio::test]
async fn connections_are_counted() -> anyhow::Result<()> {
    let setup = setup()?.set("webhook", "max_connections", 2);
    let running = setup.set("webhook", "max_connections_per_client", 2).start().await?;
    let address = running.webhook().await?;
    let (mut first, mut second) =
        (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    answers(&running).await?;
    // The third connection replaces the one that was idle longest, and no other.
    ensure!(tokio::time::timeout(PATIENCE, first.read(&mut [0])).await?? == 0);
    let still_open = tokio::time::timeout(Duration::from_millis(100), second.read(&mut [0])).await;
    ensure!(still_open.is_err(), "{still_open:?}");
    Ok(())
}

#[tokio::test]
async fn requests_are_counted() -> anyhow::Result<()> {
    let app = App::default().webhook_only().guest_with("loop-forever", endless())?;
    let running = Setup::new(app).set("webhook", "max_requests", 1).start().await?;
    let (one, other) = (sender::click("b"), sender::click("b"));
    let (one, other) = tokio::join!(running.deliver(&one), running.deliver(&other));
    let mut seen = [one?, other?];
    seen.sort_by_key(|response| response.status);
    let [answered, refused] = seen;
    ensure!(answered.status == 200, "{}", answered.text());
    ensure!(refused.status == 503 && !refused.text_at("/msg").is_empty(), "{}", refused.text());
    ensure!(refused.elapsed < answered.elapsed, "it did not wait: {:?}", refused.elapsed);
    Ok(())
}

#[tokio::test]
async fn the_address_is_checked_in_time_while_every_guest_thread_is_busy() -> anyhow::Result<()> {
    let app = App::default().webhook_only().guest_with("loop-forever", endless())?;
    let running = Setup::new(app).set("guests", "threads", 1).start().await?;
    let clicks: Vec<_> = (0..8).map(|_| sender::click("b")).collect();
    let busy = async {
        let mut sent = tokio::task::JoinSet::new();
        let address = running.webhook().await?;
        for click in &clicks {
            let request = sender::plain(click.to_string());
            sent.spawn(async move { request.send(address).await });
        }
        while let Some(answered) = sent.join_next().await {
            ensure!(answered??.status == 200, "a click");
        }
        anyhow::Ok(())
    };
    let checks = async {
        let body =
            json!({ "challenge": "c", "token": VERIFICATION_TOKEN, "type": "url_verification" });
        for _ in 0..10 {
            let checked = running.post(sender::plain(body.to_string())).await?;
            ensure!(checked.json()? == json!({ "challenge": "c" }), "{}", checked.text());
            ensure!(checked.elapsed < SOFT_DEADLINE, "it waited for a guest thread");
        }
        anyhow::Ok(())
    };
    let (busy, checks) = tokio::join!(busy, checks);
    busy.and(checks)
}

#[tokio::test]
async fn the_client_s_address_is_the_proxy_s_word_where_that_is_trusted() -> anyhow::Result<()> {
    let forged = || {
        sender::plain(
            json!({"schema": "2.0", "header": {"event_type": "x", "token": "t"}}).to_string(),
        )
        .header("X-Forwarded-For", "6.6.6.6")
        .header("X-Forwarded-For", "10.1.1.1, 192.0.2.7")
    };
    let client = async |running: Running| {
        ensure!(running.post(forged()).await?.status == 401);
        let line = running.host.log().wait_for(events::REJECTED, &[("kind", "bad_token")]).await?;
        anyhow::Ok(line.text_of("client").to_owned())
    };
    let untold = client(setup()?.start().await?).await?;
    ensure!(untold == "127.0.0.1", "a stranger's header is not believed: {untold}");
    let setup = setup()?.set("webhook", "trusted_proxy_header", "x-forwarded-for");
    let told = client(setup.start().await?).await?;
    ensure!(told == "192.0.2.7", "{told}");
    Ok(())
}

#[tokio::test]
async fn the_listener_speaks_tls_where_it_has_a_certificate() -> anyhow::Result<()> {
    let authority = TestAuthority::new()?;
    let running = setup()?.webhook_over_tls(&authority).start().await?;
    let body = sender::click("b").to_string();
    let head = format!(
        "POST /callback HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let started = Instant::now();
    let stream = TcpStream::connect(running.webhook().await?).await?;
    let connector = TlsConnector::from(authority.client()?);
    let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    stream.write_all((head + &body).as_bytes()).await?;
    let mut received = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await??;
    let response = Response::parse(&received, started.elapsed())?;
    ensure!(response.status == 200 && response.toast() == "a", "{}", response.text());

    let plain = Request::get("/callback").send(running.webhook().await?).await;
    ensure!(plain.is_err(), "plain HTTP is not answered: {plain:?}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named_before_anything_listens() -> anyhow::Result<()>
{
    let files = tempfile::tempdir()?;
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).map(|()| path.to_string_lossy().into_owned())
    };
    let (one, other) = (TestAuthority::new()?, TestAuthority::new()?);
    let cert = file("cert.pem", one.certificate_pem())?;
    let foreign = file("foreign.pem", other.key_pem())?;
    let empty = file("empty.pem", "nothing")?;
    for (table, setting, named) in [
        ("webhook", json!({ "cert": cert, "key": foreign }), "webhook.tls.key"),
        ("webhook", json!({ "cert": empty, "key": foreign }), "webhook.tls.cert"),
        ("tls", json!({ "extra_roots": empty }), "tls.extra_roots"),
        ("tls", json!({ "extra_roots": "nowhere.pem" }), "nowhere.pem"),
    ] {
        let mut setup = setup()?;
        setup = match table {
            "tls" => setup.set("tls", "extra_roots", setting["extra_roots"].clone()),
            _ => setup.set(table, "tls", setting),
        };
        let mut running = setup.launch(false).await?;
        let exit = running.host.wait().await?;
        let said = running.host.log().text();
        ensure!(exit.status.code() == Some(64), "{named}: {exit:?} {said}");
        ensure!(
            said.contains(named) && !said.contains(events::LISTENING.text()),
            "{named}: {said}"
        );
        ensure!(!said.contains(APP_SECRET) && !said.contains("PRIVATE KEY"), "{said}");
    }
    Ok(())
}
