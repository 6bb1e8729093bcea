//! A plugin that keeps failing is paused, and comes back when it is repaired or a call goes well.

use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Three failures in a row, then a pause that is longer than any of these tests.
fn three_failures() -> Value {
    json!({ "breaker": { "failures": 3, "pause_ms": 60_000, "max_pause_ms": 60_000 } })
}

async fn outcome(running: &Running, button: &str) -> anyhow::Result<String> {
    outcome_for(running, button, "ou_e2e").await
}

async fn outcome_for(running: &Running, button: &str, user: &str) -> anyhow::Result<String> {
    let click = sender::click_by(button, user);
    let response = running.deliver(&click).await?;
    ensure!(response.status == 200 && !response.toast().is_empty(), "{}", response.text());
    let line = running.callback_line(sender::event_id(&click)).await?;
    Ok(line.text_of("outcome").to_owned())
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_paused() -> anyhow::Result<()> {
    let healthy = json!({ "route": [{ "action_name": "healthy" }] });
    let app = App::default()
        .webhook_only()
        .guest_with("trap", three_failures())?
        .guest_with("counter", healthy)?;
    let running = Setup::new(app).start().await?;
    for user in ["ou_1", "ou_2", "ou_3"] {
        ensure!(outcome_for(&running, "b", user).await? == "trap", "the plugin is asked");
    }
    for user in ["ou_1", "ou_4", "ou_5"] {
        let outcome = outcome_for(&running, "b", user).await?;
        ensure!(outcome == "paused", "the plugin is not asked any more");
    }
    ensure!(outcome(&running, "healthy").await? == "answered", "others are not affected");
    let paused =
        |metrics: &Metrics| metrics.sum("aviary_plugin_paused", &[("plugin", "trap")]) == 1.0;
    running.host.wait_for_metrics("the pause is shown", paused).await?;
    Ok(())
}

#[tokio::test]
async fn a_repaired_plugin_begins_with_a_clean_record() -> anyhow::Result<()> {
    let trap = artifacts::guest("trap")?;
    let app = App::default().webhook_only().component("answer", trap, Some(three_failures()));
    let running = Setup::new(app).start().await?;
    for expected in ["trap", "trap", "trap", "paused"] {
        ensure!(outcome(&running, "b").await? == expected, "{expected} was expected");
    }
    running.drop_guest("version-a", "answer")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    ensure!(outcome(&running, "b").await? == "answered", "the new version is not paused");
    Ok(())
}

#[tokio::test]
async fn words_for_the_user_are_no_failure() -> anyhow::Result<()> {
    let app = App::default().webhook_only().guest_with("failing", three_failures())?;
    let running = Setup::new(app).start().await?;
    for _ in 0..10 {
        ensure!(outcome(&running, "user").await? == "plugin_failure", "it is asked every time");
    }
    Ok(())
}

#[tokio::test]
async fn a_paused_plugin_is_tried_again() -> anyhow::Result<()> {
    let pause = Duration::from_millis(300);
    let sidecar = json!({ "breaker": { "failures": 1, "pause_ms": 300, "max_pause_ms": 60_000 } });
    let app = App::default().webhook_only().guest_with("trap", sidecar)?;
    let running = Setup::new(app).start().await?;
    ensure!(outcome(&running, "b").await? == "trap", "the plugin is asked");
    let started = std::time::Instant::now();
    let is_tried = async || Ok(outcome(&running, "b").await? != "paused");
    eventually_is("it is tried again", is_tried).await?;
    ensure!(started.elapsed() >= pause - Duration::from_millis(50), "{:?}", started.elapsed());
    Ok(())
}
