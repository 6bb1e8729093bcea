//! Stored values of plugins: in a file or on a server, each plugin for itself, within its operator's grant, and beyond the end of
//! a host.

use std::collections::BTreeSet;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::certificates::TestAuthority;
use aviary_e2e::redis::RedisServer;
use aviary_e2e::redis::TlsDoor;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

fn keeping(grant: &Value) -> anyhow::Result<Setup> {
    let sidecar = json!({ "grants": { "key_value": grant } });
    Ok(Setup::new(App::default().webhook_only().guest_with("keeps", sidecar)?))
}

async fn ask(running: &Running, asked: Value) -> anyhow::Result<String> {
    Ok(running.deliver(&sender::click_with("b", asked)).await?.toast())
}

/// Operations, each with its expected answer or a part of it.
fn conversation() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "do": "get", "key": "a" }), "None"),
        (json!({ "do": "set", "key": "a", "value": "1" }), "set"),
        (json!({ "do": "set", "key": "ä/ ö", "value": "" }), "set"),
        (json!({ "do": "get", "key": "a" }), "Some(\"1\")"),
        (json!({ "do": "get", "key": "ä/ ö" }), "Some(\"\")"),
        (json!({ "do": "exists", "key": "ä/ ö" }), "true"),
        (json!({ "do": "keys" }), "a ä/ ö"),
        (json!({ "do": "delete", "key": "ä/ ö" }), "deleted"),
        (json!({ "do": "delete", "key": "ä/ ö" }), "deleted"),
        (json!({ "do": "exists", "key": "ä/ ö" }), "false"),
        (json!({ "do": "add", "key": "a", "by": 41 }), "42"),
        (json!({ "do": "get", "key": "a" }), "Some(\"42\")"),
        (json!({ "do": "add", "key": "new", "by": 7 }), "7"),
        (json!({ "do": "add", "key": "big", "by": i64::MAX - 1 }), "9223372036854775806"),
        (json!({ "do": "add", "key": "big", "by": 1 }), "9223372036854775807"),
        (json!({ "do": "add", "key": "big", "by": 1 }), "the sum is over"),
        (json!({ "do": "add", "key": "big", "by": u64::MAX }), "the sum is over"),
        (json!({ "do": "set", "key": "word", "value": "one" }), "set"),
        (json!({ "do": "add", "key": "word", "by": 1 }), "not a number"),
        (json!({ "do": "set", "key": "word", "value": "-1" }), "set"),
        (json!({ "do": "add", "key": "word", "by": 1 }), "not a number"),
        (json!({ "do": "fill", "key": "a", "bytes": 101 }), "a value may have 100 bytes"),
        (json!({ "do": "fill", "key": "a", "bytes": 100 }), "set"),
        (json!({ "do": "set", "key": "", "value": "" }), "a key has 1 to 512 bytes"),
        (json!({ "do": "hoard" }), "buckets at once"),
        (json!({ "do": "get", "key": "a", "bucket": "team" }), "None"),
        (json!({ "do": "get", "key": "a", "bucket": "elsewhere" }), "Error::AccessDenied"),
        (json!({ "do": "many", "key": "k", "count": 246 }), "set"),
        (json!({ "do": "count" }), "250"),
        (json!({ "do": "set", "key": "one more", "value": "" }), "may have 250 keys"),
        (json!({ "do": "add", "key": "one more", "by": 1 }), "may have 250 keys"),
        (json!({ "do": "delete", "key": "k0" }), "deleted"),
        (json!({ "do": "fill", "key": "1", "bytes": 100 }), "set"),
        (json!({ "do": "many", "key": "k", "count": 1 }), "may have 250 keys"),
        (json!({ "do": "fill", "key": "k1", "bytes": 100 }), "may hold 1400 bytes"),
    ]
}

async fn converse(running: &Running) -> anyhow::Result<()> {
    for (asked, expected) in conversation() {
        let said = ask(running, asked.clone()).await?;
        let fits = if expected.contains(' ') { said.contains(expected) } else { said == expected };
        ensure!(fits, "{asked}: {said:?}, and not {expected:?}");
    }
    Ok(())
}

fn small() -> Value {
    json!({ "value_bytes": 100, "keys": 250, "bytes": 1400, "shared": ["team"] })
}

#[tokio::test]
async fn a_file_keeps_what_was_granted_and_no_more() -> anyhow::Result<()> {
    converse(&keeping(&small())?.start().await?).await
}

#[tokio::test]
async fn a_server_keeps_the_same() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let running = keeping(&small())?.set("store", "url", redis.url()).start().await?;
    converse(&running).await?;
    ensure!(!running.folder().join("aviary.redb").exists(), "one store is enough");
    Ok(())
}

