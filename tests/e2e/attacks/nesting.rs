//! JSON that is nested thousands of levels deep, through everything that reads JSON from outside. One chat message used to
//! overflow the stack of the journal's thread, which ends the process.

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::command;
use aviary_e2e::command::aviary;
use aviary_e2e::configuration::BAD_CONFIGURATION;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use serde_json::Value;
use serde_json::json;

/// A parser that recurses has some hundred bytes of stack for each level, and a thread has 2 MiB.
const DEPTH: usize = 100_000;
/// Placeholder that a test replaces by nested JSON: `serde_json` itself writes no value of that depth.
const HERE: &str = "here";

/// Returns nested lists as JSON.
fn lists(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

/// Returns nested objects as JSON, whose member names are among those that are masked.
fn secrets(depth: usize) -> String {
    format!("{}1{}", r#"{"token":"#.repeat(depth), "}".repeat(depth))
}

/// Replaces [`HERE`] in a callback by nested JSON.
fn with_nested(callback: &Value, nested: &str) -> String {
    callback.to_string().replace(&json!(HERE).to_string(), nested)
}

/// Counts the levels of nesting around [`HERE`].
fn body_levels(callback: &Value) -> usize {
    let text = callback.to_string();
    let before = text.split(&json!(HERE).to_string()).next().unwrap_or_default();
    let count = |bracket: [char; 2]| before.matches(bracket).count();
    count(['{', '[']) - count(['}', ']'])
}

/// Builds a chat message with that text as its content.
fn message(content: &str) -> Value {
    let mut event = sender::event();
    event["event"]["message"]["content"] = content.into();
    event
}

/// Starts a host with a journal that also masks by pointer, so that every path through the masker is taken.
async fn host() -> anyhow::Result<Running> {
    let grants = json!({ "grants": { "open_api": ["POST /open-apis/im/v1/messages"] } });
    let app = App::default().encrypted().guest_with("nests", grants)?;
    let setup = Setup::new(app).set("journal", "path", "journal");
    setup.set("journal", "mask", json!(["/event/context/open_chat_id"])).start().await
}

/// Checks that the host answers a healthy click through both doors.
async fn answers(running: &Running) -> anyhow::Result<()> {
    let toast = running.deliver(&sender::click("b")).await?.toast();
    ensure!(toast == "fine", "over the webhook: {toast:?}");
    let seen = running.platform()?.click("b").await?;
    ensure!(seen.toast() == "fine", "over the long connection: {seen:?}");
    Ok(())
}

/// Waits until the journal holds that event, and returns the lines of `aviary journal export`.
async fn journal_with(running: &Running, event_id: &str) -> anyhow::Result<Vec<String>> {
    let is_about = |line: &String| line.contains(event_id);
    command::journal(running.folder(), |lines| lines.iter().any(is_about)).await
}

#[tokio::test]
async fn a_message_whose_text_is_nested_json_is_answered_and_written_down() -> anyhow::Result<()> {
    let running = host().await?;
    let deep = lists(DEPTH);
    let texts = [
        deep.clone(),
        secrets(DEPTH),
        json!({ "text": deep }).to_string(),
        json!({ "text": json!([secrets(9_000)]).to_string() }).to_string(),
    ];
    for text in texts {
        let event = message(&text);
        let response = running.deliver(&event).await?;
        ensure!(response.status == 200, "{response:?}");
        let lines = journal_with(&running, sender::event_id(&event)).await?;
        ensure!(!lines.is_empty());
        let delivery = Delivery::json(DeliveryKind::Event, message(&text));
        let seen = running.platform()?.send(&delivery).await?;
        ensure!(seen.exchange().code == Some(200), "{seen:?}");
        answers(&running).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_callback_that_is_nested_too_deep_is_refused_at_both_doors() -> anyhow::Result<()> {
    let running = host().await?;
    let click = sender::click_with("b", HERE);
    let mut form = sender::click("b");
    form["event"]["action"]["form_value"] = json!({ "field": HERE });
    let mut event = sender::event();
    event["event"]["message"]["unknown"] = HERE.into();
    for callback in [&click, &form, &event] {
        for nested in [lists(DEPTH), secrets(9_000), lists(128)] {
            let body = with_nested(callback, &nested);
            let response = running.deliver_bytes(&body, running.apps()[0].keys().into()).await?;
            ensure!(response.status == 400, "{response:?}");
            let delivery = Delivery::exact(DeliveryKind::CardAction, body);
            let seen = running.platform()?.send(&delivery).await?;
            ensure!(seen.exchange().code == Some(500), "{seen:?}");
            answers(&running).await?;
        }
        // A depth that every part of the host can parse is accepted.
        let levels = 127 - body_levels(callback);
        let body = with_nested(callback, &lists(levels));
        let response = running.deliver_bytes(&body, running.apps()[0].keys().into()).await?;
        ensure!(response.status == 200, "{levels}: {response:?}");
        let one_more = with_nested(callback, &lists(levels + 1));
        let response = running.deliver_bytes(&one_more, running.apps()[0].keys().into()).await?;
        ensure!(response.status == 400, "{levels}: {response:?}");
        journal_with(&running, sender::event_id(callback)).await?;
        let shown = aviary(running.folder(), &["journal", "show", sender::event_id(callback)])?;
        ensure!(shown.code == Some(0), "{shown:?}");
    }
    let mut old = sender::legacy_click("b");
    old["action"]["value"] = HERE.into();
    let body = with_nested(&old, &lists(DEPTH));
    let seal = aviary_e2e::setup::Seal::VerificationToken;
    let response = running.deliver_bytes(&body, seal).await?;
    ensure!(response.status == 400, "{response:?}");
    answers(&running).await
}

#[tokio::test]
async fn what_a_stranger_sends_is_refused_however_deep_it_is() -> anyhow::Result<()> {
    let running = host().await?;
    for body in [lists(DEPTH), secrets(DEPTH), format!(r#"{{"encrypt":{}}}"#, lists(DEPTH))] {
        let response = running.deliver_bytes(&body, aviary_e2e::setup::Seal::Plain).await?;
        ensure!((400..500).contains(&response.status), "{response:?}");
        let delivery = Delivery::exact(DeliveryKind::Event, body);
        running.platform()?.send(&delivery).await?;
    }
    answers(&running).await
}

#[tokio::test]
async fn a_plugin_s_nested_reply_is_dropped_and_its_toast_is_kept() -> anyhow::Result<()> {
    let running = host().await?;
    for button in ["card", "template"] {
        let click = sender::click(button);
        let response = running.deliver(&click).await?;
        ensure!(response.toast() == "kept", "{button}: {response:?}");
        ensure!(response.json()?.get("card").is_none(), "{button}: {response:?}");
        let line = running.callback_line(sender::event_id(&click)).await?;
        ensure!(line.text_of("outcome") == "invalid_reply", "{}", line.text());
        answers(&running).await?;
    }
    let response = running.deliver(&sender::legacy_click("b")).await?;
    ensure!(!response.text().contains("[[["), "{response:?}");
    // The host treats the body of a request to the platform as text: the platform judges it.
    let click = sender::click("json");
    let response = running.deliver(&click).await?;
    ensure!(response.status == 200 && !response.toast().is_empty(), "{response:?}");
    journal_with(&running, sender::event_id(&click)).await?;
    answers(&running).await
}

#[tokio::test]
async fn the_journal_can_be_read_and_played_again() -> anyhow::Result<()> {
    let mut running = host().await?;
    for button in ["b", "card", "template", "json"] {
        running.deliver(&sender::click(button)).await?;
    }
    for text in [lists(DEPTH), secrets(DEPTH)] {
        let event = message(&text);
        running.deliver(&event).await?;
        journal_with(&running, sender::event_id(&event)).await?;
        let shown = ["journal", "show", sender::event_id(&event)];
        for arguments in [&shown[..], &[&shown[..], &["--json"]].concat()] {
            let output = aviary(running.folder(), arguments)?;
            ensure!(output.code == Some(0), "{output:?}");
        }
    }
    running.host.terminate().await?;
    let file = running.plugin_file("nests.wasm");
    let file = file.to_str().context("a path of text")?;
    let said = aviary(running.folder(), &["replay", file, "--json"])?;
    let report: Value = serde_json::from_str(&said.stdout).with_context(|| said.stderr.clone())?;
    ensure!(report["ok"] == true && report["played"] == 6, "{report}");
    Ok(())
}

#[test]
fn files_that_are_nested_too_deep_are_refused_in_words() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
    for (name, text) in [
        ("lists.json", lists(DEPTH)),
        ("card.json", format!(r#"{{"schema":"2.0","body":{{"elements":{}}}}}"#, lists(10_000))),
    ] {
        write(name, text)?;
        let said = aviary(folder.path(), &["card", "check", name])?;
        ensure!(said.code == Some(1), "{name}: {said:?}");
    }
    write("aviary.toml", format!("app = {}\n", lists(DEPTH)))?;
    let said = aviary(folder.path(), &["run", "--config", "aviary.toml"])?;
    ensure!(said.code == Some(BAD_CONFIGURATION), "{:?}", said.code);
    let said = said.stderr;
    ensure!(said.contains("recurs"), "{}", &said[..said.len().min(500)]);
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_is_nested_too_deep_keeps_its_plugin_out_and_no_other() -> anyhow::Result<()>
{
    let running = host().await?;
    std::fs::write(running.plugin_file("deep.toml"), format!("route = {}\n", lists(DEPTH)))?;
    running.drop_guest("version-a", "deep")?;
    let refused =
        running.host.log().wait_for(events::PLUGIN_REFUSED, &[("plugin", "deep")]).await?;
    ensure!(refused.text_of("reason").contains("recurs"), "{}", refused.text());
    answers(&running).await
}
