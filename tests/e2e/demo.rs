//! `aviary demo` shows every feature on a machine where nothing is configured, and reports in JSON what it showed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use serde_json::Value;

/// Time limit, long enough to build the example plugins.
const LONGEST: Duration = Duration::from_secs(300);

#[tokio::test]
async fn the_demo_ends_well_and_says_so_in_json() -> anyhow::Result<()> {
    // Built in advance, so that the time limit covers only the demo.
    artifacts::plugin("approval-card")?;
    let environment = [(
        "CARGO_TARGET_DIR".to_owned(),
        artifacts::target_folder()?.to_string_lossy().into_owned(),
    )];
    let mut demo =
        HostProcess::start(&["demo", "--json"], &artifacts::source_root(), &environment)?;
    let exit = demo.wait_at_most(LONGEST).await?;
    let said = demo.stdout().text();
    ensure!(exit.status.code() == Some(0), "{exit:?}: {said}");
    let report: Value =
        serde_json::from_str(&said).with_context(|| format!("one JSON object: {said}"))?;
    ensure!(report["ok"] == true, "{report:#}");

    let scenarios = report["scenarios"].as_array().context("scenarios")?;
    let mut seen = BTreeSet::new();
    for scenario in scenarios {
        for field in ["name", "door", "callback", "outcome"] {
            ensure!(scenario[field].is_string(), "{field}: {scenario}");
        }
        // One of the buttons has no handler.
        let plugin = &scenario["plugin"];
        ensure!(plugin.is_string() || plugin.is_null(), "{scenario}");
        for field in ["ms", "fuel"] {
            ensure!(
                scenario[field].is_number() || scenario[field].is_null(),
                "{field}: {scenario}"
            );
        }
        ensure!(scenario["ok"] == true, "{scenario}");
        let text = |field: &str| scenario[field].as_str().unwrap_or_default();
        seen.insert((text("callback").to_owned(), text("door").to_owned()));
    }
    for (callback, door) in [
        ("card.action.trigger", "long_connection"),
        ("card.action.trigger", "webhook"),
        ("url.preview.get", "long_connection"),
        ("url.preview.get", "webhook"),
        ("card.action.trigger_v1", "webhook"),
        ("im.message.receive_v1", "long_connection"),
        ("im.message.receive_v1", "webhook"),
        ("profile.view.get", "long_connection"),
        ("profile.view.get", "webhook"),
    ] {
        ensure!(
            seen.contains(&(callback.to_owned(), door.to_owned())),
            "{callback} by {door} is not shown: {seen:?}"
        );
    }

    let swap = &report["swap"];
    ensure!(swap["lost"] == 0, "{swap}");
    ensure!(swap["answered"].as_u64().is_some_and(|answered| answered > 0), "{swap}");
    ensure!(swap["versions"].as_u64().is_some_and(|versions| versions >= 2), "{swap}");
    let runaway = &report["runaway"];
    ensure!(runaway["ok"] == true, "{runaway}");
    ensure!(runaway["answered_ms"].as_f64().is_some_and(|ms| ms < 3000.0), "{runaway}");
    Ok(())
}
