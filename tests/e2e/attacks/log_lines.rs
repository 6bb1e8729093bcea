//! Text from outside must not make long log lines or break a line in two.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use serde_json::Value;

/// Maximum bytes of a line that the host promises, without the line break.
const LONGEST_LINE: usize = 16 * 1024;
/// Bytes of text that fill a webhook body almost to its limit.
const LARGE: usize = 3_900_000;
/// Characters that end a line, forge another, clear a screen, reverse the direction of text, and end a line for some readers.
const NASTY: &str =
    "evt\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[2J\u{202e}\u{2028}\u{9b}\u{7f}";

async fn start(format: &str) -> anyhow::Result<Running> {
    let app = App::default().guest("failing")?;
    let running = Setup::new(app).set("log", "format", format).launch(true).await?;
    let platform = running.platform()?;
    // The text format has no fields to wait for; the platform knows about the connection, and the output has the addresses.
    platform.wait_until(|simulator| simulator.connected(platform.app()) > 0).await?;
    running.host.log().wait_for_text(events::PLUGIN_LIVE.text()).await?;
    Ok(running)
}

/// Builds a click whose event id, or another member, is this text.
fn click(button: &str, member: &str, text: &str) -> Value {
    let mut body = sender::click(button);
    body["header"][member] = text.into();
    body
}

/// Reads the address from the line that says so in either format. Debug lines before it name the addresses of others.
async fn webhook_address(running: &Running) -> anyhow::Result<SocketAddr> {
    let line = running.host.log().wait_for_text(events::LISTENING.text()).await?;
    let port = line.text().split("127.0.0.1:").nth(1).context("the line has an address")?;
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)))
}

/// Sends text through both doors, in every member that the host may write to its log.
async fn attack(running: &Running) -> anyhow::Result<()> {
    let webhook = webhook_address(running).await?;
    let (large, platform) = ("x".repeat(LARGE), running.platform()?);
    let mut bodies: Vec<String> = ["event_id", "event_type", "app_id", "token", "tenant_key"]
        .into_iter()
        .flat_map(|member| [click("b", member, &large), click("b", member, NASTY)])
        .map(|body| body.to_string())
        .collect();
    bodies.push(large.clone());
    bodies.push(serde_json::json!({ "encrypt": large }).to_string());
    bodies.push(serde_json::json!({ large.as_str(): "a key" }).to_string());
    bodies.push(serde_json::json!({ "schema": large }).to_string());
    bodies.push(click("long", "event_id", "long-by-webhook").to_string());
    for body in bodies {
        // The answer does not matter: only the log counts.
        let _ = sender::plain(body).send(webhook).await;
    }
    for body in [
        click("b", "event_id", NASTY),
        click("b", "event_id", &"y".repeat(200_000)),
        click("b", "event_type", NASTY),
        click("long", "event_id", "long-by-connection"),
    ] {
        let _ = platform.send(&Delivery::json(DeliveryKind::CardAction, body)).await;
    }
    let path = format!("/callback/{}", "z".repeat(10_000));
    let _ = Request::get(&path).header("X-Request-Id", "h".repeat(10_000)).send(webhook).await;
    Ok(())
}

/// Fails for a line that is too long or has a character that a terminal interprets.
fn is_tame(line: &str) -> anyhow::Result<()> {
    let start: String = line.chars().take(300).collect();
    ensure!(line.len() <= LONGEST_LINE, "{} bytes: {start}", line.len());
    let acts =
        |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
    ensure!(!line.contains(acts), "{start:?}");
    Ok(())
}

#[tokio::test]
async fn every_json_line_is_bounded_and_parses() -> anyhow::Result<()> {
    let mut running = start("json").await?;
    attack(&running).await?;
    let log = running.host.log().clone();
    log.wait_for(events::CALLBACK, &[("event_id", NASTY)])
        .await
        .context("the id is what it was")?;
    for id in ["long-by-webhook", "long-by-connection"] {
        let line = log.wait_for(events::CALLBACK, &[("event_id", id)]).await?;
        let reason = line.text_of("reason");
        ensure!(reason.contains("bytes clipped)") && reason.len() < 9000, "{}", reason.len());
    }
    running.host.terminate().await?;
    let lines = log.lines(|_| true);
    for line in &lines {
        is_tame(line.text())?;
        ensure!(line.json().is_object(), "not JSON: {}", line.text());
        ensure!(line.message() != "forged", "{}", line.text());
    }
    ensure!(lines.iter().any(|line| line.text().contains("bytes clipped)")), "nothing was clipped");
    Ok(())
}

#[tokio::test]
async fn every_text_line_is_bounded_and_a_line() -> anyhow::Result<()> {
    let mut running = start("text").await?;
    attack(&running).await?;
    let log = running.host.log().clone();
    log.wait_for_text("long-by-connection").await?;
    running.host.terminate().await?;
    for line in log.lines(|_| true) {
        is_tame(line.text())?;
        // A line such as `2026-11-20T18:04:05.006123Z  INFO …`: one that began inside another has no time.
        let mut words = line.text().split_whitespace();
        let time = words.next().unwrap_or_default();
        ensure!(time.len() == 27 && time.ends_with('Z'), "{}", line.text());
        let level = words.next().unwrap_or_default();
        ensure!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "{}", line.text());
    }
    Ok(())
}

/// The same text in the list of plugins and in the output of commands.
#[tokio::test]
async fn what_commands_print_is_tame() -> anyhow::Result<()> {
    let app = App::default().guest("failing")?;
    let running = Setup::new(app.webhook_only()).set("journal", "path", "journal").start().await?;
    running.deliver(&click("long", "event_id", NASTY)).await?;
    running.host.log().wait_for(events::CALLBACK, &[("event_id", NASTY)]).await?;
    let name = "odd\u{1b}[2J\u{202e}name";
    std::fs::write(running.plugin_file(&format!("{name}.wasm")), "not a plugin")?;
    running.host.log().wait_for(events::PLUGIN_REFUSED, &[]).await?;
    let admin = running.host.admin().await?.to_string();
    let mut running = running;
    // The journal is complete on disk once the host has ended; the list needs a running host.
    let list = printed(&running, &["plugins", "--admin", &admin]).await?;
    ensure!(list.contains("not WebAssembly"), "{list}");
    let json = printed(&running, &["plugins", "--json", "--admin", &admin]).await?;
    ensure!(serde_json::from_str::<Value>(&json)?["apps"].is_array(), "{json}");
    running.host.terminate().await?;
    let shown = printed(&running, &["journal"]).await?;
    let id = shown.lines().nth(1).and_then(|line| line.split(' ').next()).context("an entry")?;
    let entry = printed(&running, &["journal", "show", id]).await?;
    ensure!(entry.contains("bytes clipped)"), "{entry}");
    let exported = printed(&running, &["journal", "export"]).await?;
    let value: Value = serde_json::from_str(exported.lines().next().context("an entry")?)?;
    ensure!(value["event_id"] == NASTY, "{}", value["event_id"]);
    Ok(())
}

/// Runs the command, and checks that a terminal interprets nothing in its output.
async fn printed(running: &Running, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = std::process::Command::new(aviary_e2e::artifacts::host_binary()?);
    command.args(arguments).current_dir(running.folder());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let acts = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202a}'..='\u{202e}');
        ensure!(!line.contains(acts), "{arguments:?}: {line:?}");
    }
    Ok(text)
}
