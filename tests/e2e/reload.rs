//! A file in the plugins folder goes live soon after it changed, if it is sound; no callback is lost meanwhile.

use std::fs;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use aviary_e2e::setup::to_toml;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

/// Users who click while the plugin is replaced.
const CLICKERS: usize = 4;
const SWAPS: usize = 4;

async fn with(app: App) -> anyhow::Result<Running> {
    Setup::new(app.webhook_only()).start().await
}

async fn answers(running: &Running, toast: &str) -> anyhow::Result<()> {
    let response = running.deliver(&sender::click("b")).await?;
    ensure!(response.toast() == toast, "{toast:?} was expected: {}", response.text());
    Ok(())
}

/// Waits for the `count`th refusal of that plugin in the log, and returns its reason.
async fn refusal(running: &Running, plugin: &str, count: usize) -> anyhow::Result<String> {
    let mut lines = running
        .host
        .log()
        .wait_for_count(count, events::PLUGIN_REFUSED, &[("plugin", plugin)])
        .await?;
    Ok(lines.remove(count - 1).text_of("reason").to_owned())
}

#[tokio::test]
async fn a_file_that_is_dropped_in_is_live() -> anyhow::Result<()> {
    let running = with(App::default()).await?;
    let before = running.deliver(&sender::click("b")).await?;
    ensure!(before.text_at("/toast/type") == "error", "nothing answers yet: {}", before.text());
    running.drop_guest("version-a", "answer")?;
    let live = running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    ensure!(live.text_of("handles").contains("card-action"), "{}", live.text());
    ensure!(live.text_of("version").len() == 12, "{}", live.text());
    answers(&running, "a").await?;
    let metrics = running.host.metrics().await?;
    ensure!(metrics.sum("aviary_plugins_live", &[]) == 1.0, "{metrics:?}");
    Ok(())
}

/// Clicks again and again, by the webhook or over the long connection, until told to stop.
async fn clicks(
    running: &Running,
    door: Option<Door>,
    go_on: watch::Receiver<bool>,
) -> anyhow::Result<Vec<String>> {
    let mut toasts = Vec::new();
    while *go_on.borrow() {
        toasts.push(match &door {
            None => running.deliver(&sender::click("b")).await?.toast(),
            Some(door) => {
                let click = Delivery::json(DeliveryKind::CardAction, sender::click("b"));
                running.platform()?.send_by(door, &click).await?.toast().to_owned()
            }
        });
    }
    Ok(toasts)
}

#[tokio::test]
async fn a_swap_loses_no_callback() -> anyhow::Result<()> {
    let app = App::default().component("answer", artifacts::guest("version-a")?, None);
    let running = Setup::new(app).start().await?;
    let (swapping, go_on) = watch::channel(true);
    let swap = async {
        for round in 1..=SWAPS {
            let guest = if round % 2 == 1 { "version-b" } else { "version-a" };
            running.drop_guest(guest, "answer")?;
            let live = [("plugin", "answer")];
            running.host.log().wait_for_count(round + 1, events::PLUGIN_LIVE, &live).await?;
        }
        swapping.send(false)?;
        anyhow::Ok(())
    };
    let doors = (0..CLICKERS).map(|user| (user % 2 == 0).then_some(Door::LongConnection));
    let users = doors.map(|door| clicks(&running, door, go_on.clone()));
    let (clicks, swapped) = tokio::join!(futures_util::future::join_all(users), swap);
    swapped?;
    let mut versions = [0; 2];
    for toasts in clicks {
        for toast in toasts? {
            match toast.as_str() {
                "a" => versions[0] += 1,
                "b" => versions[1] += 1,
                lost => anyhow::bail!("a click was lost: {lost:?}"),
            }
        }
    }
    ensure!(versions[0] > 0 && versions[1] > 0, "both versions answered some: {versions:?}");
    answers(&running, "a").await
}

