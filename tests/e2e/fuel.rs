//! Fuel is reproducible: the same callback costs the same plugin the same number on every run.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

/// Sends the callback and returns its fuel.
async fn cost(running: &Running, callback: &serde_json::Value) -> anyhow::Result<f64> {
    let fields = [("event_id", sender::event_id(callback))];
    let before = running.host.log().lines(|line| line.is(events::CALLBACK, &fields)).len();
    running.deliver(callback).await?;
    let lines = running.host.log().wait_for_count(before + 1, events::CALLBACK, &fields).await?;
    let last = &lines[before];
    ensure!(last.text_of("outcome") == "answered", "{}", last.text());
    Ok(last.number_of("fuel").unwrap_or_default())
}

#[tokio::test]
async fn the_same_callback_costs_the_same_on_every_run() -> anyhow::Result<()> {
    let app = App::default().example("approval-card")?.webhook_only();
    let mut running = Setup::new(app).start().await?;
    let value = json!({ "kind": "leave", "decision": "approve", "applicant": "ou_applicant" });
    let click = sender::click_with("approve", value);
    let first = cost(&running, &click).await?;
    ensure!(first > 0.0);
    for _ in 0..3 {
        ensure!(cost(&running, &click).await? == first);
    }
    running.host.kill().await?;
    running.restart().await?;
    let again = cost(&running, &click).await?;
    ensure!(again == first, "{first}, and after a restart {again}");
    Ok(())
}
