//! The inbox: an event is stored, acknowledged and then handled for as long as it takes; in the order of its chat, with tries,
//! whatever happens to the host.

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::command::aviary;
use aviary_e2e::eventually::eventually;
use aviary_e2e::http::Request;
use aviary_e2e::log::LogLine;
use aviary_e2e::redis::RedisServer;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;

/// Milliseconds of a handler that is still busy when the test has seen what it wants to see.
const LONG_MS: u64 = 60_000;

/// Sets up a plugin whose events may ask it to fail or to take their time.
fn counting(more: Value) -> anyhow::Result<Setup> {
    let mut sidecar = json!({ "grants": { "key_value": {} } });
    if let (Some(sidecar), Value::Object(more)) = (sidecar.as_object_mut(), more) {
        sidecar.extend(more);
    }
    Ok(Setup::new(App::default().webhook_only().guest_with("counts", sidecar)?))
}

/// An event about a chat, which the guest logs under that name.
fn named(chat: &str, name: &str, more: Value) -> Value {
    let mut body = json!({ "message": { "chat_id": chat }, "name": name });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    sender::callback("im.message.receive_v1", body)
}

async fn is_taken(running: &Running, event: &Value) -> anyhow::Result<()> {
    let response = running.deliver(event).await?;
    ensure!(response.status == 200, "{}: {}", response.status, response.text());
    Ok(())
}

/// Waits until the guest has logged that line.
async fn said(running: &Running, text: &str) -> anyhow::Result<LogLine> {
    running.host.log().wait_for(events::PLUGIN_LOG, &[("text", text)]).await
}

/// Returns what the guest has logged so far.
fn lines(running: &Running) -> Vec<String> {
    let lines = running.host.log().lines(|line| line.is(events::PLUGIN_LOG, &[]));
    lines.iter().map(|line| line.text_of("text").to_owned()).collect()
}

async fn count(running: &Running) -> anyhow::Result<String> {
    let mut click = sender::click("look");
    click["event"]["action"]["value"] = json!({ "look": sender::event_id(&click) });
    Ok(running.deliver(&click).await?.toast())
}

#[tokio::test]
async fn a_long_event_is_acknowledged_at_once_and_handled_once() -> anyhow::Result<()> {
    let running = counting(json!({}))?.set("deadline", "soft_ms", 300).start().await?;
    let message = json!({ "message_id": "om_inbox", "chat_id": "oc_1" });
    // Five times as long as the answer may take.
    let long = named("oc_1", "long", json!({ "message": message, "sleep_ms": 1500 }));
    is_taken(&running, &long).await?;
    ensure!(!lines(&running).contains(&"long ends".to_owned()), "nobody waited for it");
    let mut same_message = named("oc_1", "again", json!({ "message": message }));
    for repeated in [&long, &same_message] {
        is_taken(&running, repeated).await?;
        let id = sender::event_id(repeated);
        let told = [("event_id", id), ("outcome", "repeated")];
        running.host.log().wait_for(events::CALLBACK, &told).await?;
    }
    let told = [("event_id", sender::event_id(&long)), ("outcome", "answered")];
    running.host.log().wait_for(events::CALLBACK, &told).await?;
    ensure!(lines(&running) == ["long begins, attempt 1", "long ends"], "{:?}", lines(&running));
    // Without an id, nothing is a repetition of anything.
    same_message["event"]["message"]["message_id"] = json!("");
    same_message["header"]["event_id"] = json!("");
    for _ in 0..2 {
        is_taken(&running, &same_message).await?;
    }
    let ends = [("text", "again ends")];
    running.host.log().wait_for_count(2, events::PLUGIN_LOG, &ends).await?;
    ensure!(count(&running).await? == "3");
    Ok(())
}

