//! SIGTERM lets calls under way finish, accepts nothing new, and ends with exit code 0.

use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::endless;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Time limit for an idle host: it does not even wait for as long as a callback may take.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Time limit for a host with a guest that never returns: no longer than any callback may take.
const NO_LONGER: Duration = Duration::from_secs(15);

/// Waits until a call is under way, by the guest's own log line.
async fn is_under_way(running: &Running) -> anyhow::Result<()> {
    running.host.log().wait_for(events::PLUGIN_LOG, &[("text", "slow begins")]).await?;
    Ok(())
}

async fn ends_well(running: &mut Running, within: Duration) -> anyhow::Result<()> {
    let exit = running.host.wait().await?;
    ensure!(exit.status.code() == Some(0), "{exit:?}");
    ensure!(exit.took < within, "{exit:?}");
    running.host.log().wait_for(events::STOPPED, &[]).await?;
    ensure!(running.host.stdout().is_empty(), "{}", running.host.stdout().text());
    Ok(())
}

#[tokio::test]
async fn an_idle_host_stops_at_once() -> anyhow::Result<()> {
    let mut running = Setup::new(App::default().guest("version-a")?).start().await?;
    running.host.ask_to_stop()?;
    ends_well(&mut running, AT_ONCE).await
}

#[tokio::test]
async fn idle_connections_do_not_keep_the_host_from_stopping() -> anyhow::Result<()> {
    let mut running = Setup::new(App::default().webhook_only().guest("version-a")?).start().await?;
    let address = running.webhook().await?;
    let _silent = TcpStream::connect(address).await?;
    // A connection that has been answered and is kept for the next request.
    let mut kept = TcpStream::connect(address).await?;
    let body = sender::click("b").to_string();
    let length = body.len();
    let head = format!("POST /callback HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    kept.write_all((head + &body).as_bytes()).await?;
    running.host.log().wait_for(events::CALLBACK, &[]).await?;
    // A connection with an incomplete request.
    let mut half = TcpStream::connect(address).await?;
    half.write_all(b"POST /callback HTTP/1.1\r\nHost:").await?;
    running.host.ask_to_stop()?;
    ends_well(&mut running, NO_LONGER).await
}

#[tokio::test]
async fn a_webhook_callback_under_way_is_answered() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "1200" } });
    let mut running =
        Setup::new(App::default().webhook_only().guest_with("slow", sidecar)?).start().await?;
    let address = running.webhook().await?;
    let request = sender::plain(sender::click("b").to_string());
    let under_way = tokio::spawn(async move { request.send(address).await });
    is_under_way(&running).await?;
    running.host.ask_to_stop()?;
    // A draining host accepts no connections.
    let is_closed = async || Ok(TcpStream::connect(address).await.is_err());
    eventually_is("the webhook takes no more connections", is_closed).await?;
    ensure!(!under_way.is_finished(), "it closed while a callback was under way");
    let response = under_way.await??;
    ensure!(
        response.toast() == "slow",
        "the plugin's own answer: {} {}",
        response.status,
        response.text()
    );
    ends_well(&mut running, NO_LONGER).await
}

#[tokio::test]
async fn a_callback_on_the_long_connection_under_way_is_answered() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "1200" } });
    let mut running =
        Setup::new(App::default().long_connection_only().guest_with("slow", sidecar)?)
            .start()
            .await?;
    let seen = {
        let platform = running.platform()?;
        let stop = async {
            is_under_way(&running).await?;
            running.host.ask_to_stop()
        };
        let (seen, stopped) = tokio::join!(platform.click("b"), stop);
        stopped?;
        seen?
    };
    ensure!(seen.toast() == "slow", "{seen:?}");
    ends_well(&mut running, NO_LONGER).await
}

#[tokio::test]
async fn a_runaway_does_not_keep_the_host_from_stopping() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().webhook_only().guest_with("loop-forever", endless())?);
    let setup = setup.set("deadline", "soft_ms", 300).set("deadline", "late_ms", 2000);
    let mut running = setup.start().await?;
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.text_at("/toast/type") == "info", "{}", response.text());
    running.host.ask_to_stop()?;
    ends_well(&mut running, NO_LONGER).await
}

#[tokio::test]
async fn a_host_that_drains_is_not_ready() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "2000" } });
    let mut running =
        Setup::new(App::default().webhook_only().guest_with("slow", sidecar)?).start().await?;
    let address = running.webhook().await?;
    let request = sender::plain(sender::click("b").to_string());
    let under_way = tokio::spawn(async move { request.send(address).await });
    is_under_way(&running).await?;
    running.host.ask_to_stop()?;
    // The admin port answers until the very end, so that a load balancer learns of the shutdown.
    running.host.wait_for_readyz(503).await?;
    ensure!(!under_way.is_finished(), "it was asked while a callback was under way");
    ensure!(under_way.await??.toast() == "slow", "what was under way is answered");
    ends_well(&mut running, NO_LONGER).await
}
