//! A single user must not be able to block a plugin for all others.

use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Response;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use futures_util::future::join_all;
use serde_json::Value;
use serde_json::json;

/// Clicks of the flood, as many as in the attack that worked: more than the plugin may have calls.
const FLOOD: usize = 70;
/// Tolerated delay: a flood makes the machine busy, and this much later is still in time.
const BUSY: Duration = Duration::from_millis(1000);

/// Starts a host with a plugin that sleeps for shorter than the deadline.
async fn slow(millis: u64) -> anyhow::Result<Running> {
    let sidecar = json!({ "settings": { "millis": millis.to_string() } });
    Setup::new(App::default().webhook_only().guest_with("slow", sidecar)?).start().await
}

async fn outcome(running: &Running, callback: &Value) -> anyhow::Result<(String, Response)> {
    let response = running.deliver(callback).await?;
    ensure!(response.status == 200, "{}: {}", response.status, response.text());
    let line = running.callback_line(sender::event_id(callback)).await?;
    Ok((line.text_of("outcome").to_owned(), response))
}

#[tokio::test]
async fn a_flood_of_one_user_leaves_room_for_another() -> anyhow::Result<()> {
    let running = slow(1400).await?;
    let (quiet, response) = outcome(&running, &sender::click_by("b", "ou_other")).await?;
    ensure!(quiet == "answered" && response.toast() == "slow", "{quiet}: {}", response.text());
    let baseline = response.elapsed;
    let flood: Vec<_> = (0..FLOOD).map(|_| sender::click_by("b", "ou_flood")).collect();
    let flooding = join_all(flood.iter().map(|click| running.deliver(click)));
    let other = async {
        // The baseline has logged one of these lines; the flood's share of 64 places is 28.
        let begun = 1 + 28;
        running
            .host
            .log()
            .wait_for_count(begun, events::PLUGIN_LOG, &[("text", "slow begins")])
            .await?;
        outcome(&running, &sender::click_by("b", "ou_other")).await
    };
    let (flooded, other) = tokio::join!(flooding, other);
    let (other, response) = other?;
    ensure!(other == "answered" && response.toast() == "slow", "{other}: {}", response.text());
    let (took, most) = (response.elapsed, baseline + BUSY);
    ensure!(took < most, "{took:?} during the flood, {baseline:?} before it");
    for response in flooded {
        let response = response?;
        ensure!(response.status == 200 && !response.toast().is_empty(), "{}", response.text());
    }
    Ok(())
}

#[tokio::test]
async fn calls_that_never_end_leave_room_for_another() -> anyhow::Result<()> {
    // Longer than any call may take, so that no place of the flood is free again while the others click.
    let sidecar = json!({ "settings": { "millis": "60000" } });
    let app = App::default().webhook_only().guest_with("slow", sidecar)?;
    let running = Setup::new(app).set("deadline", "soft_ms", 300).start().await?;
    let mut begun = 0;
    for user in ["ou_1", "ou_2", "ou_3"] {
        let flood: Vec<_> = (0..FLOOD).map(|_| sender::click_by("b", user)).collect();
        for response in join_all(flood.iter().map(|click| running.deliver(click))).await {
            let response = response?;
            ensure!(response.status == 200 && !response.toast().is_empty(), "{}", response.text());
        }
        let now = running.host.log().lines(|line| line.text_of("text") == "slow begins").len();
        ensure!(now > begun, "{user} found no place; {begun} calls hang");
        begun = now;
    }
    ensure!(begun < 64, "three users have every place");
    let (last, _) = outcome(&running, &sender::click_by("b", "ou_4")).await?;
    ensure!(last == "deadline", "the plugin was called: {last}");
    Ok(())
}

fn crashing() -> anyhow::Result<App> {
    // Five failures pause by default, and for an hour here, so that nothing depends on how quick the machine is.
    let breaker = json!({ "pause_ms": 3_600_000, "max_pause_ms": 3_600_000 });
    let sidecar = json!({ "breaker": breaker, "limits": { "fuel": 1_000_000_000 } });
    App::default().webhook_only().guest_with("remembers", sidecar)
}