#[tokio::test]
async fn a_killed_host_handles_every_event_and_keeps_their_order() -> anyhow::Result<()> {
    let mut running = counting(json!({}))?.start().await?;
    let chats = ["oc_1", "oc_2", "oc_3"];
    for number in 0..3 {
        let events = chats.map(|chat| {
            named(
                chat,
                &format!("{chat} {number}"),
                json!({ "sleep_ms": if number == 0 { 300 } else { 0 } }),
            )
        });
        for sent in join_all(events.iter().map(|event| is_taken(&running, event))).await {
            sent?;
        }
    }
    said(&running, "oc_1 0 begins, attempt 1").await?;
    running.host.kill().await?;
    let before = lines(&running);
    running.restart().await?;
    for chat in chats {
        said(&running, &format!("{chat} 2 ends")).await?;
        let of_chat = |lines: Vec<String>| {
            let ends = lines.into_iter().filter(|line| line.ends_with("ends"));
            ends.filter(|line| line.starts_with(chat)).collect::<Vec<_>>()
        };
        let mut ended = of_chat(before.clone());
        for again in of_chat(lines(&running)) {
            if ended.last() != Some(&again) {
                ended.push(again);
            }
        }
        let expected = [0, 1, 2].map(|number| format!("{chat} {number} ends"));
        ensure!(ended == expected, "{ended:?}");
    }
    let begun = |name: &str, attempt: u32| format!("{name} begins, attempt {attempt}");
    let after = lines(&running);
    for number in 0..3 {
        let name = format!("oc_1 {number}");
        ensure!(!after.contains(&begun(&name, 1)), "it may have been begun before: {after:?}");
    }
    ensure!(after.contains(&begun("oc_1 2", 2)), "{after:?}");
    Ok(())
}

#[tokio::test]
async fn another_host_takes_over_what_a_killed_one_has_left() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let shared =
        || -> anyhow::Result<Setup> { Ok(counting(json!({}))?.set("store", "url", redis.url())) };
    let (mut one, other) = (shared()?.start().await?, shared()?.start().await?);
    // Whichever host has the first one is killed while the rest of the chat waits behind it.
    is_taken(&one, &named("oc_1", "first", json!({ "sleep_ms": 3000 }))).await?;
    said(&one, "first begins, attempt 1").await?;
    for name in ["second", "third"] {
        is_taken(&one, &named("oc_1", name, json!({}))).await?;
    }
    one.host.kill().await?;
    said(&other, "third ends").await?;
    let expected =
        ["first begins, attempt 2", "first ends", "second begins, attempt 1", "second ends"];
    let expected = [&expected[..], &["third begins, attempt 1", "third ends"]].concat();
    ensure!(lines(&other) == expected, "{:?}", lines(&other));
    // An event that the other host has handled is known to it, and so is one that this one has.
    ensure!(count(&other).await? == "4", "the first one was begun twice");
    Ok(())
}

#[tokio::test]
async fn a_chat_that_hangs_holds_up_itself_alone() -> anyhow::Result<()> {
    let running = counting(json!({}))?.start().await?;
    is_taken(&running, &named("oc_1", "hangs", json!({ "sleep_ms": LONG_MS }))).await?;
    is_taken(&running, &named("oc_1", "waits", json!({}))).await?;
    said(&running, "hangs begins, attempt 1").await?;
    for name in ["a", "b", "c"] {
        is_taken(&running, &named("oc_2", name, json!({ "sleep_ms": 50 }))).await?;
    }
    said(&running, "c ends").await?;
    let told = lines(&running);
    let ends: Vec<_> = told.iter().filter(|line| line.ends_with("ends")).collect();
    ensure!(ends == ["a ends", "b ends", "c ends"], "in their order: {told:?}");
    ensure!(!told.contains(&"waits begins, attempt 1".to_owned()), "{told:?}");
    let metrics = running.host.metrics().await?;
    let entries = |state| metrics.sum("aviary_inbox_entries", &[("state", state)]);
    ensure!(entries("waiting") == 2.0 && entries("working") == 1.0, "{metrics:?}");
    Ok(())
}