#[tokio::test]
async fn a_callback_under_way_finishes_on_the_version_it_began_with() -> anyhow::Result<()> {
    let running =
        with(App::default().component("answer", artifacts::guest("version-a")?, None)).await?;
    let slow = sender::click("slow");
    let swap = async {
        running.drop_guest("version-b", "answer")?;
        running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
        answers(&running, "b").await
    };
    let (slow_response, swapped) = tokio::join!(running.deliver(&slow), swap);
    swapped?;
    let slow_response = slow_response?;
    ensure!(slow_response.toast() == "a", "begun on a, finished on {}", slow_response.text());
    let lines = running.host.log().wait_for_count(2, events::CALLBACK, &[]).await?;
    let order: Vec<_> = lines.iter().map(|line| line.text_of("event_id")).collect();
    ensure!(
        order.last() == Some(&sender::event_id(&slow)),
        "the swap was over before the slow click: {order:?}"
    );
    ensure!(
        lines[0].text_of("version") != lines[1].text_of("version"),
        "the log tells the versions apart: {lines:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_deleted_file_is_gone() -> anyhow::Result<()> {
    let running = with(App::default().guest("version-a")?).await?;
    answers(&running, "a").await?;
    fs::remove_file(running.plugin_file("version-a.wasm"))?;
    running.host.log().wait_for(events::PLUGIN_REMOVED, &[("plugin", "version-a")]).await?;
    let click = sender::click("b");
    let response = running.deliver(&click).await?;
    ensure!(response.text_at("/toast/type") == "error", "{}", response.text());
    let line = running.callback_line(sender::event_id(&click)).await?;
    ensure!(line.text_of("outcome") == "no_handler", "{}", line.text());
    Ok(())
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_says_why() -> anyhow::Result<()> {
    let running =
        with(App::default().component("answer", artifacts::guest("version-a")?, None)).await?;
    let component = fs::read(artifacts::guest("version-b")?)?;
    let core_module = [&b"\0asm\x01\0\0\0"[..], &[0; 8]].concat();
    let broken: [(&str, &[u8]); 5] = [
        ("text", b"this is not a plugin, it is a note to self\n"),
        ("half", &component[..component.len() / 2]),
        ("empty", b""),
        ("module", &core_module),
        ("damaged", &[&component[..1000], &[0xff; 64], &component[1064..]].concat()),
    ];
    for (count, (name, bytes)) in broken.into_iter().enumerate() {
        // Written once as a new plugin, and once over the live one.
        fs::write(running.plugin_file(&format!("{name}.wasm")), bytes)?;
        let reason = refusal(&running, name, 1).await?;
        ensure!(!reason.is_empty(), "{name} is refused without a reason");
        fs::write(running.plugin_file("answer.wasm"), bytes)?;
        refusal(&running, "answer", count + 1).await?;
        answers(&running, "a").await?;
    }
    let reason = refusal(&running, "text", 1).await?;
    ensure!(reason.contains("WebAssembly"), "{reason}");
    // The next good file goes live.
    running.drop_guest("version-b", "answer")?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    answers(&running, "b").await
}

#[tokio::test]
async fn a_component_that_is_no_plugin_is_refused() -> anyhow::Result<()> {
    let running = with(App::default().guest("version-a")?).await?;
    running.drop_guest("exports-nothing", "exports-nothing")?;
    let reason = refusal(&running, "exports-nothing", 1).await?;
    ensure!(reason.contains("handler"), "{reason}");
    running.drop_guest("endless-info", "endless-info")?;
    let reason = refusal(&running, "endless-info", 1).await?;
    ensure!(reason.contains("plugin-info"), "{reason}");
    answers(&running, "a").await
}

#[tokio::test]
async fn other_files_are_left_alone() -> anyhow::Result<()> {
    let running = with(App::default()).await?;
    fs::write(running.plugin_file("notes.txt"), "buy milk")?;
    fs::write(running.plugin_file("alone.toml"), "nonsense = true")?;
    fs::write(running.plugin_file("answer.wasm.tmp"), "half a copy")?;
    fs::create_dir(running.plugin_file("folder"))?;
    running.drop_guest("version-a", "answer")?;
    running.host.log().wait_for(events::PLUGIN_LIVE, &[("plugin", "answer")]).await?;
    let refused = running.host.log().lines(|line| line.is(events::PLUGIN_REFUSED, &[]));
    ensure!(refused.is_empty(), "{refused:?}");
    answers(&running, "a").await
}

#[tokio::test]
async fn a_sidecar_file_is_followed_like_its_plugin() -> anyhow::Result<()> {
    let greeting = |text: &str| json!({ "settings": { "greeting": text } });
    let app = App::default().guest_with("reads-settings", greeting("hello"))?;
    let running = with(app).await?;
    let sidecar = running.plugin_file("reads-settings.toml");
    let live = [("plugin", "reads-settings")];
    answers(&running, "hello").await?;

    fs::write(&sidecar, to_toml(&greeting("good evening"))?)?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &live).await?;
    answers(&running, "good evening").await?;

    let wrong: [(Value, &str); 4] = [
        (json!({ "limits": { "fule": 1 } }), "fule"),
        (json!({ "limits": { "fuel": 0 } }), "fuel"),
        (
            json!({ "grants": { "open_api": ["/open-apis/im/v1/messages"] } }),
            "/open-apis/im/v1/messages",
        ),
        (json!({ "route": [{ "action_nam": "x" }] }), "action_nam"),
    ];
    for (count, (manifest, named)) in wrong.into_iter().enumerate() {
        fs::write(&sidecar, to_toml(&manifest)?)?;
        let reason = refusal(&running, "reads-settings", count + 1).await?;
        ensure!(reason.contains(named), "{named} is not named: {reason}");
        answers(&running, "good evening").await?;
    }

    fs::remove_file(&sidecar)?;
    running.host.log().wait_for_count(3, events::PLUGIN_LIVE, &live).await?;
    answers(&running, "no greeting").await
}
