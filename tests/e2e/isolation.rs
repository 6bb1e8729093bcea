//! Whatever a plugin does, its callback gets a well-formed answer, and other callbacks are not affected.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Response;
use aviary_e2e::metrics::Metrics;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::endless;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

/// Memory limit of the host in bytes while sixteen guests hoard: several times its idle memory, and a fraction of a megabyte of
/// handles for each of them.
#[cfg(target_os = "linux")]
const MEMORY_OF_A_BUSY_HOST: u64 = 512 * 1024 * 1024;

/// Starts a host whose plugins handle events while the platform waits, so that every type has an answer.
async fn webhook(app: App) -> anyhow::Result<Running> {
    Setup::new(app.webhook_only().acknowledging_when_done()).start().await
}

/// Returns one callback of every type, with its type's name.
fn one_of_each() -> [(&'static str, Value); 4] {
    [
        ("card.action.trigger", sender::click("b")),
        ("url.preview.get", sender::preview("https://example.com/x")),
        ("card.action.trigger_v1", sender::legacy_click("b")),
        ("im.message.receive_v1", sender::event()),
    ]
}

/// Checks that the host's own answer has the shape of its callback's type and contains nothing from the guest.
fn is_the_host_s_own_answer(kind: &str, response: &Response, toast: &str) -> anyhow::Result<()> {
    let text = response.text();
    match kind {
        "card.action.trigger" | "card.action.trigger_v1" => {
            ensure!(response.status == 200, "{kind}: {} {text}", response.status);
            ensure!(response.text_at("/toast/type") == toast, "{kind}: {text}");
            ensure!(!response.toast().is_empty(), "{kind}: {text}");
            ensure!(!response.text_at("/toast/i18n/zh_cn").is_empty(), "{kind}: {text}");
        }
        "url.preview.get" => {
            ensure!(response.status == 200, "{kind}: {} {text}", response.status);
            ensure!(
                response.json()? == json!({ "inline": { "title": "https://example.com/x" } }),
                "{kind}: {text}"
            );
        }
        _ => {
            ensure!(
                response.status == 500,
                "{kind} must be sent again: {} {text}",
                response.status
            );
            ensure!(!response.text_at("/msg").is_empty(), "{kind}: {text}");
        }
    }
    Ok(())
}

/// Sends one callback of every type. The host answers each, with this outcome in one log line and one counter.
async fn every_type_ends_as(running: &Running, outcome: &str, toast: &str) -> anyhow::Result<()> {
    for (kind, body) in one_of_each() {
        let response = running.deliver(&body).await?;
        is_the_host_s_own_answer(kind, &response, toast)?;
        let lines =
            running.host.log().wait_for_count(1, events::CALLBACK, &[("type", kind)]).await?;
        ensure!(lines.len() == 1, "{kind}: {} lines for one callback", lines.len());
        ensure!(lines[0].text_of("outcome") == outcome, "{kind}: {}", lines[0].text());
    }
    let counted =
        |metrics: &Metrics| metrics.sum("aviary_callbacks_total", &[("outcome", outcome)]) == 4.0;
    let metrics = running.host.wait_for_metrics("every callback is counted once", counted).await?;
    ensure!(metrics.sum("aviary_callbacks_total", &[]) == 4.0, "{metrics:?}");
    Ok(())
}

#[tokio::test]
async fn a_trap_is_answered_for_every_type() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("trap")?).await?;
    every_type_ends_as(&running, "trap", "error").await?;
    // The guest's error message is for the operator.
    let printed = running.host.log().lines(|line| line.text().contains("a guest's own words"));
    ensure!(!printed.is_empty(), "the panic message is in no log line");
    let line =
        running.host.log().wait_for(events::CALLBACK, &[("type", "card.action.trigger")]).await?;
    let reason = line.text_of("reason");
    ensure!(reason.contains("a guest's own words"), "the reason does not say why: {reason}");
    Ok(())
}

