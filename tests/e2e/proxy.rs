//! The proxy from the environment: for discovery and for the connection, with credentials that no log shows.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::proxy::TestProxy;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;

/// The Base64 form of `user:pass-XK77`.
const CREDENTIALS: &str = "Basic dXNlcjpwYXNzLVhLNzc=";
/// The parts of the credentials that must never be logged.
const PASSWORDS: [&str; 2] = ["pass-XK77", "dXNlcjpwYXNzLVhLNzc="];

fn setup() -> anyhow::Result<Setup> {
    // The harness excludes loopback from proxies, and everything here is on loopback.
    Ok(Setup::new(App::default().long_connection_only().guest("version-a")?).env("NO_PROXY", ""))
}

async fn answers(running: &Running) -> anyhow::Result<()> {
    let seen = running.platform()?.click("b").await?;
    ensure!(seen.toast() == "a" && seen.error().is_none(), "{seen:?}");
    Ok(())
}

fn shows_no_password(running: &Running) -> anyhow::Result<()> {
    let log = running.host.log().text();
    for password in PASSWORDS {
        ensure!(!log.contains(password), "the proxy's password is in the log: {log}");
    }
    Ok(())
}

#[tokio::test]
async fn discovery_and_connection_go_through_it() -> anyhow::Result<()> {
    let proxy = TestProxy::start(Some(CREDENTIALS)).await?;
    let address = format!("http://user:pass-XK77@{}", proxy.address());
    let running = setup()?
        .over_tls()?
        .env("HTTPS_PROXY", address)
        .set("log", "level", "trace")
        .start()
        .await?;
    answers(&running).await?;
    let target = running.platform()?.domain().replace("https://", "CONNECT ");
    let tunnels = proxy.seen().iter().filter(|line| line.starts_with(&target)).count();
    ensure!(tunnels >= 2, "discovery and WebSocket: {:?}", proxy.seen());
    running.platform()?.simulator().drop_connections(running.apps()[0].id())?;
    running.host.log().wait_for_count(2, events::CONNECTED, &[]).await?;
    answers(&running).await?;
    shows_no_password(&running)
}

#[tokio::test]
async fn plain_addresses_have_a_proxy_of_their_own_and_exceptions() -> anyhow::Result<()> {
    let proxy = TestProxy::start(None).await?;
    let address = proxy.address().to_string();
    let running = setup()?.env("http_proxy", &address).start().await?;
    answers(&running).await?;
    let seen = proxy.seen();
    ensure!(seen.iter().any(|line| line.starts_with("POST http://127.0.0.1")), "{seen:?}");
    ensure!(seen.iter().any(|line| line.starts_with("CONNECT 127.0.0.1")), "{seen:?}");

    let unused = TestProxy::start(None).await?;
    let address = unused.address().to_string();
    let running = setup()?
        .env("HTTP_PROXY", &address)
        .env("ALL_PROXY", &address)
        .env("NO_PROXY", "10.0.0.0/8,127.0.0.0/8")
        .start()
        .await?;
    answers(&running).await?;
    ensure!(unused.seen().is_empty(), "{:?}", unused.seen());
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_named_and_shows_no_credentials() -> anyhow::Result<()> {
    let proxy = TestProxy::start(Some("Basic other")).await?;
    let address = format!("http://user:pass-XK77@{}", proxy.address());
    let running =
        setup()?.over_tls()?.env("https_proxy", address).set("log", "level", "trace").launch(true);
    let running = running.await?;
    let line = running.host.log().wait_for(events::DISCONNECTED, &[]).await?;
    ensure!(line.text_of("reason").contains("proxy"), "{}", line.text());
    shows_no_password(&running)
}
