//! The README's section on writing a plugin, followed word for word in every language, and timed: begin, build, drop in, click,
//! change.

use std::io::Write as _;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::desk::COMPILED;
use aviary_e2e::desk::Desk;
use aviary_e2e::desk::patient_host;
use aviary_e2e::desk::wait_until_live;
use aviary_e2e::setup::Running;
use lark_simulator::delivery::Delivery;
use lark_simulator::sample::CardAction;
use serde_json::json;

/// Name of the plugin in the README, and its language there.
const PLUGIN: &str = "my-plugin";
const LANGUAGE: &str = "--lang python";
/// Time limit of the whole section, with the tools installed.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Shell command that prints the processor time of everything the shell has run.
const TIMES: &str = "; times";

#[tokio::test]
async fn rust() -> anyhow::Result<()> {
    the_first_plugin_answers("rust").await
}

#[tokio::test]
async fn typescript() -> anyhow::Result<()> {
    the_first_plugin_answers("typescript").await
}

#[tokio::test]
async fn javascript() -> anyhow::Result<()> {
    the_first_plugin_answers("javascript").await
}

#[tokio::test]
async fn python() -> anyhow::Result<()> {
    the_first_plugin_answers("python").await
}

#[tokio::test]
async fn c() -> anyhow::Result<()> {
    the_first_plugin_answers("c").await
}

#[tokio::test]
async fn go() -> anyhow::Result<()> {
    the_first_plugin_answers("go").await
}

#[tokio::test]
async fn zig() -> anyhow::Result<()> {
    the_first_plugin_answers("zig").await
}

async fn the_first_plugin_answers(language: &str) -> anyhow::Result<()> {
    let Some(desk) = Desk::open("new-user", language)? else { return Ok(()) };
    desk.clear(PLUGIN)?;
    let running = patient_host().await?;
    let (began, mut worked) = (Instant::now(), Duration::ZERO);
    for line in commands()? {
        let line = line.replace(LANGUAGE, &format!("--lang {language}"));
        let said = if line.starts_with("aviary build") {
            desk.build(PLUGIN, &format!("{line} --test{TIMES}"))?
        } else {
            Some(desk.types(&format!("{line}{TIMES}"))?)
        };
        worked += said.map_or(Ok(Duration::ZERO), |said| processor_time(&said))?;
    }
    desk.drop_in(PLUGIN, &running)?;
    wait_until_live(PLUGIN, &running).await?;
    clicks(&running, language).await?;
    said_to_be_quick(language, began.elapsed(), worked)?;
    drop(running);
    a_change_is_seen(&desk).await
}

/// Follows the README's section on `aviary dev`.
async fn a_change_is_seen(desk: &Desk) -> anyhow::Result<()> {
    let mut dev = desk.develops(PLUGIN)?;
    let said = dev.stdout().clone();
    said.wait_for_text_within(COMPILED, "the user sees  toast “Hello from ").await?;
    desk.edits(PLUGIN, "Hello from ", "Greetings from ")?;
    said.wait_for_text_within(COMPILED, "the user sees  toast “Greetings from ").await?;
    ensure!(dev.terminate().await?.status.success(), "{}", dev.log().text());
    Ok(())
}

/// Limits the processor time, by what a newcomer with one core would wait for, because other tests run at a higher priority.
/// Anything that an earlier run has installed or built is not done again.
fn said_to_be_quick(language: &str, took: Duration, worked: Duration) -> anyhow::Result<()> {
    // The test runner hides what macros print in a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "a new user's first plugin in {language}: clicked after {took:.1?}, {worked:.1?} of work for its tools"
    );
    ensure!(worked < PATIENCE, "{language}: {worked:?} of work");
    Ok(())
}

/// Parses the shell's times of itself and of its children: `0m1.50s 0m0.25s`, as user and as system.
fn processor_time(said: &str) -> anyhow::Result<Duration> {
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    let times = last.split_whitespace().map(|time| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        let minutes: f64 = minutes.parse().ok()?;
        let seconds: f64 = seconds.parse().ok()?;
        Some(Duration::from_secs_f64(minutes * 60.0 + seconds))
    });
    times
        .reduce(|sum, time| Some(sum? + time?))
        .flatten()
        .with_context(|| format!("no times: {last:?}"))
}

/// Returns the commands of the README's section on writing a plugin.
fn commands() -> anyhow::Result<Vec<String>> {
    let readme = std::fs::read_to_string(artifacts::source_root().join("README.md"))?;
    let (_, section) = readme.split_once("\n## Write a plugin").context("the section is there")?;
    let (_, block) = section.split_once("```sh\n").context("it has commands")?;
    let (block, _) = block.split_once("```").context("they end")?;
    let lines: Vec<_> = block.lines().map(str::to_owned).collect();
    ensure!(lines.iter().any(|line| line.contains(LANGUAGE)), "{lines:?}");
    Ok(lines)
}

async fn clicks(running: &Running, language: &str) -> anyhow::Result<()> {
    let platform = running.platform()?;
    let form = CardAction {
        open_id: "ou_somebody".into(),
        form_value: Some(json!({ "days": "3", "reason": "旅行 ✈" })),
        ..CardAction::default()
    };
    let form = Delivery::click(form);
    let seen = platform.send(&form).await?;
    let said = seen.toast().to_lowercase();
    ensure!(said == format!("hello from {language}"), "{seen:?}");
    let card = seen.reply()["card"]["data"].to_string();
    for part in ["<at id=ou_somebody></at>", "**days**: 3", "**reason**: 旅行 ✈"] {
        ensure!(card.contains(part), "{part} is not in {card}");
    }
    let chinese = platform.send(&Delivery::card_action(json!({})).locale("zh_cn")).await?;
    ensure!(chinese.toast().contains("的问候"), "{chinese:?}");
    let link = platform.send(&Delivery::link_preview("https://a.example/b/c?d=e")).await?;
    let title = link.exchange().verdict.preview_title.as_deref();
    ensure!(title == Some("a.example · /b/c"), "{link:?}");
    Ok(())
}