#[tokio::test]
async fn out_of_fuel_is_answered_for_every_type() -> anyhow::Result<()> {
    let sidecar = json!({ "limits": { "fuel": 50_000_000 } });
    let running = webhook(App::default().guest_with("loop-forever", sidecar)?).await?;
    every_type_ends_as(&running, "out_of_fuel", "error").await?;
    let line =
        running.host.log().wait_for(events::CALLBACK, &[("type", "card.action.trigger")]).await?;
    let fuel = line.number_of("fuel").context("the line says how much fuel was used")?;
    ensure!((49_000_000.0..=50_000_000.0).contains(&fuel), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn a_failure_is_answered_for_every_type() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("failing")?).await?;
    every_type_ends_as(&running, "plugin_failure", "error").await?;
    let lines = running.host.log().lines(|line| line.is(events::CALLBACK, &[]));
    for line in lines {
        ensure!(
            line.text().contains("the budget service is down"),
            "the reason is missing: {}",
            line.text()
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_callback_without_a_handler_is_answered_for_every_type() -> anyhow::Result<()> {
    let running = webhook(App::default()).await?;
    for (kind, body) in one_of_each() {
        let response = running.deliver(&body).await?;
        if kind == "im.message.receive_v1" {
            // Sending it again would change nothing.
            ensure!(response.status == 200, "{} {}", response.status, response.text());
        } else {
            is_the_host_s_own_answer(kind, &response, "error")?;
        }
        running
            .host
            .log()
            .wait_for(events::CALLBACK, &[("type", kind), ("outcome", "no_handler")])
            .await?;
    }
    let counted = |metrics: &Metrics| {
        metrics.sum("aviary_callbacks_total", &[("outcome", "no_handler")]) == 4.0
    };
    running.host.wait_for_metrics("every callback is counted once", counted).await?;
    Ok(())
}

/// Checks that a click on this guest has that outcome and gets the host's own text.
async fn ends_as(guest: &str, sidecar: Value, outcome: &str) -> anyhow::Result<()> {
    let running = webhook(App::default().guest_with(guest, sidecar)?).await?;
    let click = sender::click("b");
    let response = running.deliver(&click).await?;
    is_the_host_s_own_answer("card.action.trigger", &response, "error")?;
    let line = running.callback_line(sender::event_id(&click)).await?;
    ensure!(line.text_of("outcome") == outcome, "{guest}: {}", line.text());
    ensure!(line.text_of("plugin") == guest, "{guest}: {}", line.text());
    let metrics = running.host.metrics().await?;
    ensure!(
        metrics.sum("aviary_callbacks_total", &[("outcome", outcome)]) == 1.0,
        "{guest}: {metrics:?}"
    );
    Ok(())
}

#[tokio::test]
async fn memory_is_limited() -> anyhow::Result<()> {
    ends_as("eat-memory", json!({}), "out_of_memory").await?;
    ends_as("eat-memory", json!({ "limits": { "memory_bytes": 4 * 1024 * 1024 } }), "out_of_memory")
        .await
}

#[tokio::test]
async fn the_stack_is_limited() -> anyhow::Result<()> {
    ends_as("overflow-stack", json!({}), "trap").await
}

#[tokio::test]
async fn the_reply_is_limited() -> anyhow::Result<()> {
    ends_as("huge-reply", json!({}), "invalid_reply").await
}

#[tokio::test]
async fn a_bad_card_is_dropped_and_the_toast_stays() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("invalid-card")?).await?;
    for button in ["not-json", "not-an-object", "too-large"] {
        let click = sender::click(button);
        let response = running.deliver(&click).await?;
        let expected = json!({ "toast": { "type": "success", "content": "kept" } });
        ensure!(
            response.status == 200 && response.json()? == expected,
            "{button}: {}",
            response.text()
        );
        let line = running.callback_line(sender::event_id(&click)).await?;
        ensure!(line.text_of("outcome") == "invalid_reply", "{button}: {}", line.text());
        let said = running.host.log().lines(|line| line.text().contains("/card"));
        ensure!(!said.is_empty(), "{button}: no line names the place in the reply");
    }
    let good = running.deliver(&sender::click("good")).await?;
    ensure!(good.text_at("/card/type") == "raw", "{}", good.text());
    Ok(())
}

#[tokio::test]
async fn a_doubtful_card_goes_out_and_is_warned_of_once() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("invalid-card")?).await?;
    for _ in 0..3 {
        let click = sender::click("doubtful");
        let response = running.deliver(&click).await?;
        ensure!(response.text_at("/card/type") == "raw", "{}", response.text());
        let line = running.callback_line(sender::event_id(&click)).await?;
        ensure!(line.text_of("outcome") == "answered", "{}", line.text());
    }
    let warned = running.host.log().lines(|line| line.is(events::CARD_WARNING, &[]));
    ensure!(warned.len() == 1, "{} warnings", warned.len());
    let path = "/card/data/config/wide_screen_mode";
    ensure!(warned[0].text_of("path") == path, "{}", warned[0].text());
    ensure!(warned[0].text_of("plugin") == "invalid-card", "{}", warned[0].text());
    Ok(())
}

#[tokio::test]
async fn json_handlers_are_checked_like_any_other() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("json-handler")?).await?;
    for (please, outcome) in
        [("trap", "trap"), ("fail", "plugin_failure"), ("answer badly", "invalid_reply")]
    {
        let mut click = sender::click("b");
        click["event"]["please"] = json!(please);
        let response = running.deliver(&click).await?;
        is_the_host_s_own_answer("card.action.trigger", &response, "error")?;
        let line = running.callback_line(sender::event_id(&click)).await?;
        ensure!(line.text_of("outcome") == outcome, "{please}: {}", line.text());
    }
    Ok(())
}