#[tokio::test]
async fn crashes_of_one_user_pause_the_plugin_for_that_user_alone() -> anyhow::Result<()> {
    let running = Setup::new(crashing()?).start().await?;
    let mut outcomes = Vec::new();
    for _ in 0..20 {
        outcomes.push(outcome(&running, &sender::click_by("trap", "ou_crash")).await?.0);
    }
    let paused = outcomes.split_off(5);
    ensure!(outcomes.iter().all(|outcome| outcome == "trap"), "{outcomes:?}");
    ensure!(paused.iter().all(|outcome| outcome == "paused"), "{paused:?}");
    let (other, response) = outcome(&running, &sender::click_by("b", "ou_other")).await?;
    ensure!(other == "answered" && response.toast() == "1", "{other}: {}", response.text());
    let (same, _) = outcome(&running, &sender::click_by("b", "ou_crash")).await?;
    ensure!(same == "paused", "the same user, whatever is clicked: {same}");
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_plugin_paused", &[]) == 0.0, "it is paused for nobody else");
    Ok(())
}

#[tokio::test]
async fn crashes_of_several_users_pause_it_for_all() -> anyhow::Result<()> {
    let running = Setup::new(crashing()?).start().await?;
    for user in ["ou_1", "ou_2", "ou_3", "ou_1", "ou_2"] {
        let (outcome, _) = outcome(&running, &sender::click_by("trap", user)).await?;
        ensure!(outcome == "trap", "{user}: {outcome}");
    }
    let (other, _) = outcome(&running, &sender::click_by("b", "ou_other")).await?;
    ensure!(other == "paused", "{other}");
    Ok(())
}

#[tokio::test]
async fn crashes_of_one_tenant_s_users_pause_it_for_that_tenant_alone() -> anyhow::Result<()> {
    let running = Setup::new(crashing()?).start().await?;
    let visitor = |button| {
        let mut click = sender::click_by(button, "ou_visitor");
        click["event"]["operator"]["tenant_key"] = json!("another tenant");
        click
    };
    let (before, _) = outcome(&running, &visitor("b")).await?;
    ensure!(before == "answered", "{before}");
    for user in ["ou_1", "ou_2", "ou_3", "ou_1", "ou_2"] {
        let (outcome, _) = outcome(&running, &sender::click_by("trap", user)).await?;
        ensure!(outcome == "trap", "{user}: {outcome}");
    }
    let (colleague, _) = outcome(&running, &sender::click_by("b", "ou_other")).await?;
    ensure!(colleague == "paused", "{colleague}");
    let (after, _) = outcome(&running, &visitor("b")).await?;
    ensure!(after == "answered", "{after}");
    Ok(())
}

#[tokio::test]
async fn one_sender_s_events_pause_no_clicks_of_others() -> anyhow::Result<()> {
    let breaker = json!({ "breaker": { "pause_ms": 3_600_000, "max_pause_ms": 3_600_000 } });
    let app = App::default().webhook_only().guest_with("trap", breaker)?.acknowledging_when_done();
    let running = Setup::new(app).start().await?;
    // One user clicks in any number of chats.
    let mut outcomes = Vec::new();
    for chat in 0..8 {
        let event = sender::callback(
            "im.message.receive_v1",
            json!({
                "sender": { "sender_id": { "open_id": "ou_crash" }, "sender_type": "user" },
                "message": { "chat_id": format!("oc_{chat}") },
            }),
        );
        running.deliver(&event).await?;
        let line = running.callback_line(sender::event_id(&event)).await?;
        outcomes.push(line.text_of("outcome").to_owned());
    }
    ensure!(outcomes[4] == "trap" && outcomes[5] == "paused", "{outcomes:?}");
    let (other, _) = outcome(&running, &sender::click_by("b", "ou_other")).await?;
    ensure!(other == "trap", "the plugin is asked: {other}");
    Ok(())
}
