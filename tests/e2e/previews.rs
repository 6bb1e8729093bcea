//! Cached link previews: made once for all users who ask, and refreshed while an old one is shown.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::ensure;
use aviary_e2e::PATIENCE;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;

async fn keeping(previews: &Value) -> anyhow::Result<Running> {
    let sidecar = json!({ "grants": { "key_value": {} }, "previews": previews });
    Setup::new(App::default().webhook_only().guest_with("counts", sidecar)?).start().await
}

async fn title(running: &Running, request: &Value) -> anyhow::Result<String> {
    Ok(running.deliver(request).await?.text_at("/inline/title"))
}

#[tokio::test]
async fn a_preview_is_made_once_for_all_who_ask() -> anyhow::Result<()> {
    let running = keeping(&json!({ "fresh_secs": 3600 })).await?;
    let link = "https://example.com/1";
    let mut typing = sender::preview(link);
    if let Some(context) = typing["event"]["context"].as_object_mut() {
        context.retain(|name, _| name == "url");
    }
    let requests: Vec<_> = (0..5).map(|_| sender::preview(link)).chain([typing.clone()]).collect();
    for title in join_all(requests.iter().map(|request| title(&running, request))).await {
        ensure!(title? == "1", "all of them at once are one");
    }
    ensure!(title(&running, &sender::preview(link)).await? == "1");
    ensure!(title(&running, &typing).await? == "1", "and so is who types it later");
    ensure!(title(&running, &sender::preview("https://example.com/2")).await? == "2");
    let mut elsewhere = sender::preview(link);
    elsewhere["header"]["tenant_key"] = json!("another tenant");
    ensure!(title(&running, &elsewhere).await? == "3", "nothing is shared between tenants");
    let fails = sender::preview("https://example.com/fails");
    for _ in 0..2 {
        ensure!(
            title(&running, &fails).await? == "https://example.com/fails",
            "no failure is kept"
        );
    }
    ensure!(title(&running, &sender::preview("https://example.com/3")).await? == "6");
    Ok(())
}

#[tokio::test]
async fn an_old_preview_serves_while_another_is_made() -> anyhow::Result<()> {
    let running = keeping(&json!({ "fresh_secs": 1, "stale_secs": 3600 })).await?;
    let link = "https://example.com/1";
    ensure!(title(&running, &sender::preview(link)).await? == "1");
    let mut seen = BTreeSet::new();
    let started = Instant::now();
    while seen.len() < 2 {
        ensure!(started.elapsed() < PATIENCE, "it is never made anew: {seen:?}");
        let request = sender::preview(link);
        seen.insert(title(&running, &request).await?);
        let line = running.callback_line(sender::event_id(&request)).await?;
        ensure!(line.text_of("outcome") == "cached", "somebody had to wait: {}", line.text());
    }
    ensure!(seen == ["1", "2"].map(str::to_owned).into(), "{seen:?}");
    Ok(())
}