#[tokio::test]
async fn every_callback_gets_a_fresh_instance() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("counter")?).await?;
    for _ in 0..5 {
        let response = running.deliver(&sender::click("b")).await?;
        ensure!(
            response.toast() == "1",
            "the guest remembers an earlier callback: {}",
            response.text()
        );
    }
    Ok(())
}

/// Clicks that measure a healthy plugin.
const CLICKS: usize = 40;
/// Tolerated slowdown by runaways: each has a thread of lower priority, and two of them share the machine's two cores.
const SLOWER: u32 = 5;
/// Additional tolerance where a click is so quick that the scheduler's time slices decide.
const MARGIN: Duration = Duration::from_millis(100);

/// Clicks on the healthy plugin "counter", one after the other, while `goes_on` is true of the number of clicks. Returns the 95th
/// percentile of the latencies.
async fn healthy_clicks(
    running: &Running,
    goes_on: impl Fn(usize) -> bool,
) -> anyhow::Result<Duration> {
    let mut took = Vec::new();
    while goes_on(took.len()) {
        // A click that waits for the runaways gets the host's own text at the deadline.
        let response = running.deliver(&sender::click("healthy")).await?;
        ensure!(response.toast() == "1", "{}", response.text());
        took.push(response.elapsed);
    }
    took.sort();
    took.get(took.len() * 95 / 100).copied().context("no click was timed")
}

/// Checks that a healthy plugin stays about as quick as before until all runaways have been answered.
async fn stays_quick<T>(running: &Running, runaways: impl Future<Output = T>) -> anyhow::Result<T> {
    let alone = healthy_clicks(running, |count| count < CLICKS).await?;
    let answered = Cell::new(false);
    let runaways = async {
        let responses = runaways.await;
        answered.set(true);
        responses
    };
    let goes_on = |count| count < CLICKS || !answered.get();
    let (responses, meanwhile) = tokio::join!(runaways, healthy_clicks(running, goes_on));
    let (meanwhile, most) = (meanwhile?, SLOWER * alone + MARGIN);
    ensure!(meanwhile <= most, "{meanwhile:?} while others ran away, {alone:?} before");
    Ok(responses)
}

/// Makes eight calls of this guest that never return. A healthy plugin must be answered as quickly as before, and the eight must
/// be answered too.
async fn does_not_slow_a_healthy_plugin(guest: &str) -> anyhow::Result<()> {
    let mut sidecar = endless();
    sidecar["route"] = json!([{ "action_name": "endless" }]);
    let app = App::default().webhook_only().guest_with(guest, sidecar)?.guest("counter")?;
    let setup = Setup::new(app).set("deadline", "late_ms", 5000).set("guests", "threads", 2);
    let running = setup.start().await?;
    let endless = sender::click("endless");
    let endless = join_all((0..8).map(|_| running.deliver(&endless)));
    for response in stays_quick(&running, endless).await? {
        let response = response?;
        // The call ends by its budget or by the clock, whichever is first.
        let kind = response.text_at("/toast/type");
        ensure!(matches!(kind.as_str(), "info" | "error"), "{guest}: {}", response.text());
        is_the_host_s_own_answer("card.action.trigger", &response, &kind)?;
    }
    Ok(())
}

#[tokio::test]
async fn spinning_plugins_do_not_slow_a_healthy_one() -> anyhow::Result<()> {
    does_not_slow_a_healthy_plugin("loop-forever").await
}

/// Calls of a plugin that was quick begin on the I/O threads. One that suddenly spins must not hold up other callbacks.
#[tokio::test]
async fn a_plugin_that_was_quick_may_still_begin_to_spin() -> anyhow::Result<()> {
    let mut sidecar = endless();
    sidecar["route"] = json!([{ "action_name": "changes" }]);
    let app = App::default().webhook_only().guest_with("as-asked", sidecar)?.guest("counter")?;
    let running = Setup::new(app).start().await?;
    let asked = |what: &str| sender::click_with("changes", json!({ "do": what }));
    for _ in 0..5 {
        let response = running.deliver(&asked("toast")).await?;
        ensure!(response.toast() == "ok", "{}", response.text());
    }
    let spin = asked("spin");
    let spinning = join_all((0..8).map(|_| running.deliver(&spin)));
    for response in stays_quick(&running, spinning).await? {
        is_the_host_s_own_answer("card.action.trigger", &response?, "info")?;
    }
    Ok(())
}

#[tokio::test]
async fn few_instructions_that_do_much_do_not_slow_a_healthy_plugin() -> anyhow::Result<()> {
    does_not_slow_a_healthy_plugin("fill-memory").await
}

