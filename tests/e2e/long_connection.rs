//! The long connection stays up, answers each complete message once, and survives every input.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::PATIENCE;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::platform::click;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::vectors;
use aviary_e2e::wire::SERVICE_ID;
use aviary_e2e::wire::Wire;
use bytes::Bytes;
use lark_simulator::config::ClientConfig;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::FragmentOrder;
use lark_simulator::script::DiscoveryScript;
use lark_wire::frame::Frame;
use lark_wire::frame::METHOD_CONTROL;
use serde_json::json;

async fn connected(app: App) -> anyhow::Result<Running> {
    Setup::new(app.long_connection_only()).start().await
}

async fn answers(running: &Running) -> anyhow::Result<()> {
    let seen = running.platform()?.click("b").await?;
    ensure!(seen.toast() == "a" && seen.error().is_none(), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn a_message_in_fragments_is_answered_once() -> anyhow::Result<()> {
    let running = connected(App::default().guest("echo-fields")?).await?;
    let platform = running.platform()?;
    let mut body = sender::click("b");
    // Fragments are cut inside these characters as well.
    body["event"]["action"]["input_value"] = json!("按钮被点击了".repeat(50));
    for order in [FragmentOrder::InOrder, FragmentOrder::Reversed, FragmentOrder::Shuffled] {
        for fragments in [2, 7, 100] {
            let delivery = Delivery::json(DeliveryKind::CardAction, body.clone())
                .fragments(fragments)
                .order(order);
            let seen = platform.send(&delivery).await?;
            ensure!(
                seen.toast().contains("按钮被点击了按钮被点击了"),
                "{order:?} {fragments}: {seen:?}"
            );
        }
    }
    // Fragments of two messages that arrive interleaved are told apart.
    let slowly = |button: &str| click(button).fragments(5).fragment_gap(Duration::from_millis(20));
    let (one, other) = (slowly("one"), slowly("other"));
    let (one, other) = tokio::join!(platform.send(&one), platform.send(&other));
    let (one, other) = (one?, other?);
    ensure!(
        one.toast().contains("\"one\"") && other.toast().contains("\"other\""),
        "{one:?} {other:?}"
    );
    let counters = platform.simulator().counters(APP_ID);
    ensure!(counters.duplicate_answers == 0 && counters.stray_answers == 0, "{counters:?}");
    Ok(())
}

#[tokio::test]
async fn a_fragment_that_never_completes_costs_nobody_anything() -> anyhow::Result<()> {
    let running = connected(App::default().guest("version-a")?).await?;
    let simulator = running.platform()?.simulator();
    for _ in 0..20 {
        let envelope = simulator.envelope(APP_ID)?;
        simulator
            .send_frame(APP_ID, &envelope.frame(3, 1, Bytes::from_static(b"{\"half\":")))
            .await?;
    }
    // A fragment that claims to belong to a message of absurd size.
    let envelope = simulator.envelope(APP_ID)?;
    simulator.send_frame(APP_ID, &envelope.frame(usize::MAX, 0, Bytes::from_static(b"x"))).await?;
    answers(&running).await?;
    let dropped = [("door", "long_connection"), ("reason", "incomplete_message")];
    let all_dropped = |metrics: &Metrics| metrics.sum("aviary_rejected_total", &dropped) == 20.0;
    running.host.wait_for_metrics("incomplete messages are given up", all_dropped).await?;
    answers(&running).await
}

#[tokio::test]
async fn a_message_that_is_too_large_costs_nobody_anything() -> anyhow::Result<()> {
    let running = connected(App::default().guest("version-a")?).await?;
    let simulator = running.platform()?.simulator();
    // 32 fragments of a mebibyte: each is small enough, all together are not.
    let envelope = simulator.envelope(APP_ID)?;
    let part = Bytes::from(vec![b' '; 1024 * 1024]);
    for seq in 0..32 {
        simulator.send_frame(APP_ID, &envelope.frame(32, seq, part.clone())).await?;
    }
    let refused = [("door", "long_connection"), ("kind", "bad_fragment")];
    running.host.log().wait_for(events::REJECTED, &refused).await?;
    answers(&running).await?;
    // In one piece the message exceeds the socket's limit, so the connection ends, and another replaces it.
    let huge = simulator.envelope(APP_ID)?.frame(1, 0, vec![b' '; 32 * 1024 * 1024].into());
    simulator.send_frame(APP_ID, &huge).await?;
    running.host.log().wait_for_count(2, events::CONNECTED, &[]).await?;
    let platform = running.platform()?;
    platform.wait_until(|simulator| simulator.connected(APP_ID) == 1).await?;
    answers(&running).await
}

#[tokio::test]
async fn broken_frames_are_passed_over() -> anyhow::Result<()> {
    let running = connected(App::default().guest("version-a")?).await?;
    let platform = running.platform()?;
    let simulator = platform.simulator();
    let whole =
        simulator.envelope(APP_ID)?.frame(1, 0, sender::click("b").to_string().into()).to_bytes();
    let connections_before = simulator.counters(APP_ID).handshakes;
    let broken = [
        Bytes::new(),
        Bytes::from_static(b"not a frame"),
        Bytes::from_static(&[0xff; 100]),
        whole.slice(..whole.len() / 2),
        // Fields that proto2 requires are missing.
        Bytes::from_static(&[0x08, 0x01]),
    ];
    let count = broken.len();
    for bytes in broken {
        simulator.send_bytes(APP_ID, bytes).await?;
    }
    simulator.send_text(APP_ID, "{\"text\":\"messages are not part of the protocol\"}").await?;
    running
        .host
        .log()
        .wait_for_count(count + 1, events::REJECTED, &[("door", "long_connection")])
        .await?;
    answers(&running).await?;
    ensure!(
        simulator.counters(APP_ID).handshakes == connections_before,
        "the connection survives them"
    );
    ensure!(simulator.stray_answers(APP_ID).is_empty(), "{:?}", simulator.stray_answers(APP_ID));
    Ok(())
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_answered() -> anyhow::Result<()> {
    let running = connected(App::default().guest("version-a")?).await?;
    let platform = running.platform()?;
    for payload in
        ["not json", "", "[]", "{\"schema\":\"2.0\"}", &sender::legacy_click("b").to_string()]
    {
        let seen = platform.send(&Delivery::exact(DeliveryKind::Other, payload.to_owned())).await?;
        ensure!(seen.exchange().code == Some(500), "{payload:?}: {seen:?}");
    }
    running.host.log().wait_for_count(5, events::REJECTED, &[("door", "long_connection")]).await?;
    answers(&running).await
}

#[tokio::test]
async fn a_slow_callback_holds_up_no_other() -> anyhow::Result<()> {
    let slow = json!({ "route": [{ "action_name": "slow" }], "settings": { "millis": "2000" } });
    let running = connected(App::default().guest_with("slow", slow)?.guest("version-a")?).await?;
    let platform = running.platform()?;
    let quick = async {
        for _ in 0..5 {
            answers(&running).await?;
        }
        anyhow::Ok(Instant::now())
    };
    let slow = async {
        let seen = platform.click("slow").await?;
        ensure!(seen.toast() == "slow", "the slow one is answered as well: {seen:?}");
        Ok(Instant::now())
    };
    let (slow, quick) = tokio::join!(slow, quick);
    // One official SDK runs handlers one after the other, pings included.
    ensure!(quick? < slow?, "five clicks waited for a slow one");
    Ok(())
}

#[tokio::test]
async fn a_dropped_connection_is_dialled_again() -> anyhow::Result<()> {
    let running = connected(App::default().guest("version-a")?).await?;
    let platform = running.platform()?;
    let simulator = platform.simulator();
    for round in 2..4 {
        if round % 2 == 0 {
            simulator.drop_connections(APP_ID)?;
        } else {
            simulator.close_connections(APP_ID, 1001)?;
        }
        running.host.log().wait_for_count(round, events::CONNECTED, &[("app", APP_ID)]).await?;
        platform.wait_until(|simulator| simulator.connected(APP_ID) == 1).await?;
        answers(&running).await?;
        let counters = simulator.counters(APP_ID);
        // The address carries a ticket that is good once.
        ensure!(
            counters.discoveries >= round as u64 && counters.handshakes >= round as u64,
            "{counters:?}"
        );
    }
    running.host.log().wait_for_count(2, events::DISCONNECTED, &[("app", APP_ID)]).await?;
    Ok(())
}

#[tokio::test]
async fn an_outage_of_discovery_is_outlasted() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().long_connection_only().guest("version-a")?);
    let running = setup.start().await?;
    let platform = running.platform()?;
    for outage in [DiscoveryScript::status(502), DiscoveryScript::not_json()] {
        let before = platform.simulator().counters(APP_ID).discoveries;
        platform.simulator().set_discovery(APP_ID, outage)?;
        platform.simulator().drop_connections(APP_ID)?;
        platform
            .wait_until(|simulator| simulator.counters(APP_ID).discoveries >= before + 2)
            .await?;
        running.host.wait_for_readyz(503).await?;
        platform.simulator().set_discovery(APP_ID, DiscoveryScript::Normal)?;
        running.host.wait_for_readyz(200).await?;
        answers(&running).await?;
    }
    Ok(())
}

#[tokio::test]
async fn wrong_credentials_are_not_tried_again() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().long_connection_only().guest("version-a")?);
    let running = setup.start().await?;
    let platform = running.platform()?;
    let refused = DiscoveryScript::Refuse { code: 1_000_040_345, msg: "wrong secret".into() };
    platform.simulator().set_discovery(APP_ID, refused)?;
    platform.simulator().drop_connections(APP_ID)?;
    let line = running.host.log().wait_for(events::CONNECTION_GIVEN_UP, &[("app", APP_ID)]).await?;
    ensure!(line.text_of("reason").contains("1000040345"), "{}", line.text());
    let not_ready = running.host.wait_for_readyz(503).await?;
    ensure!(
        not_ready.text().contains("1000040345"),
        "it says what has to change: {}",
        not_ready.text()
    );
    Ok(())
}

