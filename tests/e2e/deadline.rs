//! The answer is sent at the deadline, whatever the plugin does; a later reply of the plugin is shown afterwards.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::PATIENCE;
use aviary_e2e::http::Response;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::endless;
use futures_util::future::join_all;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The soft deadline of these tests.
const SOFT: Duration = Duration::from_millis(400);
/// Tolerated delay of an answer beyond the deadline on an idle machine.
const SLACK: Duration = Duration::from_millis(150);
/// Callbacks that are sent at once.
const TRIES: usize = 5;
/// Rounds of such callbacks until one answer comes at the deadline. A busy machine delays some of the answers; a host that is
/// late by itself delays the answers of every round.
const ROUNDS: usize = 6;
/// The platform waits no longer for any of them.
const PLATFORM: Duration = Duration::from_secs(3);

/// Starts a host whose answers are due after [`SOFT`].
pub(crate) async fn with_deadline(app: App) -> anyhow::Result<Running> {
    Setup::new(app).set("deadline", "soft_ms", 400).set("deadline", "late_ms", 10_000).start().await
}

/// Checks latencies by the host's own clock, which starts with the first byte: no answer came before the deadline or after the
/// platform had given up, and the quickest one came at the deadline.
fn are_on_time(what: &str, lines: &[LogLine]) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for line in lines {
        let ms = line.number_of("ms").context("the line says how long it took")?;
        took.push(Duration::from_secs_f64(ms / 1000.0));
    }
    took.sort();
    let (Some(quickest), Some(slowest)) = (took.first(), took.last()) else {
        anyhow::bail!("{what}: no answer was timed");
    };
    ensure!(*quickest >= SOFT, "{what}: answered in {took:?}, and the plugin has {SOFT:?}");
    ensure!(*quickest < SOFT + SLACK, "{what}: answered in {took:?}, and {SOFT:?} is the deadline");
    ensure!(*slowest < PLATFORM, "{what}: answered in {took:?}, and the platform has given up");
    Ok(())
}