#[tokio::test]
async fn calls_that_keep_the_host_busy_do_not_slow_a_healthy_plugin() -> anyhow::Result<()> {
    does_not_slow_a_healthy_plugin("shout").await
}

// Only Linux reports the peak memory of another process in a file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_host_s_own_memory_is_limited() -> anyhow::Result<()> {
    let mut running = webhook(
        App::default()
            .guest("hoard-handles")?
            .guest_with("counter", json!({ "route": [{ "action_name": "healthy" }] }))?,
    )
    .await?;
    let click = sender::click("b");
    let calls = join_all((0..16).map(|_| running.deliver(&click)));
    for response in calls.await {
        is_the_host_s_own_answer("card.action.trigger", &response?, "error")?;
    }
    let largest = running.host.largest_memory()?;
    ensure!(largest < MEMORY_OF_A_BUSY_HOST, "the host grew to {largest} bytes");
    ensure!(running.host.is_running(), "the host is gone");
    ensure!(running.deliver(&sender::click("healthy")).await?.toast() == "1", "it answers others");
    Ok(())
}

#[tokio::test]
async fn one_plugin_cannot_take_every_place() -> anyhow::Result<()> {
    let slow = json!({ "route": [{ "action_name": "slow" }], "limits": { "calls": 1 } });
    let app = App::default().guest_with("slow", slow)?.guest("counter")?;
    let running = Setup::new(app.webhook_only()).set("deadline", "soft_ms", 1500).start().await?;
    let (first, second, healthy) =
        (sender::click("slow"), sender::click("slow"), sender::click("healthy"));
    let (one, other, healthy) =
        tokio::join!(running.deliver(&first), running.deliver(&second), running.deliver(&healthy),);
    ensure!(healthy?.toast() == "1", "the other plugin is not affected");
    let (one, other) = (one?, other?);
    ensure!(one.status == 200 && other.status == 200, "{} {}", one.text(), other.text());
    let first = running.callback_line(sender::event_id(&first)).await?;
    let second = running.callback_line(sender::event_id(&second)).await?;
    let mut outcomes = [first.text_of("outcome"), second.text_of("outcome")];
    outcomes.sort_unstable();
    ensure!(outcomes == ["deadline", "overload"], "{outcomes:?}");
    Ok(())
}

#[tokio::test]
async fn a_guest_reaches_nothing_that_was_not_granted() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let sidecar = json!({ "settings": { "address": listener.local_addr()?.to_string() } });
    let running = webhook(App::default().guest_with("reaches-out", sidecar)?).await?;
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.toast() == "nothing", "the guest got at {}", response.text());
    Ok(())
}

#[tokio::test]
async fn a_guest_never_sees_the_verification_token() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("echo-raw")?).await?;
    let click = sender::click("b");
    let response = running.deliver(&click).await?;
    let seen: Value = serde_json::from_str(&response.toast()).context("the guest sees JSON")?;
    ensure!(!response.text().contains(aviary_e2e::VERIFICATION_TOKEN), "{}", response.text());
    let mut expected = click;
    if let Some(header) = expected["header"].as_object_mut() {
        header.remove("token");
    }
    ensure!(seen == expected, "apart from the token the guest sees what was sent: {seen}");
    Ok(())
}

#[tokio::test]
async fn a_guest_cannot_flood_the_log() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("log-flood")?).await?;
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.toast() == "flooded", "{}", response.text());
    running.host.log().wait_for(events::CALLBACK, &[]).await?;
    let written: usize =
        running.host.log().lines(|_| true).iter().map(|line| line.text().len()).sum();
    ensure!(written < 2 * 1024 * 1024, "{written} bytes of log for one callback");
    let longest = running.host.log().lines(|_| true).iter().map(|line| line.text().len()).max();
    ensure!(longest < Some(64 * 1024), "a line of {longest:?} bytes");
    Ok(())
}

#[tokio::test]
async fn what_a_guest_prints_goes_to_the_log_and_forges_nothing() -> anyhow::Result<()> {
    let running = webhook(App::default().guest("stdout")?).await?;
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.toast() == "printed", "{}", response.text());
    running.host.log().wait_for(events::CALLBACK, &[]).await?;
    for printed in ["printed by a guest", "complained by a guest"] {
        let lines = running.host.log().lines(|line| line.text().contains(printed));
        ensure!(lines.len() == 1 && lines[0].text_of("plugin") == "stdout", "{printed}: {lines:?}");
    }
    let forged =
        running.host.log().lines(|line| line.is(events::PLUGIN_LIVE, &[("plugin", "forged")]));
    ensure!(forged.is_empty(), "a guest forged a line: {forged:?}");
    ensure!(running.host.stdout().is_empty(), "{}", running.host.stdout().text());
    Ok(())
}
