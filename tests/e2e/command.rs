//! Other kinds of plugins: programs that read a callback and print a reply, and core modules.

use std::path::PathBuf;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::artifacts;
use aviary_e2e::platform::click;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;

/// Returns the program as a component, and as a module of WASI preview 1.
fn both() -> anyhow::Result<[PathBuf; 2]> {
    Ok([artifacts::guest("as-command")?, as_module()?])
}

fn as_module() -> anyhow::Result<PathBuf> {
    artifacts::guest_for("wasm32-wasip1", "as-command")
}

async fn with(component: PathBuf, sidecar: Value) -> anyhow::Result<Running> {
    let app = App::default().encrypted().component("program", component, Some(sidecar));
    Setup::new(app).start().await
}

#[tokio::test]
async fn a_program_answers_every_callback_through_both_doors() -> anyhow::Result<()> {
    for component in both()? {
        let running = with(component, json!({})).await?;
        let live = running.host.log().wait_for(events::PLUGIN_LIVE, &[]).await?;
        ensure!(live.text_of("handles") == "command", "{}", live.text());
        let platform = running.platform()?;
        let webhook = Door::Webhook { url: running.webhook_url(&running.apps()[0]).await? };
        for door in [&Door::LongConnection, &webhook] {
            let clicked = platform.send_by(door, &click("é 按钮")).await?;
            ensure!(clicked.toast() == "clicked é 按钮", "{clicked:?}");
            ensure!(clicked.toast_kind() == "success", "{clicked:?}");
            let silent = platform.send_by(door, &click("silent")).await?;
            ensure!(silent.reply() == json!({}) && silent.error().is_none(), "{silent:?}");
            let preview = Delivery::link_preview("https://example.com/x");
            let preview = platform.send_by(door, &preview).await?;
            let title = preview.exchange().verdict.preview_title.as_deref();
            ensure!(title == Some("https://example.com/x"), "{preview:?}");
            let event = Delivery::event("im.message.receive_v1", json!({}));
            let event = platform.send_by(door, &event).await?;
            ensure!(event.exchange().verdict.acknowledged, "{event:?}");
        }
        let old = Delivery::json(DeliveryKind::LegacyCard, sender::legacy_click("old"));
        let old = platform.send_by(&webhook, &old).await?;
        ensure!(old.toast() == "clicked old", "{old:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_program_is_given_the_callback_and_its_settings_and_nothing_else() -> anyhow::Result<()> {
    for component in both()? {
        let running = with(component, json!({ "settings": { "GREETING": "héllo" } })).await?;
        let callback = sender::callback("profile.view.get", json!({ "text": "\u{1f642}\u{0}" }));
        let response = running.deliver(&callback).await?;
        let given = response.json()?;
        let mut expected = callback.clone();
        expected["header"].as_object_mut().map(|header| header.remove("token"));
        ensure!(given["input"] == expected, "{given}");
        ensure!(!response.text().contains(VERIFICATION_TOKEN), "{given}");
        ensure!(given["arguments"] == json!(["program"]) && given["files"] == false, "{given}");
        let mut environment = given["environment"].clone();
        let remaining = environment
            .as_object_mut()
            .and_then(|names| names.remove("AVIARY_REMAINING_MS"))
            .and_then(|text| text.as_str()?.parse::<u64>().ok());
        ensure!(remaining.is_some_and(|left| (1..=2500).contains(&left)), "{given}");
        ensure!(environment == json!({ "GREETING": "héllo" }), "{given}");
        let line = running.host.log().wait_for(events::PLUGIN_LOG, &[("text", "asked")]).await?;
        ensure!(line.text_of("plugin") == "program", "{}", line.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_program_that_fails_is_answered_for_and_says_why() -> anyhow::Result<()> {
    // A component can only report success or failure, without an exit code.
    let [component, module] = both()?;
    for (program, code) in [(component, "exit code 1"), (module, "exit code 3")] {
        let sidecar = json!({ "limits": { "fuel": 200_000_000 }, "breaker": { "failures": 100 } });
        let running = with(program, sidecar).await?;
        let failed = format!("{code}:\nasked\nthe third thing\nwent wrong");
        let cases = [
            ("fail", "plugin_failure", failed.as_str()),
            ("panic", "trap", "as asked"),
            ("flood", "invalid_reply", "the reply holds 1048576 bytes"),
            ("garbage", "invalid_reply", "the answer is not JSON"),
            ("spin", "out_of_fuel", "200000000 units"),
        ];
        for (button, outcome, reason) in cases {
            let callback = sender::click(button);
            let response = running.deliver(&callback).await?;
            ensure!(response.text_at("/toast/type") == "error", "{button}: {}", response.text());
            let line = running.callback_line(sender::event_id(&callback)).await?;
            ensure!(line.text_of("outcome") == outcome, "{button}: {}", line.text());
            ensure!(line.text_of("reason").contains(reason), "{button}: {}", line.text());
        }
        let again = running.deliver(&sender::click("b")).await?;
        ensure!(again.toast() == "clicked b", "{}", again.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_core_module_with_component_types_is_made_a_component() -> anyhow::Result<()> {
    let module = artifacts::guest_for("wasm32-unknown-unknown", "version-a")?;
    ensure!(std::fs::read(&module)?.starts_with(b"\0asm\x01\0\0\0"), "this is no core module");
    let running = with(module, json!({})).await?;
    let platform = running.platform()?;
    let clicked = platform.send(&click("b")).await?;
    ensure!(clicked.toast() == "a", "{clicked:?}");
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "a");
    Ok(())
}
