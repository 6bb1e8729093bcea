//! The contract in every language: one plugin each that does what a button's name says, and one table of buttons. Faults of a
//! language's tools are named, and asserted to occur, so that a fix is noticed.

mod cell;
mod table;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::desk::COMPILED;
use aviary_e2e::desk::Desk;
use aviary_e2e::desk::patient_host;
use aviary_e2e::desk::wait_until_live;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::to_toml;
use aviary_e2e::web_server::WebServer;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;

use crate::conformance::cell::Cell;
use crate::conformance::cell::Doors;

/// The plugin's name, in every language.
const PLUGIN: &str = "conformance";

/// Number of times that the same callback is sent.
const TIMES: usize = 3;
/// Languages whose start draws random numbers: Go's runtime seeds its scheduler and its maps, and a program's fuel depends on
/// them.
const DRAWS_BEFORE_IT_BEGINS: [&str; 1] = ["go"];

/// The languages, in the order of the table.
pub(crate) const LANGUAGES: [&str; 7] =
    ["rust", "typescript", "javascript", "python", "c", "go", "zig"];

/// Languages whose README shows how a message is sent; Rust has the SDK for it, and an example.
const SEND: [&str; 3] = ["typescript", "javascript", "python"];

/// A part of the stack in the reason of a crash; C and Zig compile without the names that it would need.
const FRAMES: [(&str, &str); 5] = [
    ("rust", "lib.rs"),
    ("typescript", "buttons.js"),
    ("javascript", "buttons.js"),
    ("python", "app.py\", line"),
    ("go", "main.click"),
];

#[tokio::test]
async fn rust() -> anyhow::Result<()> {
    let running = started().await?;
    std::fs::copy(artifacts::guest("conformance")?, running.plugin_file("conformance.wasm"))?;
    conforms("rust", &running).await
}

#[tokio::test]
async fn typescript() -> anyhow::Result<()> {
    conforms_from_source("typescript").await
}

#[tokio::test]
async fn javascript() -> anyhow::Result<()> {
    conforms_from_source("javascript").await
}

#[tokio::test]
async fn python() -> anyhow::Result<()> {
    conforms_from_source("python").await
}

#[tokio::test]
async fn c() -> anyhow::Result<()> {
    conforms_from_source("c").await
}

#[tokio::test]
async fn go() -> anyhow::Result<()> {
    conforms_from_source("go").await
}

#[tokio::test]
async fn zig() -> anyhow::Result<()> {
    conforms_from_source("zig").await
}

#[test]
fn the_table_in_the_readme_is_current() -> anyhow::Result<()> {
    table::check()
}

async fn conforms_from_source(language: &str) -> anyhow::Result<()> {
    let Some(desk) = Desk::conformance(language)? else { return Ok(()) };
    let running = started().await?;
    desk.drop_in(PLUGIN, &running)?;
    conforms(language, &running).await
}

fn sidecar() -> Value {
    json!({
        "settings": { "greeting": "a setting 😀" },
        "grants": { "key_value": {}, "open_api": ["POST /open-apis/im/v1/messages"] },
        // Three times the fuel that any plugin needs, so an endless loop ends long before the deadline.
        "limits": { "fuel": 1_000_000_000_u64 },
        // Intended failures must not pause the plugin.
        "breaker": { "failures": 100 },
    })
}

async fn started() -> anyhow::Result<Running> {
    let running = patient_host().await?;
    std::fs::write(running.plugin_file(&format!("{PLUGIN}.toml")), to_toml(&sidecar())?)?;
    Ok(running)
}

async fn conforms(language: &str, running: &Running) -> anyhow::Result<()> {
    wait_until_live(PLUGIN, running).await?;
    let url = running.webhook_url(&running.apps()[0]).await?;
    let doors = [Door::Webhook { url }, Door::LongConnection];
    let mut wrong = Vec::new();
    for cell in cell::all() {
        let through = match cell.doors {
            Doors::Both => &doors[..],
            Doors::WebhookOnly => &doors[..1],
        };
        for door in through {
            let outcome = cell.play(running, door).await.with_context(|| cell.name.to_owned())?;
            if let Some(surprise) = surprise(&cell, language, &outcome) {
                wrong.push(format!("{}, {door:?}: {surprise}", cell.name));
            }
        }
    }
    if SEND.contains(&language) {
        let said = running.platform()?.send(&cell::click("message")).await?;
        let messages = running.platform()?.simulator().messages();
        if said.toast() != "sent" || !messages.iter().any(|sent| sent.content.contains("a message"))
        {
            wrong.push(format!("a message: {said:?}, {messages:?}"));
        }
    }
    if let Some((_, frame)) = FRAMES.iter().find(|(of, _)| *of == language) {
        let click = cell::click("crash");
        running.platform()?.send(&click).await?;
        let event_id = click.event_id().context("it has an event id")?;
        let line = running.callback_line(&event_id).await?;
        if !line.text_of("reason").contains(frame) {
            wrong.push(format!("a crash without {frame}: {}", line.text()));
        }
    }
    if language == "javascript" {
        wrong.extend(fetches(running).await?);
    }
    if language == "python" {
        let seen = running.platform()?.send(&cell::click("sockets")).await?;
        if !seen.toast().contains("a plugin has no sockets") {
            wrong.push(format!("a socket is no exception: {seen:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{language}:\n{}", wrong.join("\n"));
    the_same_callback_costs_the_same(language, running).await
}

/// Asks a granted server and another one. Returns what went wrong.
async fn fetches(running: &Running) -> anyhow::Result<Vec<String>> {
    let [granted, other] = [WebServer::start().await?, WebServer::start().await?];
    let mut sidecar = sidecar();
    sidecar["grants"]["http"] = json!([{ "url": granted.url(""), "private_addresses": true }]);
    let path = running.plugin_file(&format!("{PLUGIN}.toml"));
    std::fs::write(path, to_toml(&sidecar)?)?;
    running.host.log().wait_for_count_within(COMPILED, 2, events::PLUGIN_LIVE, &[]).await?;
    let mut wrong = Vec::new();
    for (url, expected) in [(granted.url("/a"), "this is /a"), (other.url("/b"), "caught: true")] {
        let seen = running.platform()?.send(&cell::fetch(&url)).await?;
        if seen.toast() != expected {
            wrong.push(format!("a fetch of {url}: {seen:?}"));
        }
    }
    Ok(wrong)
}

async fn the_same_callback_costs_the_same(language: &str, running: &Running) -> anyhow::Result<()> {
    let delivery = cell::click("toast");
    for _ in 0..TIMES {
        running.platform()?.send(&delivery).await?;
    }
    let event_id = delivery.event_id().context("it has an event id")?;
    let lines = running
        .host
        .log()
        .wait_for_count(TIMES, events::CALLBACK, &[("event_id", &event_id)])
        .await?;
    let fuel: Vec<_> = lines.iter().filter_map(|line| line.number_of("fuel")).collect();
    let same =
        fuel.iter().all(|fuel| *fuel > 0.0 && *fuel == lines[0].number_of("fuel").unwrap_or(0.0));
    let expected = !DRAWS_BEFORE_IT_BEGINS.contains(&language);
    ensure!(same == expected && fuel.len() == TIMES, "{language}: {fuel:?}");
    Ok(())
}

fn surprise(cell: &Cell, language: &str, outcome: &str) -> Option<String> {
    match (cell.fault(language), cell.expects(outcome)) {
        (None, true) | (Some(_), false) => None,
        (None, false) => Some(format!("`{outcome}` and not `{}`", cell.expected)),
        (Some(fault), true) => Some(format!("works, so this is mended: {fault}")),
    }
}
