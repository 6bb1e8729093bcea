//! A long connection that recovers by itself: which errors are retried, which are not and why, and how a dead peer is noticed.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::PATIENCE;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::wire::SERVICE_ID;
use aviary_e2e::wire::Wire;
use bytes::Bytes;
use lark_simulator::Simulator;
use lark_simulator::config::ClientConfig;
use lark_simulator::delivery::Delivery;
use lark_simulator::script::DiscoveryScript;
use lark_simulator::script::HandshakeRefusal;
use lark_simulator::script::HandshakeScript;
use lark_wire::frame::Frame;
use serde_json::json;

/// An app that the platform does not refuse.
const OTHER_APP: &str = "cli_fedcba9876543210";

async fn connected(app: App) -> anyhow::Result<Running> {
    Setup::new(app.long_connection_only().guest("version-a")?).start().await
}

async fn answers(running: &Running) -> anyhow::Result<()> {
    let seen = running.platform()?.click("b").await?;
    ensure!(seen.toast() == "a" && seen.error().is_none(), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_silent_peer_is_left_before_another_connection_opens() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let app = App::default().long_connection_only().silence_ms(400);
    let running = Setup::new(app).against(wire.domain()).start().await?;
    let mut silent = wire.connection().await?;
    silent.receive().await.context("the first ping")?;
    let mut pong = Frame::control(SERVICE_ID, "pong");
    pong.payload = Some(Bytes::from_static(br#"{"PingInterval":1}"#));
    silent.send(pong.to_bytes()).await?;
    let since = Instant::now();
    let mut next = wire.connection().await?;
    let waited = since.elapsed();
    ensure!(waited >= Duration::from_millis(1300), "given up after {waited:?}");
    let left = async { while silent.receive().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, left).await.context("the old one is still open")?;
    next.receive().await.context("a ping on the new one")?;
    let line = running.host.log().wait_for(events::DISCONNECTED, &[]).await?;
    ensure!(line.text_of("reason").contains("no byte"), "{}", line.text());
    ensure!(wire.discoveries().len() == 2, "one discovery for each attempt");
    Ok(())
}

#[tokio::test]
async fn a_fatal_code_stops_its_app_alone_and_says_what_to_change() -> anyhow::Result<()> {
    for (code, words) in [
        (1_000_040_345, "app's id and secret"),
        (1_000_040_350, "50 connections"),
        (1_000_040_351, "other domain"),
        (514, "published"),
        (403, "not allowed"),
        (77, "code 77"),
    ] {
        let refused = DiscoveryScript::Refuse { code, msg: "no".into() };
        is_given_up(|simulator| simulator.set_discovery(APP_ID, refused.clone()), words).await?;
    }
    // Fault: one official SDK goes on for ever with these two.
    for (refusal, words) in [
        (HandshakeRefusal::too_many_connections(), "50 connections"),
        (HandshakeRefusal::forbidden(), "not allowed"),
        (HandshakeRefusal::authentication(1_000_040_351, "domain"), "other domain"),
    ] {
        let refused = HandshakeScript::Refuse(refusal);
        is_given_up(|simulator| simulator.set_handshake(APP_ID, refused.clone()), words).await?;
    }
    Ok(())
}

async fn is_given_up<E: std::error::Error + Send + Sync + 'static>(
    refuse: impl Fn(&Simulator) -> Result<(), E>,
    words: &str,
) -> anyhow::Result<()> {
    let apps = [App::default(), App::new(OTHER_APP, "/other")]
        .map(|app| app.long_connection_only().guest("version-a"));
    let running = Setup::with_apps(apps.into_iter().collect::<Result<_, _>>()?).start().await?;
    let simulator = running.platform()?.simulator();
    refuse(simulator)?;
    simulator.drop_connections(APP_ID)?;
    let line = running.host.log().wait_for(events::CONNECTION_GIVEN_UP, &[("app", APP_ID)]).await?;
    ensure!(line.text_of("reason").contains(words), "{words}: {}", line.text());
    let not_ready = running.host.wait_for_readyz(503).await?;
    ensure!(not_ready.text().contains(words), "{words}: {}", not_ready.text());
    ensure!(!not_ready.text().contains(OTHER_APP), "{}", not_ready.text());
    let given_up = |app| [("app", app)];
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_connections_given_up", &given_up(APP_ID)) == 1.0);
    ensure!(metrics.sum("aviary_connections_given_up", &given_up(OTHER_APP)) == 0.0);
    ensure!(metrics.sum("aviary_connections_up", &given_up(OTHER_APP)) == 1.0);
    let before = simulator.counters(APP_ID).discoveries;
    let click = Delivery::card_action(json!({"to": "the other app"}));
    let door = lark_simulator::delivery::Door::LongConnection;
    let seen = simulator.send(OTHER_APP, &door, &click).await?;
    ensure!(seen.verdict.error.is_none(), "{:?}", seen.verdict);
    ensure!(simulator.counters(APP_ID).discoveries == before, "it is not tried again");
    Ok(())
}

#[tokio::test]
async fn other_refusals_are_outlasted() -> anyhow::Result<()> {
    let running = connected(App::default()).await?;
    let platform = running.platform()?;
    let simulator = platform.simulator();
    for refusal in [
        // Without the platform's own headers, the answer may come from any server.
        HandshakeRefusal::bare(403),
        HandshakeRefusal::bare(502),
        HandshakeRefusal::authentication(1_000_040_344, "the ticket is used"),
    ] {
        simulator.set_handshake(APP_ID, HandshakeScript::Refuse(refusal))?;
        let before = simulator.counters(APP_ID);
        simulator.drop_connections(APP_ID)?;
        platform
            .wait_until(|simulator| simulator.counters(APP_ID).handshakes >= before.handshakes + 2)
            .await?;
        let after = simulator.counters(APP_ID);
        ensure!(
            after.discoveries - before.discoveries >= after.handshakes - before.handshakes,
            "a discovery comes before every handshake: {before:?} {after:?}"
        );
        simulator.set_handshake(APP_ID, HandshakeScript::Normal)?;
        running.host.wait_for_readyz(200).await?;
        answers(&running).await?;
    }
    Ok(())
}

/// Fault: the discovery of one official SDK waits without limit, and a bot was deaf for three days.
#[tokio::test]
async fn a_discovery_that_hangs_is_tried_again() -> anyhow::Result<()> {
    let running = connected(App::default()).await?;
    let simulator = running.platform()?.simulator();
    simulator.set_discovery(APP_ID, DiscoveryScript::Hang)?;
    simulator.drop_connections(APP_ID)?;
    let hung = running.host.log().wait_for_count(2, events::DISCONNECTED, &[]).await?;
    ensure!(hung[1].text_of("reason").contains("discovery took more than"), "{}", hung[1].text());
    simulator.set_discovery(APP_ID, DiscoveryScript::Normal)?;
    running.host.wait_for_readyz(200).await?;
    answers(&running).await
}

/// Fault: such a configuration makes two official SDKs spin.
#[tokio::test]
async fn a_configuration_that_makes_no_sense_starts_no_busy_loop() -> anyhow::Result<()> {
    let running = connected(App::default()).await?;
    let simulator = running.platform()?.simulator();
    for number in [0, -7, i64::MIN] {
        let absurd = ClientConfig {
            reconnect_count: number,
            reconnect_interval: number,
            reconnect_nonce: number,
            ping_interval: number,
        };
        simulator.set_client_config(APP_ID, absurd)?;
        let again = simulator.counters(APP_ID).handshakes + 1;
        simulator.drop_connections(APP_ID)?;
        let back = |now: &Simulator| now.counters(APP_ID).handshakes >= again;
        simulator.wait_until(PATIENCE, back).await?;
        running.host.wait_for_readyz(200).await?;
        let before = simulator.counters(APP_ID);
        for _ in 0..20 {
            answers(&running).await?;
        }
        let after = simulator.counters(APP_ID);
        ensure!(after.pings - before.pings <= 1, "{before:?} {after:?}");
        ensure!(after.discoveries == before.discoveries, "{before:?} {after:?}");
    }
    Ok(())
}

/// Fault: three official SDKs keep what is complete, and run the handler again.
#[tokio::test]
async fn a_repeated_fragment_runs_nothing_twice() -> anyhow::Result<()> {
    let running = connected(App::default()).await?;
    let platform = running.platform()?;
    let simulator = platform.simulator();
    let body = Bytes::from(sender::click("b").to_string());
    let frames = simulator.envelope(APP_ID)?.frames(&body, 3);
    for frame in frames.iter().chain(&frames) {
        simulator.send_frame(APP_ID, frame).await?;
    }
    // This click is answered after the earlier frames were read.
    answers(&running).await?;
    let callbacks = running.host.log().wait_for_count(2, events::CALLBACK, &[]).await?;
    ensure!(callbacks.len() == 2, "{callbacks:?}");
    // The log line of a callback may be read before its answer arrives.
    platform.wait_until(|simulator| !simulator.stray_answers(APP_ID).is_empty()).await?;
    ensure!(simulator.stray_answers(APP_ID).len() == 1);
    Ok(())
}

#[tokio::test]
async fn frames_of_other_types_name_the_setting_that_is_likely_wrong() -> anyhow::Result<()> {
    let running = connected(App::default()).await?;
    let platform = running.platform()?;
    let click = || Delivery::card_action(json!({"a": 1}));
    // Fault: every official SDK drops it without a word, and the user waits for three seconds.
    let seen = platform.send(&click().frame_type("card")).await?;
    ensure!(seen.exchange().code == Some(500), "{seen:?}");
    let line = running.host.log().wait_for(events::REJECTED, &[("kind", "card_frame")]).await?;
    ensure!(line.text_of("reason").contains("Callback Configuration"), "{}", line.text());
    let mut frame = simulator_frame(&running)?;
    frame.headers[0].value = "x".repeat(100_000);
    let unknown = frame.headers.iter().position(|header| header.key == "type").context("type")?;
    frame.headers[unknown].value = "moon".repeat(10_000);
    platform.simulator().send_frame(APP_ID, &frame).await?;
    let line = running.host.log().wait_for(events::REJECTED, &[("kind", "unknown_type")]).await?;
    ensure!(line.text_of("reason").contains("Events & Callbacks"), "{}", line.text());
    ensure!(line.text().len() < 2000, "a stranger's words are cut: {} bytes", line.text().len());
    answers(&running).await
}

fn simulator_frame(running: &Running) -> anyhow::Result<Frame> {
    let simulator = running.platform()?.simulator();
    Ok(simulator.envelope(APP_ID)?.frame(1, 0, Bytes::from_static(b"{}")))
}
