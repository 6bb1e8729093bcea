//! Once-only handling: events that are sent again, buttons that are clicked twice, updates left by a host that is gone; on one
//! host, and on several that share a store.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::host::HostProcess;
use aviary_e2e::http::Response;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::redis::RedisServer;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use lark_simulator::script::CardUpdateScript;
use serde_json::Value;
use serde_json::json;

fn counting(more: Value) -> anyhow::Result<Setup> {
    let mut sidecar = json!({ "grants": { "key_value": {} } });
    if let (Some(sidecar), Value::Object(more)) = (sidecar.as_object_mut(), more) {
        sidecar.extend(more);
    }
    Ok(Setup::new(App::default().webhook_only().guest_with("counts", sidecar)?))
}

fn event(body: Value) -> Value {
    sender::callback("im.message.receive_v1", body)
}

async fn count(running: &Running) -> anyhow::Result<String> {
    let mut click = sender::click("look");
    // A different click each time, because the host would repeat its answer to the same click.
    click["event"]["action"]["value"] = json!({ "look": sender::event_id(&click) });
    Ok(running.deliver(&click).await?.toast())
}

/// Waits until so many events were handled, and no more.
async fn is_counted(running: &Running, expected: &str) -> anyhow::Result<()> {
    eventually_is("the events are handled", async || Ok(count(running).await? == expected)).await
}

fn is_taken(response: &Response) -> anyhow::Result<()> {
    ensure!(response.status == 200, "{}: {}", response.status, response.text());
    Ok(())
}

#[tokio::test]
async fn an_empty_id_is_no_id_and_equals_no_other() -> anyhow::Result<()> {
    let running = counting(json!({}))?.start().await?;
    let mut events = Vec::new();
    for department in ["a", "b"] {
        events.push(json!({
            "ts": "", "uuid": "", "token": aviary_e2e::VERIFICATION_TOKEN, "type": "",
            "event": { "type": "dept_delete", "app_id": aviary_e2e::APP_ID, "open_department_id": department },
        }));
        for id in [json!(""), json!(null)] {
            let mut event = event(json!({ "department": department }));
            event["header"]["event_id"] = id;
            events.push(event);
        }
    }
    for event in &events {
        is_taken(&running.deliver(event).await?)?;
    }
    ensure!(count(&running).await? == events.len().to_string());
    Ok(())
}

#[tokio::test]
async fn an_event_is_handled_once_however_often_it_is_sent() -> anyhow::Result<()> {
    let mut running = counting(json!({}))?.start().await?;
    let (event, old) = (
        event(json!({})),
        json!({
            "uuid": "e2e-old-event", "token": aviary_e2e::VERIFICATION_TOKEN, "type": "event_callback",
            "event": { "type": "message", "app_id": aviary_e2e::APP_ID },
        }),
    );
    for response in join_all((0..4).map(|_| running.deliver(&event))).await {
        is_taken(&response?)?;
    }
    is_taken(&running.deliver(&old).await?)?;
    is_taken(&running.deliver(&old).await?)?;
    is_counted(&running, "2").await?;
    let is_empty = |metrics: &Metrics| {
        metrics.sum("aviary_inbox_tries_total", &[("result", "done")]) == 2.0
            && metrics.sum("aviary_inbox_entries", &[]) == 0.0
    };
    running.host.wait_for_metrics("both events are done", is_empty).await?;
    running.host.kill().await?;
    running.restart().await?;
    is_taken(&running.deliver(&event).await?)?;
    let line = running.callback_line(sender::event_id(&event)).await?;
    ensure!(line.text_of("outcome") == "repeated", "{}", line.text());
    ensure!(count(&running).await? == "2");
    Ok(())
}

