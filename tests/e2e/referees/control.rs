//! Pings, pongs, and the configuration that they carry.

use std::time::Duration;

use aviary_e2e::vectors;
use lark_simulator::Simulator;
use lark_simulator::config::ClientConfig;
use lark_simulator::script::PongScript;

use crate::referees::contestant::CONFIG;
use crate::referees::contestant::Line;
use crate::referees::scenario::Scenario;

/// Observation time: long enough for three pings a second apart and for a flood on a busy machine, too short for an interval of
/// two minutes.
const LISTEN: Duration = Duration::from_secs(15);
/// More pings than an interval of one second gives in that time.
const FLOOD: u64 = 50;

pub(crate) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("the first ping", first_ping).all("at once, the captured bytes"),
        Scenario::new("PingInterval 1", |line: Line| async move { pings(&line, 0).await })
            .prepared(every_second)
            .all("one a second"),
        Scenario::new("a ping after a reconnect", ping_after_reconnect)
            .each("at once", "later", "at once")
            .fault("Python's pings go on as if the connection were the old one"),
        Scenario::new("a pong with another PingInterval", |line: Line| async move {
            line.wait("two pings", |line| line.counters().pings >= 2).await?;
            line.simulator().set_client_config(line.app(), CONFIG)?;
            let before = line.counters().pings;
            // The next ping is already due, and its pong carries the new configuration.
            line.wait("one more ping", |line| line.counters().pings > before).await?;
            pings(&line, before + 2).await
        })
        .prepared(every_second)
        .all("none"),
        with_pongs("pongs with an empty payload", "").all("one a second"),
        with_pongs("pongs that are not JSON", "pong").all("one a second"),
        with_pongs("pongs with `{}`", "{}")
            .each("one a second", "none", "a flood")
            .fault("Python never pings again; Node pings a thousand times a second"),
        with_pongs("pongs with PingInterval null", r#"{"PingInterval":null}"#)
            .each("one a second", "none", "a flood")
            .fault("Python never pings again; Node pings a thousand times a second"),
    ]
    .into_iter()
    .map(Scenario::without_handlers)
    .collect()
}

fn every_second(simulator: &Simulator, app: &str) -> anyhow::Result<()> {
    let config = ClientConfig { ping_interval: 1, ..CONFIG };
    Ok(simulator.set_client_config(app, config)?)
}

async fn first_ping(line: Line) -> anyhow::Result<String> {
    line.connected().await?;
    let pinged = |line: &Line| line.counters().pings > 0;
    if !line.sees(LISTEN, pinged).await {
        return Ok("later".to_owned());
    }
    let mut expected = lark_wire::frame::Frame::parse(
        vectors::bytes("/frames/ping_client_to_server/hex")?.into(),
    )?;
    expected.service = line.envelope()?.service;
    let ping = line.simulator().last_ping(line.app()).unwrap_or_default();
    let same = ping == expected.to_bytes();
    Ok(if same { "at once, the captured bytes" } else { "at once, other bytes" }.to_owned())
}

async fn ping_after_reconnect(line: Line) -> anyhow::Result<String> {
    line.connected().await?;
    line.wait("the first ping", |line| line.counters().pings > 0).await?;
    line.simulator().drop_connections(line.app())?;
    line.wait("a second connection", |line| line.counters().handshakes >= 2).await?;
    let again = line.sees(LISTEN, |line| line.counters().pings >= 2).await;
    Ok(if again { "at once" } else { "later" }.to_owned())
}

/// Builds a scenario in which every pong carries this payload.
fn with_pongs(name: &str, payload: &'static str) -> Scenario {
    Scenario::new(name, |line: Line| async move {
        line.wait("a ping", |line| line.counters().pings > 0).await?;
        // One more ping may be on its way.
        let outcome = pings(&line, 2).await?;
        // Ends a flood, which would disturb the other scenarios.
        line.simulator().set_pong(line.app(), PongScript::Normal)?;
        line.simulator().set_client_config(line.app(), CONFIG)?;
        Ok(outcome)
    })
    .prepared(move |simulator, app| {
        every_second(simulator, app)?;
        Ok(simulator.set_pong(app, PongScript::Payload(payload.into()))?)
    })
}

/// Returns how often the client pings from now on, without counting the first `uncounted`.
async fn pings(line: &Line, uncounted: u64) -> anyhow::Result<String> {
    line.connected().await?;
    let before = line.counters().pings.max(uncounted);
    line.sees(LISTEN, |line| line.counters().pings > before + FLOOD).await;
    Ok(match line.counters().pings.saturating_sub(before) {
        0 => "none",
        1 => "one",
        2..=FLOOD => "one a second",
        _ => "a flood",
    }
    .to_owned())
}
