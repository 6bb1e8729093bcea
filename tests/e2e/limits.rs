//! Limits of one call, and of the resources that a plugin may take from others.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::http::Response;
use aviary_e2e::log::LogLine;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Clicks, and returns the answer and the log line.
async fn click(running: &Running, button: &str) -> anyhow::Result<(Response, LogLine)> {
    let click = sender::click(button);
    let response = running.deliver(&click).await?;
    let line = running.callback_line(sender::event_id(&click)).await?;
    Ok((response, line))
}

async fn ends_as(guest: &str, limits: Value, outcome: &str) -> anyhow::Result<LogLine> {
    let app = App::default().guest_with(guest, json!({ "limits": limits }))?;
    let running = Setup::new(app.webhook_only()).start().await?;
    let (response, line) = click(&running, "b").await?;
    ensure!(response.text_at("/toast/type") == "error", "{guest}: {}", response.text());
    ensure!(line.text_of("outcome") == outcome, "{guest}: {}", line.text());
    Ok(line)
}

#[tokio::test]
async fn calls_of_the_host_cost_fuel() -> anyhow::Result<()> {
    let line = ends_as("host-calls", json!({ "fuel": 20_000_000 }), "out_of_fuel").await?;
    ensure!(line.number_of("ms") < Some(2000.0), "4000 calls take milliseconds: {}", line.text());
    Ok(())
}

#[tokio::test]
async fn a_reply_of_a_hundred_megabytes_is_not_read() -> anyhow::Result<()> {
    let line =
        ends_as("hundred-megabytes", json!({ "memory_bytes": 256 << 20 }), "invalid_reply").await?;
    ensure!(line.text_of("reason").contains("cannot be read"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn text_that_is_no_text_is_not_passed_on() -> anyhow::Result<()> {
    let line = ends_as("invalid-utf8", json!({}), "invalid_reply").await?;
    ensure!(line.text_of("reason").contains("cannot be read"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn the_log_of_a_call_has_a_limit_of_its_own() -> anyhow::Result<()> {
    let app = App::default().guest_with("log-flood", json!({ "limits": { "log_bytes": 500 } }))?;
    let running = Setup::new(app.webhook_only()).start().await?;
    let (response, _) = click(&running, "b").await?;
    ensure!(response.toast() == "flooded", "{}", response.text());
    let lines = running.host.log().lines(|line| line.is(events::PLUGIN_LOG, &[]));
    let written: usize = lines.iter().map(|line| line.text_of("text").len()).sum();
    ensure!(written > 0 && written <= 500, "{written} bytes");
    Ok(())
}

#[tokio::test]
async fn all_guests_together_have_a_memory_limit() -> anyhow::Result<()> {
    let app = App::default().guest("eat-memory")?;
    let setup = Setup::new(app.webhook_only()).set("guests", "memory_bytes", 8 << 20);
    let running = setup.start().await?;
    let (response, line) = click(&running, "b").await?;
    ensure!(response.text_at("/toast/type") == "warning", "{}", response.text());
    // The host is short of memory, and says so; the plugin stayed within its own limit.
    ensure!(line.text_of("outcome") == "overload", "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn plugins_that_hang_leave_room_for_the_others() -> anyhow::Result<()> {
    let hangs = |name: &str| json!({ "route": [{ "action_name": name }] });
    let component = artifacts::guest("slow")?;
    let names = ["hang-1", "hang-2", "hang-3"];
    let app = names.iter().fold(App::default().guest("counter")?, |app, name| {
        app.component(name, component.clone(), Some(hangs(name)))
    });
    let setup = Setup::new(app.webhook_only()).set("guests", "max_calls", 16);
    let running = setup.start().await?;
    let clicks: Vec<_> = (0..60).map(|index| sender::click(names[index % names.len()])).collect();
    let hanging = futures_util::future::join_all(clicks.iter().map(|click| running.deliver(click)));
    let healthy = async {
        // Each of the three holds at least as many calls as it gets outside the last quarter.
        running
            .host
            .log()
            .wait_for_count(8, events::PLUGIN_LOG, &[("text", "slow begins")])
            .await?;
        for _ in 0..20 {
            let (response, _) = click(&running, "healthy").await?;
            ensure!(response.toast() == "1", "{}", response.text());
        }
        anyhow::Ok(())
    };
    let (hung, healthy) = tokio::join!(hanging, healthy);
    healthy?;
    for response in hung {
        let response = response?;
        ensure!(response.status == 200 && !response.toast().is_empty(), "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn clicks_do_not_wait_behind_events() -> anyhow::Result<()> {
    // One place in all, and a plugin that holds it for half of what the answers may take.
    let settings = json!({ "settings": { "millis": "700" } });
    let app = App::default().guest_with("slow", settings)?;
    let setup =
        Setup::new(app.webhook_only().acknowledging_when_done()).set("guests", "max_calls", 1);
    let running = setup.start().await?;
    let (first, event, second) = (sender::event(), sender::event(), sender::click("b"));
    let begun = |count| running.host.log().wait_for_count(count, events::PLUGIN_LOG, &[]);
    let (one, other, clicked) = tokio::join!(
        running.deliver(&first),
        async {
            begun(1).await?;
            running.deliver(&event).await
        },
        async {
            // The event is waiting for the place by then.
            let waits = |metrics: &Metrics| metrics.sum("aviary_callbacks_waiting", &[]) == 1.0;
            running.host.wait_for_metrics("the event waits", waits).await?;
            running.deliver(&second).await
        }
    );
    ensure!(one?.status == 200 && other?.status == 200 && clicked?.toast() == "slow");
    let order = running.host.log().wait_for_count(3, events::CALLBACK, &[]).await?;
    let kinds: Vec<_> = order.iter().map(|line| line.text_of("type")).collect();
    ensure!(kinds[1] == "card.action.trigger", "the click went first: {kinds:?}");
    Ok(())
}
