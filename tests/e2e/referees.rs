//! The official SDKs as referees: they and the host go through the same scenarios against the same simulator. What the
//! SDKs accept is what the simulator may send; where the host does something else, an SDK's fault is named.
//!
//! The outcomes of the SDKs are asserted as well, so that a new version of one shows what it changed.

pub(crate) mod contestant;
mod control;
mod dialing;
mod fragments;
mod messages;
mod scenario;
pub(crate) mod table;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;

use crate::referees::contestant::Contestant;
use crate::referees::contestant::Field;
use crate::referees::scenario::Scenario;

/// Time limit of all scenarios, once everything is built, on a busy machine. They run at the same time, and the slowest of them
/// listens for half a minute.
const WHOLE_MATCH: Duration = Duration::from_secs(240);

/// Returns all scenarios by chapter, in the order of the table.
fn chapters() -> anyhow::Result<Vec<(&'static str, Vec<Scenario>)>> {
    Ok(vec![
        ("Connecting", dialing::conditions()?),
        ("Staying connected", dialing::stories().into_iter().chain(control::all()).collect()),
        ("Messages over the long connection", messages::all()),
        ("Fragments", fragments::all()),
        ("Webhook", webhook::all()),
    ])
}

/// Returns the scenarios about connecting, for tests of the host alone.
pub(crate) fn connecting() -> anyhow::Result<Vec<Scenario>> {
    Ok(dialing::conditions()?.into_iter().chain(dialing::stories()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_host_and_the_official_sdks_do_as_the_table_says() -> anyhow::Result<()> {
    let scenarios: Vec<_> = chapters()?.into_iter().flat_map(|(_, scenarios)| scenarios).collect();
    let everybody = [Contestant::Aviary, Contestant::Python, Contestant::Node];
    let wrong = surprises(&scenarios, &everybody).await?;
    ensure!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn the_host_is_equal_to_the_sdks_or_the_fault_is_named() -> anyhow::Result<()> {
    for scenario in chapters()?.into_iter().flat_map(|(_, scenarios)| scenarios) {
        let (equal, named) = (scenario.is_equal_for_all(), scenario.named_fault().is_some());
        ensure!(equal != named, "{}: a fault is named exactly where one is", scenario.name());
    }
    Ok(())
}

#[test]
fn the_table_in_the_readme_is_current() -> anyhow::Result<()> {
    table::check(&chapters()?)
}

/// Returns the outcomes that differ from the table.
pub(crate) async fn surprises(
    scenarios: &[Scenario],
    contestants: &[Contestant],
) -> anyhow::Result<Vec<String>> {
    let field = Field::start(scenarios, contestants).await?;
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    let mut names = BTreeMap::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        for who in field.present() {
            let Some(expected) = scenario.expected(who) else { continue };
            let run = scenario.run(field.line(index, scenario, who)?);
            let id = running.spawn(tokio::time::timeout(WHOLE_MATCH, run)).id();
            names.insert(id, (format!("{who:?}: {}", scenario.name()), expected.to_owned()));
        }
    }
    let mut wrong = Vec::new();
    while let Some(ended) = running.join_next_with_id().await {
        let (id, outcome) = ended.context("a scenario panicked")?;
        let (name, expected) = names.get(&id).context("every task has a name")?;
        let outcome = match outcome {
            Ok(Ok(outcome)) if outcome == *expected => continue,
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => format!("error: {error:#}"),
            Err(_) => "nothing in time".to_owned(),
        };
        wrong.push(format!("{name}: `{outcome}` and not `{expected}`"));
    }
    wrong.sort();
    if started.elapsed() > WHOLE_MATCH {
        wrong.push(format!("{:?} for everything", started.elapsed()));
    }
    Ok(wrong)
}
