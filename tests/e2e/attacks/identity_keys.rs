//! The remembered answer of one user or tenant must never be given to another.

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Request;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

const LINK: &str = "https://example.com/1";

/// Starts a host that remembers answers, with a plugin that never gives the same number twice.
async fn remembering() -> anyhow::Result<Running> {
    let sidecar = json!({
        "grants": { "key_value": {} },
        "previews": { "fresh_secs": 3600 },
        "clicks": { "repeat_window_ms": 3_600_000 },
    });
    Setup::new(App::default().webhook_only().guest_with("counts", sidecar)?).start().await
}

/// Replaces the texts at these JSON pointers.
fn with(mut callback: Value, changes: &[(&str, Value)]) -> anyhow::Result<Value> {
    for (pointer, value) in changes {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        let parent = callback.pointer_mut(parent).and_then(Value::as_object_mut);
        ensure!(parent.is_some(), "{pointer} is nowhere");
        if let Some(parent) = parent {
            parent.insert(name.to_owned(), value.clone());
        }
    }
    Ok(callback)
}

#[tokio::test]
async fn a_preview_is_one_tenant_s_alone() -> anyhow::Result<()> {
    let running = remembering().await?;
    let (header, operator) = ("/header/tenant_key", "/event/operator/tenant_key");
    let viewers: [&[(&str, Value)]; 4] = [
        &[],
        // A visitor in a chat of the first tenant, and a user of the first tenant in the visitor's chat.
        &[(operator, json!("visitor"))],
        &[(header, json!("visitor"))],
        &[(header, json!("visitor")), (operator, json!("visitor"))],
    ];
    for round in 0..2 {
        for (index, viewer) in viewers.iter().enumerate() {
            let request = with(sender::preview(LINK), viewer)?;
            let title = running.deliver(&request).await?.text_at("/inline/title");
            ensure!(title == (index + 1).to_string(), "viewer {index}, round {round}: {title}");
        }
    }
    let nobody_s = [(header, json!("")), (operator, json!(""))];
    for number in 5..7 {
        let request = with(sender::preview(LINK), &nobody_s)?;
        let title = running.deliver(&request).await?.text_at("/inline/title");
        ensure!(title == number.to_string(), "nobody knows whose it is, and it was kept: {title}");
    }
    Ok(())
}

#[tokio::test]
async fn a_preview_is_not_kept_for_others_unless_the_sidecar_says_so() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().guest("echo-fields")?).start().await?;
    for user in ["ou_1", "ou_2"] {
        let request = with(sender::preview(LINK), &[("/event/operator/open_id", json!(user))])?;
        let title = running.deliver(&request).await?.text_at("/inline/title");
        ensure!(title.contains(user), "{user} sees {title}");
    }
    Ok(())
}

#[tokio::test]
async fn a_click_is_one_person_s_alone() -> anyhow::Result<()> {
    let running = remembering().await?;
    let clicks: [&[(&str, Value)]; 14] = [
        &[],
        &[("/event/operator/tenant_key", json!("visitor"))],
        &[("/header/tenant_key", json!("visitor"))],
        &[("/event/operator/open_id", json!("ou_other"))],
        &[("/event/operator/union_id", json!("on_other"))],
        &[("/event/action/timezone", json!("Asia/Tokyo"))],
        &[("/event/action/timezone", json!("Europe/Berlin"))],
        &[("/event/action/options", json!(["checked"]))],
        &[("/event/action/checked", json!(true))],
        &[("/event/action/form_value", json!({ "a": "b" }))],
        &[("/event/action/input_value", json!(""))],
        &[("/event/context/open_chat_id", json!("oc_other"))],
        &[("/event/host", json!("im_top_notice"))],
        &[("/event/delivery_type", json!("url_preview"))],
    ];
    for round in 0..2 {
        for (index, changes) in clicks.iter().enumerate() {
            let click = with(sender::click("count"), changes)?;
            let toast = running.deliver(&click).await?.toast();
            ensure!(toast == (index + 1).to_string(), "{changes:?}, round {round}: {toast}");
        }
    }
    let stranger =
        [("/event/operator/open_id", json!("")), ("/event/operator/union_id", json!(""))];
    for number in 15..17 {
        let click = with(sender::click("count"), &stranger)?;
        let toast = running.deliver(&click).await?.toast();
        ensure!(toast == number.to_string(), "two strangers are not one: {toast}");
    }
    Ok(())
}

