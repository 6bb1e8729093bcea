//! All scenarios that are measured with clicks from outside.

use std::sync::Arc;

use aviary_e2e::APP_SECRET;
use aviary_e2e::VERIFICATION_TOKEN;
use lark_simulator::Simulator;
use lark_simulator::config::SimulatedApp;
use lark_simulator::config::SimulatorConfig;
use lark_wire::secret::Secret;

use crate::aviary::Plan;
use crate::click::Clicks;
use crate::contestant;
use crate::contestant::Contestant;
use crate::contestant::Who;
use crate::cores::Cores;
use crate::load::in_turns;
use crate::row::Row;
use crate::row::Scenario;
use crate::size::CONCURRENCY;
use crate::size::Size;

/// Measures every contestant's webhook, and the native ceiling.
pub(crate) async fn webhook(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let contestants = [Who::AviaryRust, Who::Native, Who::Node, Who::Python];
    over_the_webhook(Scenario::Webhook, &contestants, size.concurrencies, cores, size).await
}

/// Measures plugins in the SDKs' languages against the SDKs, which have no sandbox.
pub(crate) async fn interpreted(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let contestants = size.interpreted;
    over_the_webhook(Scenario::Interpreted, contestants, &[CONCURRENCY], cores, size).await
}

async fn over_the_webhook(
    scenario: Scenario,
    who: &[Who],
    concurrencies: &[usize],
    cores: Cores,
    size: Size,
) -> anyhow::Result<Vec<Row>> {
    let mut contestants = Vec::new();
    for who in who {
        contestants.extend(contestant::webhook(*who, cores).await?);
    }
    let contestants: Vec<_> = contestants.iter().collect();
    let clicks = Arc::new(Clicks::on("ok"));
    let mut rows = Vec::new();
    for concurrency in concurrencies {
        let samples = in_turns(&contestants, &clicks, *concurrency, size).await?;
        for (contestant, samples) in contestants.iter().zip(samples) {
            rows.extend(Row::new(scenario, contestant.who, *concurrency, samples));
        }
    }
    Ok(rows)
}

/// Measures every contestant's long connections.
pub(crate) async fn long_connection(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for connections in size.connections {
        let platform = platform().await?;
        let mut contestants = Vec::new();
        for who in [Who::AviaryRust, Who::Node, Who::Python] {
            let one = contestant::long_connection(who, &platform, *connections, cores).await?;
            contestants.extend(one);
        }
        let contestants: Vec<_> = contestants.iter().collect();
        let clicks = Arc::new(Clicks::on("ok"));
        let scenario = Scenario::LongConnection { connections: *connections };
        let samples = in_turns(&contestants, &clicks, CONCURRENCY, size).await?;
        for (contestant, samples) in contestants.iter().zip(samples) {
            rows.extend(Row::new(scenario, contestant.who, CONCURRENCY, samples));
        }
    }
    Ok(rows)
}

/// Measures Aviary with few connections and with many: each on a host of its own, all hosts running at once.
pub(crate) async fn connections(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let mut contestants = Vec::new();
    for connections in size.many_connections {
        let platform = platform().await?;
        let who = Who::AviaryRust;
        let one = contestant::long_connection(who, &platform, *connections, cores).await?;
        contestants.extend(one.map(|one| (Scenario::Connections { open: *connections }, one)));
    }
    compare(&contestants, size).await
}

/// Measures Aviary with few plugins and with many.
pub(crate) async fn plugins(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let mut contestants = Vec::new();
    for loaded in size.plugins {
        let plan = Plan::usual()?.with_further(loaded - 1)?;
        let one = contestant::aviary(&plan, cores).await?;
        contestants.push((Scenario::Plugins { loaded: *loaded }, one));
    }
    compare(&contestants, size).await
}

/// Measures Aviary with small clicks and with large ones.
pub(crate) async fn payloads(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let one = contestant::aviary(&Plan::usual()?, cores).await?;
    let mut rows = Vec::new();
    for bytes in size.payloads {
        let clicks = Arc::new(Clicks::of_size(*bytes));
        for samples in in_turns(&[&one], &clicks, CONCURRENCY, size).await? {
            let scenario = Scenario::Payload { bytes: *bytes };
            rows.extend(Row::new(scenario, one.who, CONCURRENCY, samples));
        }
    }
    Ok(rows)
}

/// Runs the same clicks against each contestant, in turns.
pub(crate) async fn compare(
    contestants: &[(Scenario, Contestant)],
    size: Size,
) -> anyhow::Result<Vec<Row>> {
    let all: Vec<_> = contestants.iter().map(|(_, contestant)| contestant).collect();
    let samples = in_turns(&all, &Arc::new(Clicks::on("ok")), CONCURRENCY, size).await?;
    let rows = contestants.iter().zip(samples).filter_map(|((scenario, contestant), samples)| {
        Row::new(*scenario, contestant.who, CONCURRENCY, samples)
    });
    Ok(rows.collect())
}

/// Starts a platform on which every contestant has an app of its own.
pub(crate) async fn platform() -> anyhow::Result<Arc<Simulator>> {
    let apps = [Who::AviaryRust, Who::Node, Who::Python].map(|who| SimulatedApp {
        verification_token: Some(Secret::new(VERIFICATION_TOKEN)),
        ..SimulatedApp::new(who.app(), Secret::new(APP_SECRET))
    });
    let config = SimulatorConfig::on_loopback(apps.to_vec());
    Ok(Arc::new(Simulator::start(config).await?))
}