#[tokio::test]
async fn what_fails_is_tried_again_and_then_set_aside() -> anyhow::Result<()> {
    let running = counting(json!({ "work": { "tries": 2, "pause_ms": 10 } }))?.start().await?;
    is_taken(&running, &named("oc_1", "once", json!({ "please": "fail once" }))).await?;
    is_taken(&running, &named("oc_1", "behind", json!({}))).await?;
    said(&running, "behind ends").await?;
    let told = lines(&running);
    ensure!(
        told[..3] == ["once begins, attempt 1", "once begins, attempt 2", "once ends"],
        "{told:?}"
    );

    let (bad, hopeless) = (
        named("oc_1", "bad", json!({ "please": "fail" })),
        named("oc_2", "hopeless", json!({ "please": "fail for good" })),
    );
    is_taken(&running, &bad).await?;
    is_taken(&running, &hopeless).await?;
    let set_aside = |metrics: &aviary_e2e::metrics::Metrics| {
        metrics.sum("aviary_inbox_entries", &[("state", "set_aside")]) == 2.0
    };
    running.host.wait_for_metrics("two events are set aside", set_aside).await?;
    let tries = [("event_id", sender::event_id(&bad)), ("outcome", "plugin_failure")];
    running.host.log().wait_for_count(2, events::CALLBACK, &tries).await?;
    let begun = lines(&running);
    let of_hopeless = begun.iter().filter(|line| line.starts_with("hopeless")).count();
    ensure!(of_hopeless == 1, "its plugin says that another try would fail as well: {begun:?}");

    let admin = running.host.admin().await?.to_string();
    let ask = |arguments: &[&str]| {
        aviary(running.folder(), &[&["inbox", "--admin", &admin], arguments].concat())
    };
    let listed = ask(&["--json"])?;
    let list: Value = serde_json::from_str(&listed.stdout).with_context(|| listed.text())?;
    let entries = list["apps"][0]["entries"].as_array().context("a list")?;
    let id_of = |event: &Value| {
        let found = entries.iter().find(|entry| entry["event_id"] == sender::event_id(event));
        let found = found.with_context(|| format!("{list}"))?;
        ensure!(found["aside"] == true, "{found}");
        Ok(found["id"].to_string())
    };
    let (bad_id, hopeless_id) = (id_of(&bad)?, id_of(&hopeless)?);
    let table = ask(&[])?.text();
    ensure!(table.contains("2 set aside") && table.contains("as asked"), "{table}");
    let shown = ask(&["show", &bad_id])?.text();
    ensure!(shown.contains("\"please\":\"fail\"") && !shown.contains("token"), "{shown}");
    let dashboard = Request::get("/dashboard.json").send(running.host.admin().await?).await?;
    ensure!(dashboard.json()?["inbox"][0]["plugins"][0]["aside"] == 2, "{}", dashboard.text());

    ensure!(ask(&["retry", &bad_id])?.code == Some(0));
    running.host.log().wait_for_count(4, events::CALLBACK, &tries).await?;
    eventually("it is set aside again", async || {
        Ok(ask(&[])?.text().contains("2 set aside").then_some(()))
    })
    .await?;
    for id in [&bad_id, &hopeless_id] {
        ensure!(ask(&["drop", id])?.code == Some(0));
    }
    ensure!(ask(&["drop", &bad_id])?.code == Some(1), "it is gone");
    ensure!(ask(&[])?.text().contains("the inbox is empty"), "{}", ask(&[])?.text());
    Ok(())
}

#[tokio::test]
async fn an_event_without_room_is_not_acknowledged() -> anyhow::Result<()> {
    let running = counting(json!({ "work": { "entries": 1 } }))?.start().await?;
    is_taken(&running, &named("oc_1", "busy", json!({ "sleep_ms": LONG_MS }))).await?;
    let surplus = named("oc_2", "surplus", json!({}));
    ensure!(running.deliver(&surplus).await?.status == 500, "the platform keeps it");
    let line = running.callback_line(sender::event_id(&surplus)).await?;
    ensure!(line.text_of("outcome") == "overload", "{}", line.text());
    ensure!(line.text_of("reason").contains("work.entries"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn work_that_takes_too_long_is_ended() -> anyhow::Result<()> {
    let work = json!({ "work": { "time_ms": 1000, "tries": 1 } });
    let running = counting(work)?.start().await?;
    let endless = named("oc_1", "endless", json!({ "sleep_ms": LONG_MS }));
    is_taken(&running, &endless).await?;
    let limit = Duration::from_secs(30);
    let told = [("event_id", sender::event_id(&endless))];
    let line = running.host.log().wait_for_count_within(limit, 1, events::CALLBACK, &told).await?;
    ensure!(line[0].text_of("outcome") == "deadline", "{}", line[0].text());
    Ok(())
}