#[tokio::test]
async fn an_event_of_another_tenant_is_another_event() -> anyhow::Result<()> {
    let running = remembering().await?;
    let event = sender::event();
    let elsewhere = with(event.clone(), &[("/header/tenant_key", json!("visitor"))])?;
    for event in [&event, &event, &elsewhere, &elsewhere] {
        ensure!(running.deliver(event).await?.status == 200);
    }
    let is_done = |metrics: &Metrics| {
        metrics.sum("aviary_inbox_tries_total", &[("result", "done")]) == 2.0
            && metrics.sum("aviary_inbox_entries", &[]) == 0.0
    };
    running.host.wait_for_metrics("both events are done", is_done).await?;
    let look = running.deliver(&sender::click("look")).await?.toast();
    ensure!(look == "2", "{look} events were handled");
    Ok(())
}

#[tokio::test]
async fn an_instance_that_served_a_visitor_serves_only_visitors_of_that_tenant()
-> anyhow::Result<()> {
    let app = App::default().webhook_only().guest_with("remembers", json!({ "reuse": 1000 }))?;
    let running = Setup::new(app).start().await?;
    let operator = "/event/operator/tenant_key";
    for (tenant, count) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")] {
        let click = with(sender::click("b"), &[(operator, json!(tenant))])?;
        let toast = running.deliver(&click).await?.toast();
        ensure!(toast == count, "operator of {tenant}: {toast}");
    }
    Ok(())
}

async fn series_of(running: &Running, plugin: &str) -> anyhow::Result<Vec<String>> {
    let text = Request::get("/metrics").send(running.host.admin().await?).await?.text();
    let label = format!("plugin=\"{plugin}\"");
    Ok(text.lines().filter(|line| line.contains(&label)).map(str::to_owned).collect())
}

#[tokio::test]
async fn series_of_a_removed_plugin_leave_and_begin_anew() -> anyhow::Result<()> {
    let routed = |name: &str| json!({ "route": [{ "action_name": name }] });
    let app = App::default().webhook_only();
    let app = app.guest_with("counter", routed("a"))?.guest_with("version-a", routed("b"))?;
    let running = Setup::new(app).start().await?;
    for button in ["a", "a", "b"] {
        ensure!(running.deliver(&sender::click(button)).await?.status == 200);
    }
    let total = [("plugin", "counter"), ("outcome", "answered")];
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_callbacks_total", &total) == 2.0, "{metrics:?}");
    let (file, aside) = (running.plugin_file("counter.wasm"), running.plugin_file("counter.aside"));
    std::fs::rename(&file, &aside)?;
    running.host.log().wait_for(events::PLUGIN_REMOVED, &[("plugin", "counter")]).await?;
    ensure!(running.deliver(&sender::click("a")).await?.status == 200, "nobody takes it");
    let left = series_of(&running, "counter").await?;
    ensure!(left.is_empty(), "{left:#?}");
    ensure!(!series_of(&running, "version-a").await?.is_empty(), "the others stay");
    std::fs::rename(&aside, &file)?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "counter")]).await?;
    ensure!(running.deliver(&sender::click("a")).await?.toast() == "1");
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_callbacks_total", &total) == 1.0, "it begins anew: {metrics:?}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_outlives_its_plugin_brings_no_series_back() -> anyhow::Result<()> {
    let settings = json!({ "settings": { "millis": "1500" } });
    let app = App::default().webhook_only().guest_with("slow", settings)?;
    let running = Setup::new(app).start().await?;
    let click = sender::click("b");
    let (answer, removed) = tokio::join!(running.deliver(&click), async {
        running.host.log().wait_for(events::PLUGIN_LOG, &[("text", "slow begins")]).await?;
        std::fs::remove_file(running.plugin_file("slow.wasm"))?;
        running.host.log().wait_for(events::PLUGIN_REMOVED, &[("plugin", "slow")]).await
    });
    removed?;
    ensure!(answer?.toast() == "slow", "the call goes on");
    running.callback_line(sender::event_id(&click)).await?;
    let left = series_of(&running, "slow").await?;
    ensure!(left.is_empty(), "{left:#?}");
    Ok(())
}