/// Sends rounds of callbacks of one type, all of which the host answers at the deadline, until one answer is on time. Returns
/// the answers and the lines about them.
async fn rounds<T>(
    running: &Running,
    kind: &str,
    send: impl AsyncFn() -> anyhow::Result<Vec<T>>,
) -> anyhow::Result<(Vec<T>, Vec<LogLine>)> {
    let fields = [("type", kind), ("outcome", "deadline")];
    let mut answers = Vec::new();
    let mut left = ROUNDS;
    loop {
        answers.extend(send().await?);
        left -= 1;
        let count = answers.len();
        let lines = running.host.log().wait_for_count(count, events::CALLBACK, &fields).await?;
        match are_on_time(kind, &lines) {
            Ok(()) => return Ok((answers, lines)),
            Err(error) if left == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

/// The same through the webhook.
async fn at_the_deadline(
    running: &Running,
    kind: &str,
    callback: impl Fn() -> Value,
) -> anyhow::Result<(Vec<Response>, Vec<LogLine>)> {
    let send = async || {
        let bodies: Vec<_> = (0..TRIES).map(|_| callback()).collect();
        let answers = join_all(bodies.iter().map(|body| running.deliver(body))).await;
        answers.into_iter().collect()
    };
    rounds(running, kind, send).await
}

#[tokio::test]
async fn every_type_has_an_answer_at_the_deadline() -> anyhow::Result<()> {
    let running =
        with_deadline(App::default().webhook_only().guest("slow")?.acknowledging_when_done())
            .await?;
    let mut sent = 0;
    for (kind, click) in [
        ("card.action.trigger", sender::click as fn(&str) -> Value),
        ("card.action.trigger_v1", sender::legacy_click),
    ] {
        let click = || click("b");
        for response in at_the_deadline(&running, kind, click).await?.0 {
            sent += 1;
            let text = response.text();
            ensure!(response.status == 200, "{kind}: {text}");
            ensure!(response.text_at("/toast/type") == "info", "{kind}: {text}");
            ensure!(!response.text_at("/toast/i18n/zh_cn").is_empty(), "{kind}: {text}");
        }
    }
    let link = || sender::preview("https://example.com/x");
    for response in at_the_deadline(&running, "url.preview.get", link).await?.0 {
        sent += 1;
        ensure!(response.status == 200, "{}", response.text());
        let title = json!({ "inline": { "title": "https://example.com/x" } });
        ensure!(response.json()? == title, "{}", response.text());
    }
    for response in at_the_deadline(&running, "im.message.receive_v1", sender::event).await?.0 {
        sent += 1;
        let text = response.text();
        ensure!(response.status == 500, "an event that was not handled is sent again: {text}");
    }

    let metrics = running.host.metrics().await?;
    let counted = metrics.sum("aviary_callbacks_total", &[("outcome", "deadline")]);
    ensure!(counted == f64::from(sent), "{sent} were sent: {metrics:?}");
    Ok(())
}

#[tokio::test]
async fn every_type_has_an_answer_at_the_deadline_of_the_long_connection() -> anyhow::Result<()> {
    let running = with_deadline(
        App::default().long_connection_only().guest("slow")?.acknowledging_when_done(),
    )
    .await?;
    let platform = running.platform()?;
    let seen = async |kind: &str, callback: fn() -> Delivery| {
        let send = async || {
            let callbacks: Vec<_> = (0..TRIES).map(|_| callback()).collect();
            let seen = join_all(callbacks.iter().map(|callback| platform.send(callback))).await;
            seen.into_iter().collect()
        };
        let (seen, _) = rounds(&running, kind, send).await?;
        for seen in &seen {
            ensure!(seen.error().is_none(), "{seen:?}");
        }
        Ok(seen)
    };
    let click = || Delivery::json(DeliveryKind::CardAction, sender::click("b"));
    for click in seen("card.action.trigger", click).await? {
        ensure!(click.toast_kind() == "info", "{click:?}");
    }
    let link = || Delivery::link_preview("https://example.com/x");
    for link in seen("url.preview.get", link).await? {
        let title = link.exchange().verdict.preview_title.as_deref();
        ensure!(title == Some("https://example.com/x"), "{link:?}");
    }
    let event = || Delivery::event("im.message.receive_v1", json!({}));
    for event in seen("im.message.receive_v1", event).await? {
        ensure!(event.exchange().code == Some(500), "it is sent again: {event:?}");
        ensure!(!event.exchange().verdict.acknowledged, "{event:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_json_handler_has_the_same_deadline() -> anyhow::Result<()> {
    let running = with_deadline(App::default().webhook_only().guest("json-handler")?).await?;
    let click = || {
        let mut click = sender::click("b");
        click["event"]["please"] = json!("sleep");
        click
    };
    for response in at_the_deadline(&running, "card.action.trigger", click).await?.0 {
        ensure!(response.text_at("/toast/type") == "info", "{}", response.text());
    }
    let unknown = || sender::callback("profile.view.get", json!({ "please": "sleep" }));
    for response in at_the_deadline(&running, "profile.view.get", unknown).await?.0 {
        ensure!(response.status == 500, "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_spinning_plugin_does_not_delay_the_answer() -> anyhow::Result<()> {
    let running =
        with_deadline(App::default().webhook_only().guest_with("loop-forever", endless())?).await?;
    let click = || sender::click("b");
    let (responses, lines) = at_the_deadline(&running, "card.action.trigger", click).await?;
    for response in responses {
        ensure!(response.text_at("/toast/type") == "info", "{}", response.text());
    }
    for line in lines {
        ensure!(line.text_of("plugin") == "loop-forever", "{}", line.text());
    }
    Ok(())
}

/// The deadline of the two tests below, where a callback arrives in parts, as over a slow line.
const SLOW_LINE_SOFT: Duration = Duration::from_millis(1500);
/// Time between the first part and the rest.
const FIRST_PART_ALONE: Duration = Duration::from_millis(1200);

/// Checks that the host's clock started with the first part. Had it started with the second, its time would miss the pause
/// between them.
async fn the_first_part_counts(running: &Running, elapsed: Duration) -> anyhow::Result<()> {
    let line = running.host.log().wait_for(events::CALLBACK, &[("outcome", "deadline")]).await?;
    let ms = line.number_of("ms").context("the line says how long it took")?;
    let missed = elapsed.saturating_sub(Duration::from_secs_f64(ms / 1000.0));
    ensure!(missed < FIRST_PART_ALONE, "{elapsed:?} since the first byte: {}", line.text());
    Ok(())
}

#[tokio::test]
async fn the_clock_starts_at_the_first_byte() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().webhook_only().guest("slow")?);
    let running =
        setup.set("deadline", "soft_ms", SLOW_LINE_SOFT.as_millis() as u64).start().await?;
    let body = sender::click("b").to_string();
    let head = format!(
        "POST /callback HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = head + &body;
    // The first part ends in the middle of the head.
    let (first, rest) = request.as_bytes().split_at(20);
    let mut stream = TcpStream::connect(running.webhook().await?).await?;
    let started = Instant::now();
    stream.write_all(first).await?;
    tokio::time::sleep(FIRST_PART_ALONE).await;
    stream.write_all(rest).await?;
    let mut received = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await??;
    let elapsed = started.elapsed();
    let response = Response::parse(&received, elapsed)?;
    ensure!(response.text_at("/toast/type") == "info", "{}", response.text());
    the_first_part_counts(&running, elapsed).await
}

#[tokio::test]
async fn the_clock_starts_at_the_first_fragment() -> anyhow::Result<()> {
    let setup = Setup::new(App::default().long_connection_only().guest("slow")?);
    let running =
        setup.set("deadline", "soft_ms", SLOW_LINE_SOFT.as_millis() as u64).start().await?;
    let click = Delivery::json(DeliveryKind::CardAction, sender::click("b"));
    let click = click.fragments(2).fragment_gap(FIRST_PART_ALONE);
    let seen = running.platform()?.send(&click).await?;
    ensure!(seen.toast_kind() == "info", "{seen:?}");
    the_first_part_counts(&running, seen.exchange().elapsed).await
}

#[tokio::test]
async fn a_late_card_is_shown_after_the_answer() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "900" } });
    let running = with_deadline(App::default().guest_with("late-card", sidecar)?).await?;
    let platform = running.platform()?;
    let url = running.webhook_url(&running.apps()[0]).await?;
    for (count, door) in [Door::LongConnection, Door::Webhook { url }].into_iter().enumerate() {
        let click = Delivery::json(DeliveryKind::CardAction, sender::click("b"));
        let seen = platform.send_by(&door, &click).await?;
        ensure!(seen.toast_kind() == "info" && seen.error().is_none(), "{door:?}: {seen:?}");
        platform.wait_until(|simulator| simulator.card_updates().len() == count + 1).await?;
        let update = &platform.simulator().card_updates()[count];
        ensure!(update.code == 0, "{door:?}: {update:?}");
        ensure!(Some(&update.token) == click.update_token().as_ref(), "{door:?}: {update:?}");
        let early = platform.simulator().early_card_updates();
        ensure!(early.is_empty(), "{door:?}: the update overtook the answer");
        let shown = update.card.pointer("/body/elements/0/content").and_then(Value::as_str);
        ensure!(shown == Some("late"), "{door:?}: {update:?}");
    }
    running.host.log().wait_for_count(2, events::CARD_UPDATED, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_is_sent_once() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "700" } });
    let running = with_deadline(App::default().guest_with("slow", sidecar)?).await?;
    let platform = running.platform()?;
    let seen = platform.click("b").await?;
    ensure!(seen.toast_kind() == "info", "{seen:?}");
    // The plugin has ended, and its reply came after the answer.
    running.host.log().wait_for(events::LATE_REPLY, &[]).await?;
    let again = platform.click("b").await?;
    ensure!(again.toast_kind() == "info", "{again:?}");
    let counters = platform.simulator().counters(running.apps()[0].id());
    ensure!(
        counters.late_answers + counters.duplicate_answers + counters.stray_answers == 0,
        "{counters:?}"
    );
    Ok(())
}