#[tokio::test]
async fn an_app_may_have_several_connections() -> anyhow::Result<()> {
    let running = connected(App::default().connections(3).guest("version-a")?).await?;
    let platform = running.platform()?;
    platform.wait_until(|simulator| simulator.connected(APP_ID) == 3).await?;
    for _ in 0..12 {
        answers(&running).await?;
    }
    for connection in 1..=3 {
        let lines = running.host.log().lines(|line| line.is(events::CONNECTED, &[]));
        let found =
            lines.iter().any(|line| line.number_of("connection") == Some(f64::from(connection)));
        ensure!(found, "{connection}: {lines:?}");
    }
    Ok(())
}

#[tokio::test]
async fn pings_go_out_at_the_interval_the_platform_asks_for() -> anyhow::Result<()> {
    let every_second = ClientConfig {
        reconnect_count: -1,
        reconnect_interval: 1,
        reconnect_nonce: 0,
        ping_interval: 1,
    };
    let running = connected(App::default()).await?;
    let platform = running.platform()?;
    // The first connection's own ping may still be on its way when the host says that it is up.
    platform.wait_until(|simulator| simulator.counters(APP_ID).pings == 1).await?;
    platform.simulator().set_client_config(APP_ID, every_second)?;
    platform.simulator().drop_connections(APP_ID)?;
    let started = Instant::now();
    platform.wait_until(|simulator| simulator.counters(APP_ID).pings >= 5).await?;
    // The first of the four pings is sent on connecting, the others a second apart.
    ensure!(
        started.elapsed() >= Duration::from_millis(2500),
        "{:?} for four pings",
        started.elapsed()
    );
    Ok(())
}

