//! Late cards, deferred updates and late previews, all of which follow the answer. The simulated platform checks their order and
//! their number.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::host::HostProcess;
use aviary_e2e::platform::Platform;
use aviary_e2e::platform::click;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::environment;
use futures_util::StreamExt as _;
use lark_simulator::Simulator;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use lark_simulator::script::CardUpdateScript;
use serde_json::json;

use crate::deadline::with_deadline;

/// Clicks of the test over both doors, each with two updates. The platform's limit of 50 updates a second determines how long it
/// takes.
const CLICKS: usize = 250;
/// Clicks under way at once.
const AT_ONCE: usize = 16;

/// Returns the texts of the cards that were shown, by update token, in order.
fn shown(simulator: &Simulator) -> BTreeMap<String, Vec<String>> {
    let mut shown = BTreeMap::<_, Vec<_>>::new();
    for update in simulator.card_updates().iter().filter(|update| update.code == 0) {
        let text = update.card["body"]["elements"][0]["content"].as_str().unwrap_or_default();
        shown.entry(update.token.clone()).or_default().push(text.to_owned());
    }
    shown
}

fn shown_count(simulator: &Simulator) -> usize {
    shown(simulator).values().map(Vec::len).sum()
}

fn script(platform: &Platform, script: CardUpdateScript) -> anyhow::Result<()> {
    Ok(platform.simulator().set_card_update(platform.app(), script)?)
}