#[tokio::test]
async fn an_event_that_was_not_handled_is_handled_again() -> anyhow::Result<()> {
    // Of a plugin that handles events while the platform waits.
    let when_done = json!({ "acknowledge": "when-done" });
    let running = counting(when_done)?.set("deadline", "soft_ms", 300).start().await?;
    let failing = event(json!({ "please": "fail" }));
    for _ in 0..2 {
        ensure!(running.deliver(&failing).await?.status == 500);
    }
    ensure!(count(&running).await? == "2");
    // The event is not acknowledged in time, but its call continues and counts like any other.
    let slow = event(json!({ "sleep_ms": 700 }));
    ensure!(running.deliver(&slow).await?.status == 500, "it may still fail");
    running.host.log().wait_for(events::LATE_REPLY, &[]).await?;
    is_taken(&running.deliver(&slow).await?)?;
    ensure!(count(&running).await? == "3");
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_too_old_is_not_handled() -> anyhow::Result<()> {
    let running = counting(json!({ "events": { "max_age_secs": 3600 } }))?.start().await?;
    let old = event(json!({}));
    is_taken(&running.deliver(&old).await?)?;
    let line = running.callback_line(sender::event_id(&old)).await?;
    ensure!(line.text_of("outcome") == "too_old", "{}", line.text());
    ensure!(count(&running).await? == "0");
    Ok(())
}

#[tokio::test]
async fn a_double_click_gets_the_first_click_s_answer() -> anyhow::Result<()> {
    let twice = json!({ "clicks": { "repeat_window_ms": 10_000 } });
    let running = counting(twice)?.start().await?;
    let click = |key: &str| sender::click_with("count", json!({ "key": key, "sleep_ms": 200 }));
    let (first, second) = (click("a"), click("a"));
    let (first, second) = tokio::join!(running.deliver(&first), running.deliver(&second));
    ensure!(first?.toast() == "1" && second?.toast() == "1", "both at once are one");
    ensure!(running.deliver(&click("a")).await?.toast() == "1", "and so is the next");
    ensure!(running.deliver(&click("b")).await?.toast() == "2", "another value is another click");
    let mut another = click("a");
    another["event"]["operator"]["open_id"] = json!("ou_other");
    ensure!(running.deliver(&another).await?.toast() == "3", "and so is another person's");
    Ok(())
}

#[tokio::test]
async fn hosts_that_share_a_server_see_an_event_once() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let shared = || -> anyhow::Result<Setup> {
        let twice = json!({ "clicks": { "repeat_window_ms": 10_000 } });
        Ok(counting(twice)?.set("store", "url", redis.url()))
    };
    let (one, other) = (shared()?.start().await?, shared()?.start().await?);
    for round in 1..=5 {
        let event = event(json!({ "sleep_ms": 20 }));
        let sent = (0..4).map(|n| (if n % 2 == 0 { &one } else { &other }).deliver(&event));
        for response in join_all(sent).await {
            is_taken(&response?)?;
        }
        is_counted(&one, &round.to_string()).await?;
    }
    let (first, second) = (sender::click("count"), sender::click("count"));
    let (first, second) = tokio::join!(one.deliver(&first), other.deliver(&second));
    ensure!(first?.toast() == "1" && second?.toast() == "1", "a double click over two hosts");
    Ok(())
}

/// One host promises an update and is killed; the other one sends it, once.
#[tokio::test]
async fn hosts_that_share_a_server_keep_each_other_s_promises() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let url = redis.url();
    let app = App::default().guest("defers")?;
    let mut one = Setup::new(app).set("store", "url", url.clone()).start().await?;
    let platform = one.platform()?;
    let simulator = platform.simulator();
    simulator
        .set_card_update(platform.app(), CardUpdateScript::Refuse { status: 500, code: 300_000 })?;
    let other = Setup::new(App::default().webhook_only().guest("defers")?)
        .set("store", "url", url)
        .against(platform.domain())
        .start()
        .await?;
    platform.click("b").await?;
    platform.wait_until(|simulator| !simulator.card_updates().is_empty()).await?;
    simulator
        .set_card_update(platform.app(), CardUpdateScript::Refuse { status: 500, code: 300_000 })?;
    let host: &mut HostProcess = &mut one.host;
    host.kill().await?;
    let platform = one.platform()?;
    platform.simulator().set_card_update(platform.app(), CardUpdateScript::Normal)?;
    other.host.log().wait_for(events::CARD_UPDATES_RESUMED, &[]).await?;
    let shown = |simulator: &lark_simulator::Simulator| {
        simulator.card_updates().iter().filter(|update| update.code == 0).count()
    };
    platform.wait_until(|simulator| shown(simulator) == 1).await?;
    other.host.log().wait_for(events::CARD_UPDATED, &[]).await?;
    ensure!(shown(platform.simulator()) == 1, "{:?}", platform.simulator().card_updates());
    Ok(())
}
