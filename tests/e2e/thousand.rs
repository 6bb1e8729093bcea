//! Records a thousand callbacks each of a plugin in Rust, on QuickJS and in Python, and replays them: replies and fuel are the
//! same to the last unit, whatever the plugin asks the host for. The same callbacks reveal a different version.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::desk;
use aviary_e2e::desk::Desk;
use aviary_e2e::desk::wait_until_live;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::to_toml;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use serde_json::Value;
use serde_json::json;

use crate::playback::written;

/// The plugin of the conformance table, which has a button for every function that a plugin can call.
const PLUGIN: &str = "conformance";
const CALLS: usize = 1000;
/// Number of concurrent users.
const AT_ONCE: usize = 4;
/// The plugin's buttons that end in a reply.
const BUTTONS: [&str; 10] = [
    "toast",
    "raw card",
    "template card",
    "text",
    "integers",
    "logging",
    "key-value",
    "settings",
    "random",
    "remaining time",
];

#[tokio::test]
async fn rust() -> anyhow::Result<()> {
    let plugin = artifacts::guest(PLUGIN)?;
    let running = recorded(|running| {
        std::fs::copy(&plugin, running.plugin_file("conformance.wasm"))?;
        Ok(())
    })
    .await?;
    nothing_differs(&running)?;
    // A different version, which answers with another text.
    let file = running.plugin_file("conformance.wasm");
    std::fs::copy(artifacts::guest("version-b")?, &file)?;
    let (code, report) = replay(&running, &file)?;
    ensure!(code == Some(1) && report["different"] == CALLS, "{}", report["different"]);
    Ok(())
}

#[tokio::test]
async fn typescript() -> anyhow::Result<()> {
    from_source("typescript").await
}

#[tokio::test]
async fn python() -> anyhow::Result<()> {
    from_source("python").await
}

async fn from_source(language: &str) -> anyhow::Result<()> {
    let Some(desk) = Desk::conformance(language)? else { return Ok(()) };
    nothing_differs(&recorded(|running| desk.drop_in(PLUGIN, running)).await?)
}

/// Starts a host and makes its plugin answer a thousand clicks, all of which are recorded.
async fn recorded(drop_in: impl FnOnce(&Running) -> anyhow::Result<()>) -> anyhow::Result<Running> {
    let setup = desk::patient(App::default().webhook_only())?.set("journal", "path", "journal");
    let running = setup.start().await?;
    let sidecar = json!({ "settings": { "greeting": "a setting" }, "grants": { "key_value": {} } });
    std::fs::write(running.plugin_file("conformance.toml"), to_toml(&sidecar)?)?;
    drop_in(&running)?;
    wait_until_live(PLUGIN, &running).await?;
    let clicks = stream::iter((0..CALLS).map(anyhow::Ok));
    clicks.try_for_each_concurrent(AT_ONCE, |number| click(&running, number)).await?;
    written(&running, CALLS).await?;
    Ok(running)
}

async fn click(running: &Running, number: usize) -> anyhow::Result<()> {
    let button = BUTTONS[number % BUTTONS.len()];
    let click = sender::click_with(button, json!({ "text": format!("{number} 次 😀") }));
    let answer = running.deliver(&click).await?;
    ensure!(answer.status == 200, "{button}: {}", answer.text());
    Ok(())
}

fn nothing_differs(running: &Running) -> anyhow::Result<()> {
    let (code, report) = replay(running, &running.plugin_file("conformance.wasm"))?;
    ensure!(code == Some(0) && report["ok"] == true, "{report:#}");
    ensure!(report["played"] == CALLS && report["skipped"] == 0, "{report:#}");
    ensure!(report["fuel"]["was"] == report["fuel"]["now"], "{report:#}");
    ensure!(report["fuel"]["now"].as_f64() > Some(0.0), "{report:#}");
    Ok(())
}

/// Runs `aviary replay` with the host's cache of compiled code.
fn replay(running: &Running, file: &Path) -> anyhow::Result<(Option<i32>, Value)> {
    let file = file.to_str().context("a path of text")?;
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(["replay", file, "--json"]).current_dir(running.folder());
    let output = command.env("XDG_CACHE_HOME", desk::caches()?).output()?;
    let report = serde_json::from_slice(&output.stdout);
    let report = report.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output.status.code(), report))
}