#[tokio::test]
async fn updates_follow_their_answers_in_order_through_both_doors() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    let platform = running.platform()?;
    let webhook = Door::Webhook { url: running.webhook_url(&running.apps()[0]).await? };
    let clicks = futures_util::stream::iter(0..CLICKS).map(|number| {
        let door = if number % 2 == 0 { Door::LongConnection } else { webhook.clone() };
        async move { platform.send_by(&door, &Delivery::card_action(json!({}))).await }
    });
    let seen: Vec<_> = clicks.buffer_unordered(AT_ONCE).collect().await;
    for seen in seen {
        let seen = seen?;
        ensure!(seen.toast() == "more will follow" && seen.error().is_none(), "{seen:?}");
    }
    platform.wait_until(|simulator| shown_count(simulator) == 2 * CLICKS).await?;
    let simulator = platform.simulator();
    let shown = shown(simulator);
    ensure!(shown.len() == CLICKS);
    for texts in shown.values() {
        let words: Vec<_> = texts.iter().filter_map(|text| text.split(' ').next()).collect();
        ensure!(words == ["first", "second"], "{words:?}");
    }
    ensure!(simulator.early_card_updates().is_empty(), "an update overtook its answer");
    running
        .host
        .wait_for_metrics("every update is settled", |metrics| {
            let delivered = metrics.sum("aviary_card_updates_total", &[("result", "delivered")]);
            delivered == 2.0 * CLICKS as f64
                && metrics.sum("aviary_card_updates_waiting", &[]) == 0.0
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_late_toast_is_dropped_and_counted_and_the_card_shown() -> anyhow::Result<()> {
    let sidecar = json!({ "settings": { "millis": "900" } });
    let running = with_deadline(App::default().guest_with("late-card", sidecar)?).await?;
    let platform = running.platform()?;
    platform.click("b").await?;
    platform.wait_until(|simulator| shown_count(simulator) == 1).await?;
    let metrics = running.host.metrics().await?;
    let late = |result| metrics.sum("aviary_late_replies_total", &[("result", result)]);
    ensure!(late("card") == 1.0 && late("toast_dropped") == 1.0, "{metrics:?}");
    Ok(())
}

#[tokio::test]
async fn a_plugin_says_what_still_working_means() -> anyhow::Result<()> {
    let running = with_deadline(App::default().guest("asks-for-patience")?).await?;
    let platform = running.platform()?;
    let seen = platform.click("b").await?;
    ensure!(seen.toast() == "Asking HR" && seen.toast_kind() == "warning", "{seen:?}");
    let seen = platform.send(&click("b").locale("zh_cn")).await?;
    ensure!(seen.toast() == "正在询问人事", "{seen:?}");
    platform.wait_until(|simulator| shown_count(simulator) == 2).await?;
    ensure!(platform.simulator().early_card_updates().is_empty());
    Ok(())
}

#[tokio::test]
async fn the_operator_has_the_last_word_on_still_working() -> anyhow::Result<()> {
    let toast =
        json!({ "kind": "success", "content": "Wait", "i18n": { "ja_jp": "お待ちください" } });
    let sidecar = json!({ "still_working": { "toast": toast } });
    let running = with_deadline(App::default().guest_with("asks-for-patience", sidecar)?).await?;
    let seen = running.platform()?.click("b").await?;
    ensure!(seen.toast() == "Wait" && seen.toast_kind() == "success", "{seen:?}");

    let sidecar =
        json!({ "still_working": { "toast": { "content": "x", "i18n": { "hi_in": "x" } } } });
    let app = App::default().webhook_only().guest_with("asks-for-patience", sidecar)?;
    let refused = Setup::new(app).launch(false).await?;
    let line = refused.host.log().wait_for(events::PLUGIN_REFUSED, &[]).await?;
    ensure!(line.text_of("reason").contains("still_working.toast: /i18n/hi_in"), "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn a_platform_that_is_busy_is_asked_again() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    let platform = running.platform()?;
    for (status, code) in [(500, 300_000), (429, 99_991_400)] {
        script(platform, CardUpdateScript::Refuse { status, code })?;
        let before = shown_count(platform.simulator());
        platform.click("b").await?;
        let refused = |simulator: &Simulator| {
            simulator.card_updates().iter().filter(|update| update.code == code).count()
        };
        platform.wait_until(|simulator| refused(simulator) == 2).await?;
        script(platform, CardUpdateScript::Normal)?;
        platform.wait_until(|simulator| shown_count(simulator) == before + 2).await?;
    }
    for texts in shown(platform.simulator()).values() {
        ensure!(texts == &["first b", "second b"], "{texts:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_no_good_any_more_ends_it() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    let platform = running.platform()?;
    script(platform, CardUpdateScript::Refuse { status: 400, code: 300_000 })?;
    let late = click("b");
    platform.send(&late).await?;
    platform.wait_until(|simulator| !simulator.card_updates().is_empty()).await?;
    platform.simulator().expire_update_token(&late.update_token().unwrap_or_default());
    script(platform, CardUpdateScript::Normal)?;
    let codes = |simulator: &Simulator| -> Vec<_> {
        simulator
            .card_updates()
            .iter()
            .map(|update| update.code)
            .filter(|code| *code != 300_000)
            .collect()
    };
    platform.wait_until(|simulator| codes(simulator) == [300_030, 300_030]).await?;

    // The second click of the same delivery carries the token that the first one has used up.
    let twice = click("b");
    platform.send(&twice).await?;
    platform.wait_until(|simulator| shown_count(simulator) == 2).await?;
    platform.send(&twice).await?;
    platform.wait_until(|simulator| codes(simulator).ends_with(&[300_040, 300_040])).await?;
    running
        .host
        .wait_for_metrics("four refused", |metrics| {
            metrics.sum("aviary_card_updates_total", &[("result", "refused")]) == 4.0
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_lost_does_not_cost_the_last_use() -> anyhow::Result<()> {
    let running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    let platform = running.platform()?;
    script(platform, CardUpdateScript::TakeAndHang)?;
    platform.click("b").await?;
    platform.wait_until(|simulator| shown_count(simulator) == 1).await?;
    script(platform, CardUpdateScript::Normal)?;
    // Repeating the first update would leave no use of the token for the second.
    platform.wait_until(|simulator| shown_count(simulator) == 2).await?;
    let shown = shown(platform.simulator());
    ensure!(shown.values().all(|texts| texts == &["first b", "second b"]), "{shown:?}");
    running.host.log().wait_for(events::CARD_UPDATE_SUPERSEDED, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_killed_host_keeps_its_promises_once() -> anyhow::Result<()> {
    const CLICKS: usize = 5;
    let mut running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    // Every update fails until the host is dead.
    script(running.platform()?, CardUpdateScript::Refuse { status: 400, code: 300_000 })?;
    for number in 0..CLICKS {
        let seen = running.platform()?.click(&number.to_string()).await?;
        ensure!(seen.toast() == "more will follow", "{seen:?}");
    }
    running.host.log().wait_for_count(CLICKS, events::CARD_UPDATE_RETRIED, &[]).await?;
    running.host.kill().await?;
    ensure!(shown_count(running.platform()?.simulator()) == 0);
    script(running.platform()?, CardUpdateScript::Normal)?;

    // The second start continues the updates, and the third has nothing left to do.
    for _ in 0..2 {
        running.restart().await?;
        running.platform()?.wait_until(|simulator| shown_count(simulator) == 2 * CLICKS).await?;
        running
            .host
            .wait_for_metrics("nothing waits", |metrics| {
                metrics.sum("aviary_card_updates_waiting", &[]) == 0.0
            })
            .await?;
        running.host.kill().await?;
    }
    let simulator = running.platform()?.simulator();
    for texts in shown(simulator).values() {
        let words: Vec<_> = texts.iter().filter_map(|text| text.split(' ').next()).collect();
        ensure!(words == ["first", "second"], "{words:?}");
    }
    ensure!(simulator.early_card_updates().is_empty());
    Ok(())
}

#[tokio::test]
async fn what_may_be_there_already_does_not_cost_the_last_use() -> anyhow::Result<()> {
    let mut running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    // When the host dies, it cannot know whether the platform has accepted the first card.
    script(running.platform()?, CardUpdateScript::Hang)?;
    running.platform()?.click("b").await?;
    running.platform()?.wait_until(|simulator| !simulator.card_updates().is_empty()).await?;
    running.host.kill().await?;
    script(running.platform()?, CardUpdateScript::Normal)?;
    running.restart().await?;
    running.platform()?.wait_until(|simulator| shown_count(simulator) == 1).await?;
    let shown = shown(running.platform()?.simulator());
    ensure!(shown.values().all(|texts| texts == &["second b"]), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn a_stopping_host_leaves_its_promises_to_the_next() -> anyhow::Result<()> {
    let mut running = Setup::new(App::default().guest("defers-twice")?).start().await?;
    script(running.platform()?, CardUpdateScript::Refuse { status: 429, code: 99_991_400 })?;
    running.platform()?.click("b").await?;
    running.platform()?.wait_until(|simulator| !simulator.card_updates().is_empty()).await?;
    let exit = running.host.terminate().await?;
    ensure!(exit.status.success(), "{exit:?}");
    ensure!(exit.took < Duration::from_secs(10), "waiting for the next attempt: {exit:?}");
    script(running.platform()?, CardUpdateScript::Normal)?;
    running.restart().await?;
    running.platform()?.wait_until(|simulator| !shown(simulator).is_empty()).await?;
    Ok(())
}

#[tokio::test]
async fn two_hosts_do_not_share_a_store() -> anyhow::Result<()> {
    let running = Setup::new(App::default().webhook_only().guest("defers-twice")?).start().await?;
    let mut second =
        HostProcess::start(&["run", "--config", "aviary.toml"], running.folder(), &environment())?;
    let exit = second.wait().await?;
    ensure!(exit.status.code() == Some(69), "{exit:?}");
    ensure!(second.log().text().contains("store.path"), "{}", second.log().text());
    Ok(())
}

#[tokio::test]
async fn a_late_preview_is_there_when_the_client_asks_again() -> anyhow::Result<()> {
    const REFRESH: &str = "/open-apis/im/v2/url_previews/batch_update";
    let running = with_deadline(App::default().guest("asks-for-patience")?).await?;
    let platform = running.platform()?;
    let link = Delivery::link_preview("https://example.com/slow");
    let first = platform.send(&link).await?;
    ensure!(
        first.reply() == json!({ "inline": { "title": "https://example.com/slow" } }),
        "{first:?}"
    );
    let refreshes = |simulator: &Simulator| -> Vec<_> {
        simulator.api_calls().into_iter().filter(|call| call.path == REFRESH).collect()
    };
    platform.wait_until(|simulator| refreshes(simulator).len() == 1).await?;
    let asked = refreshes(platform.simulator()).remove(0).body.unwrap_or_default();
    ensure!(asked["preview_tokens"].as_array().is_some_and(|tokens| tokens.len() == 1), "{asked}");
    ensure!(asked["open_ids"].as_array().is_some_and(|people| people.len() == 1), "{asked}");
    // Both of the user's devices ask. A call of the handler would be too slow again.
    for _ in 0..2 {
        let again = platform.send(&link).await?;
        ensure!(again.reply() == json!({ "inline": { "title": "done" } }), "{again:?}");
    }
    // Another link is another preview.
    let other = platform.send(&Delivery::link_preview("https://example.com/other")).await?;
    ensure!(other.reply() != json!({ "inline": { "title": "done" } }), "{other:?}");
    ensure!(platform.simulator().card_updates().is_empty());
    Ok(())
}
