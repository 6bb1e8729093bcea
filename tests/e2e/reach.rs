//! A plugin that was granted nothing can do nothing, whatever it calls, and it finds no secret anywhere.

use std::collections::BTreeSet;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_SECRET;
use aviary_e2e::ENCRYPT_KEY;
use aviary_e2e::VERIFICATION_TOKEN;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

/// Expected result of every function of the contract for a plugin without grants. Functions of a bucket are never reached,
/// because none can be opened.
const OUTCOMES: [(&str, &str); 10] = [
    ("request.remaining-ms", "true"),
    ("store.get", "Ok(None)"),
    ("store.get-all", "Ok([])"),
    ("open-api.call", "Err("),
    ("outgoing-handler.handle", "Err(Code(ErrorCode::HttpRequestDenied))"),
    ("store.open", "Err(Error::AccessDenied)"),
    ("sealed-values.seal", "Err("),
    ("sealed-values.is-sealed", "Err("),
    ("filesystem", "Err("),
    ("sockets", "Err("),
];
/// Functions of WASI that are outside the contract.
const WASI: [&str; 5] =
    ["filesystem", "environment", "arguments", "sockets", "outgoing-handler.handle"];
/// Functions that need an open bucket.
const NEEDS_A_BUCKET: [&str; 6] = [
    "store.get",
    "store.set",
    "store.delete",
    "store.exists",
    "store.list-keys",
    "atomics.increment",
];

/// Returns the functions that the plugin has tried, each with its result.
async fn tried() -> anyhow::Result<(Running, Vec<(String, String)>)> {
    let app = App::default().encrypted().guest("tries-everything")?;
    let running = Setup::new(app).set("log", "level", "trace").start().await?;
    let platform = running.platform()?;
    let seen = platform.click("b").await?;
    ensure!(seen.toast() == "tried", "{seen:?}");
    running.host.log().wait_for(events::CALLBACK, &[]).await?;
    let lines =
        running.host.log().lines(|line| line.is(events::PLUGIN_LOG, &[("context", "contract")]));
    let split = |text: &str| {
        text.split_once(": ").map(|(function, outcome)| (function.to_owned(), outcome.to_owned()))
    };
    let tried = lines.iter().map(|line| split(line.text_of("text")).context("a line of the guest"));
    let tried = tried.collect::<anyhow::Result<_>>()?;
    Ok((running, tried))
}

/// Returns every function that a plugin can import, from the contract's own text.
fn contract() -> anyhow::Result<BTreeSet<String>> {
    let wit = source_root().join("wit");
    let mut functions = BTreeSet::new();
    for file in [
        "host.wit",
        "deps/config/config.wit",
        "deps/keyvalue/keyvalue.wit",
        "deps/logging/logging.wit",
    ] {
        let mut interface = String::new();
        for line in std::fs::read_to_string(wit.join(file))?.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("interface ") {
                interface = name.trim_end_matches(" {").to_owned();
            } else if let Some((function, _)) = line.split_once(": func(") {
                functions.insert(format!("{interface}.{function}"));
            }
        }
    }
    ensure!(functions.len() > 10, "the contract is read: {functions:?}");
    Ok(functions)
}

#[tokio::test]
async fn a_plugin_that_was_granted_nothing_can_do_nothing() -> anyhow::Result<()> {
    let (running, tried) = tried().await?;
    for (function, outcome) in &tried {
        let expected = OUTCOMES.iter().find(|(name, _)| name == function);
        let fits = expected.is_none_or(|(_, expected)| outcome.starts_with(expected));
        ensure!(fits, "{function}: {outcome}");
        ensure!(
            !matches!(function.as_str(), "environment" | "arguments") || outcome == "[]",
            "{function}: {outcome}"
        );
    }
    let functions: BTreeSet<_> = tried.into_iter().map(|(function, _)| function).collect();
    let missed: Vec<_> = contract()?
        .into_iter()
        .filter(|function| {
            !functions.contains(function) && !NEEDS_A_BUCKET.contains(&function.as_str())
        })
        .collect();
    ensure!(missed.is_empty(), "nobody has tried {missed:?}");
    ensure!(WASI.iter().all(|part| functions.contains(*part)), "{functions:?}");
    let calls = running.platform()?.simulator().api_calls();
    // The host itself sends the late card, with a token that it has to request.
    let own = ["tenant_access_token/internal", "card/update"];
    let by_the_host = |path: &str| own.iter().any(|end| path.ends_with(end));
    ensure!(calls.iter().all(|call| by_the_host(&call.path)), "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn a_guest_finds_no_secret_anywhere() -> anyhow::Result<()> {
    let (mut running, tried) = tried().await?;
    running.host.terminate().await?;
    let log = running.host.log().text();
    for secret in [APP_SECRET, VERIFICATION_TOKEN, ENCRYPT_KEY] {
        for (function, outcome) in &tried {
            ensure!(!outcome.contains(secret), "{function} gives out {secret}: {outcome}");
        }
        ensure!(!log.contains(secret), "{secret} is in the log");
    }
    for (function, outcome) in &tried {
        for prefix in ["Bearer ", "ticket=", "access_key=", "\"t-"] {
            ensure!(!outcome.contains(prefix), "{function} gives out {prefix}: {outcome}");
        }
    }
    Ok(())
}

/// A plugin may use the secret in its settings. If the plugin prints it, the log masks it.
#[tokio::test]
async fn a_secret_setting_reaches_the_plugin_and_not_the_log() -> anyhow::Result<()> {
    const SECRET: &str = "plugin-secret-7Q2m";
    let settings = json!({ "settings": { "key": { "env": "AVIARY_PLUGIN_KEY" }, "number": 7 } });
    let app = App::default().webhook_only().guest_with("tries-everything", settings)?;
    let running = Setup::new(app).env("AVIARY_PLUGIN_KEY", SECRET).start().await?;
    ensure!(running.deliver(&sender::click("b")).await?.toast() == "tried");
    let said = running.host.log().wait_for_text("store.get-all: ").await?;
    ensure!(
        said.text_of("text") == "store.get-all: Ok([(\"key\", \"…\"), (\"number\", \"7\")])",
        "{}",
        said.text()
    );
    ensure!(said.text_of("plugin") == "tries-everything" && !said.text_of("event_id").is_empty());
    ensure!(!running.host.log().text().contains(SECRET), "the secret is in the log");

    for (sidecar, reason) in [
        (json!({ "key": { "env": "AVIARY_APP_SECRET" } }), "settings.key: only variables"),
        (json!({ "key": { "file": "../aviary.toml" } }), "settings.key: only files"),
        (json!({ "key": ["a"] }), "a setting is text"),
    ] {
        let sidecar = json!({ "settings": sidecar });
        let app = App::default().webhook_only().guest_with("tries-everything", sidecar)?;
        let refused = Setup::new(app).launch(false).await?;
        let line = refused.host.log().wait_for(events::PLUGIN_REFUSED, &[]).await?;
        ensure!(line.text_of("reason").contains(reason), "{}", line.text());
    }
    Ok(())
}