#[tokio::test]
async fn a_server_behind_tls_keeps_it_too_if_somebody_vouches_for_it() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let authority = TestAuthority::new()?;
    let door = TlsDoor::before(&redis, &authority).await?;
    let roots = tempfile::NamedTempFile::new()?;
    std::fs::write(roots.path(), authority.root_pem())?;
    let setup = || anyhow::Ok(keeping(&json!({}))?.set("store", "url", door.url()));
    let trusting = setup()?.set("tls", "extra_roots", roots.path().to_string_lossy().into_owned());
    let running = trusting.start().await?;
    ask(&running, json!({ "do": "set", "key": "a", "value": "1" })).await?;
    ensure!(ask(&running, json!({ "do": "get", "key": "a" })).await? == "Some(\"1\")");

    let mut stranger = setup()?.launch(false).await?;
    let exit = stranger.host.wait().await?;
    let said = stranger.host.log().text();
    ensure!(exit.status.code() == Some(69) && said.contains("store.url"), "{exit:?}: {said}");
    Ok(())
}

#[tokio::test]
async fn what_is_kept_outlives_versions_and_the_host() -> anyhow::Result<()> {
    let mut running = keeping(&json!({}))?.start().await?;
    ask(&running, json!({ "do": "set", "key": "a", "value": "first" })).await?;
    // A changed sidecar makes the host load the plugin again.
    let sidecar = running.plugin_file("keeps.toml");
    let text = std::fs::read_to_string(&sidecar)?;
    std::fs::write(&sidecar, format!("{text}\n[settings]\nnew = \"1\"\n"))?;
    running.host.log().wait_for_count(2, events::PLUGIN_LIVE, &[("plugin", "keeps")]).await?;
    ensure!(ask(&running, json!({ "do": "get", "key": "a" })).await? == "Some(\"first\")");
    for round in 0..3 {
        let sums = (0..8).map(|_| ask(&running, json!({ "do": "add", "key": "n", "by": 1 })));
        for sum in futures_util::future::join_all(sums).await {
            sum?.parse::<u64>()?;
        }
        running.host.kill().await?;
        running.restart().await?;
        let sum = ask(&running, json!({ "do": "add", "key": "n", "by": 0 })).await?;
        ensure!(sum == (8 * (round + 1)).to_string(), "round {round}: {sum}");
    }
    ensure!(ask(&running, json!({ "do": "get", "key": "a" })).await? == "Some(\"first\")");
    Ok(())
}

#[tokio::test]
async fn plugins_see_what_is_theirs_and_what_they_share() -> anyhow::Result<()> {
    let sidecar = |button: &str, shared: &[&str]| {
        json!({
            "route": [{ "action_name": button }],
            "grants": { "key_value": { "shared": shared } },
        })
    };
    let keeps = aviary_e2e::artifacts::guest("keeps")?;
    let app = App::default()
        .webhook_only()
        .component("one", keeps.clone(), Some(sidecar("one", &["team"])))
        .component("two", keeps.clone(), Some(sidecar("two", &["team"])))
        .component("three", keeps, Some(sidecar("three", &[])));
    let running = Setup::new(app).start().await?;
    let told = async |plugin: &str, asked: Value| -> anyhow::Result<String> {
        Ok(running.deliver(&sender::click_with(plugin, asked)).await?.toast())
    };
    told("one", json!({ "do": "set", "key": "a", "value": "one's" })).await?;
    told("one", json!({ "do": "set", "key": "a", "value": "ours", "bucket": "team" })).await?;
    let own = told("two", json!({ "do": "get", "key": "a" })).await?;
    ensure!(own == "None", "{own}");
    let shared = told("two", json!({ "do": "get", "key": "a", "bucket": "team" })).await?;
    ensure!(shared == "Some(\"ours\")", "{shared}");
    let denied = told("three", json!({ "do": "get", "key": "a", "bucket": "team" })).await?;
    ensure!(denied == "Error::AccessDenied", "{denied}");
    Ok(())
}

#[tokio::test]
async fn without_a_grant_nothing_is_kept_and_the_log_says_why() -> anyhow::Result<()> {
    let app = App::default().webhook_only().guest("keeps")?;
    let running = Setup::new(app).start().await?;
    let said = ask(&running, json!({ "do": "set", "key": "a", "value": "1" })).await?;
    ensure!(said == "Error::AccessDenied", "{said}");
    let lines = running.host.log().lines(|line| line.is(events::PLUGIN_NOT_GRANTED, &[]));
    let missing: Vec<_> = lines.iter().map(|line| line.text_of("missing")).collect();
    for import in ["wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft"] {
        let line = "write key_value = {} under [grants] in keeps.toml";
        let named = |missing: &&&str| missing.contains(import) && missing.contains(line);
        ensure!(missing.iter().any(|missing| named(&missing)), "{import}: {missing:?}");
    }
    Ok(())
}

/// Two hosts share a server: every number of a counter is given to one call only.
#[tokio::test]
async fn hosts_that_share_a_server_share_what_is_kept() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let one = keeping(&json!({}))?.set("store", "url", redis.url()).start().await?;
    let other = keeping(&json!({}))?.set("store", "url", redis.url()).start().await?;
    let sums = (0..40).map(|number| {
        let host = if number % 2 == 0 { &one } else { &other };
        ask(host, json!({ "do": "add", "key": "n", "by": 1 }))
    });
    let mut seen = BTreeSet::new();
    for sum in futures_util::future::join_all(sums).await {
        seen.insert(sum?.parse::<u64>()?);
    }
    ensure!(seen == (1..=40).collect(), "{seen:?}");
    Ok(())
}