/// Fault: such a pong makes one official SDK flood the platform with pings, and stops another's pings for good.
#[tokio::test]
async fn a_pong_with_half_a_configuration_changes_nothing() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let app = App::default().long_connection_only().guest("captured-answers")?;
    let _running = Setup::new(app).against(wire.domain()).start().await?;
    let mut connection = wire.connection().await?;
    connection.receive().await?;
    let alive = &vectors::at("/data_frames/py/toast~1alive/sent_hex")?;
    for payload in [
        "",
        "{}",
        "{\"PingInterval\":0}",
        "{\"PingInterval\":-5}",
        "{\"PingInterval\":\"x\"}",
        "not json",
    ] {
        let mut pong = Frame::control(SERVICE_ID, "pong");
        pong.payload = Some(Bytes::from(payload));
        connection.send(pong.to_bytes()).await?;
        connection.send(Frame::control(SERVICE_ID, "ping").to_bytes()).await?;
        connection.send(hex::decode(alive.as_str().context("hex")?)?).await?;
        let reply = Frame::parse(connection.receive().await?)?;
        ensure!(reply.method != METHOD_CONTROL, "{payload:?} is answered with a ping: {reply:?}");
    }
    let silence = connection.receive_within(Duration::from_millis(1200)).await?;
    ensure!(silence.is_none(), "the interval is still two minutes: {silence:?}");
    Ok(())
}

#[tokio::test]
async fn a_reply_goes_to_the_connection_its_callback_came_by() -> anyhow::Result<()> {
    let mut wire = Wire::start().await?;
    let sidecar = json!({ "settings": { "millis": "300" } });
    let app = App::default().long_connection_only().connections(2).guest_with("slow", sidecar)?;
    let _running = Setup::new(app).against(wire.domain()).start().await?;
    let (mut one, mut other) = (wire.connection().await?, wire.connection().await?);
    one.receive().await?;
    other.receive().await?;
    let frame = vectors::bytes("/data_frames/py/toast~1card/sent_hex")?;
    one.send(frame).await?;
    let reply = Frame::parse(tokio::time::timeout(PATIENCE, one.receive()).await??)?;
    ensure!(reply.header("message_id").is_some(), "{reply:?}");
    ensure!(
        other.receive_within(Duration::from_millis(200)).await?.is_none(),
        "the other hears nothing of it"
    );
    Ok(())
}
