//! Permission to click: the operator's lists, and the terms of a sealed value. All other users get a toast, and the plugin is not
//! called.

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::redis::RedisServer;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

fn seals(sidecar: Value) -> anyhow::Result<Setup> {
    Ok(Setup::new(App::default().webhook_only().guest_with("seals", sidecar)?))
}

fn click(button: &str, open_id: &str, value: Value) -> Value {
    let mut click = sender::click_with(button, value);
    click["event"]["operator"]["open_id"] = open_id.into();
    click
}

async fn said(running: &Running, click: &Value) -> anyhow::Result<String> {
    Ok(running.deliver(click).await?.toast())
}

/// Returns a sealed value for order 17, on these terms.
async fn sealed(running: &Running, mut terms: Value) -> anyhow::Result<Value> {
    terms["value"] = json!({ "order": 17 });
    let made = said(running, &click("make", "ou_e2e", terms)).await?;
    serde_json::from_str(&made).with_context(|| format!("not sealed: {made}"))
}

const NOT_FOR_YOU: &str = "This button is not for you.";
const NOT_GENUINE: &str = "This button is not genuine.";
const EXPIRED: &str = "This button has expired.";
const USED_UP: &str = "This has been answered already.";

#[tokio::test]
async fn only_those_on_the_lists_reach_the_plugin() -> anyhow::Result<()> {
    let sidecar = json!({
        "allow": { "open_ids": ["ou_boss"], "refusal": { "kind": "error", "content": "Ask the boss" } },
        "route": [
            { "event_type": "card.action.trigger" },
            { "action_name": "open", "event_type": "card.action.trigger",
              "allow": { "chats": ["oc_e2e"], "tenants": [aviary_e2e::TENANT_KEY] } },
            { "action_name": "elsewhere", "event_type": "card.action.trigger", "allow": { "chats": ["oc_other"] } },
        ],
    });
    let running = seals(sidecar)?.start().await?;
    let value = json!({ "order": 1 });
    ensure!(said(&running, &click("any", "ou_boss", value.clone())).await? == "order 1");
    let refused = click("any", "ou_e2e", value.clone());
    ensure!(said(&running, &refused).await? == "Ask the boss");
    let line = running.callback_line(sender::event_id(&refused)).await?;
    ensure!(
        line.text_of("outcome") == "refused" && line.number_of("fuel").is_none(),
        "{}",
        line.text()
    );
    ensure!(said(&running, &click("open", "ou_e2e", value.clone())).await? == "order 1");
    let elsewhere = said(&running, &click("elsewhere", "ou_boss", value)).await?;
    ensure!(elsewhere == NOT_FOR_YOU, "{elsewhere}");
    Ok(())
}

#[tokio::test]
async fn a_sealed_value_is_for_whom_it_names() -> anyhow::Result<()> {
    let running = seals(json!({}))?.start().await?;
    let value = sealed(&running, json!({ "only": "ou_approver" })).await?;
    ensure!(value["order"] == 17, "the rest of it reads as before: {value}");
    ensure!(said(&running, &click("use", "ou_approver", value.clone())).await? == "order 17");
    ensure!(said(&running, &click("strict", "ou_approver", value.clone())).await? == "sealed");
    ensure!(said(&running, &click("use", "ou_e2e", value)).await? == NOT_FOR_YOU);
    let plain = json!({ "order": 17 });
    ensure!(said(&running, &click("strict", "ou_approver", plain)).await? == NOT_GENUINE);
    Ok(())
}

#[tokio::test]
async fn a_forged_or_expired_value_is_refused() -> anyhow::Result<()> {
    let running = seals(json!({
        "route": [
            { "event_type": "card.action.trigger", "action_name": "make" },
            { "event_type": "card.action.trigger", "allow": { "sealed_only": true } },
        ],
    }))?
    .start()
    .await?;
    let good = sealed(&running, json!({ "only": "ou_approver" })).await?;
    ensure!(said(&running, &click("use", "ou_approver", good.clone())).await? == "order 17");
    for (pointer, forged) in [
        ("/order", json!(18)),
        ("/aviary_seal/to/0", json!("ou_thief")),
        ("/aviary_seal", json!({})),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).context("it is there")? = forged;
        for who in ["ou_approver", "ou_thief"] {
            let answer = said(&running, &click("use", who, value.clone())).await?;
            ensure!(answer == NOT_GENUINE, "{pointer} by {who}: {answer}");
        }
    }
    ensure!(said(&running, &click("use", "ou_e2e", json!({ "order": 17 }))).await? == NOT_GENUINE);
    let brief = sealed(&running, json!({ "secs": 1 })).await?;
    let mut answer = String::new();
    let started = std::time::Instant::now();
    while answer != EXPIRED {
        ensure!(started.elapsed() < aviary_e2e::PATIENCE, "it never expires: {answer}");
        answer = said(&running, &click("use", "ou_e2e", brief.clone())).await?;
        ensure!(answer == EXPIRED || answer == "order 17", "{answer}");
    }
    Ok(())
}

async fn good_once(one: &Running, other: &Running) -> anyhow::Result<()> {
    let value = sealed(one, json!({ "once": true })).await?;
    let failed = said(one, &click("fail", "ou_e2e", value.clone())).await?;
    ensure!(failed == "Something went wrong. Please try again later.", "{failed}");
    let (first, second) =
        (click("use", "ou_e2e", value.clone()), click("use", "ou_2", value.clone()));
    let (first, second) = tokio::join!(said(one, &first), said(other, &second));
    let mut answers = [first?, second?];
    answers.sort_unstable();
    ensure!(answers == [USED_UP, "order 17"], "{answers:?}");
    let replayed = said(other, &click("use", "ou_e2e", value)).await?;
    ensure!(replayed == USED_UP, "{replayed}");
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_good_once_is_used_once() -> anyhow::Result<()> {
    let mut running = seals(json!({}))?.start().await?;
    good_once(&running, &running).await?;
    let value = sealed(&running, json!({ "once": true })).await?;
    ensure!(said(&running, &click("use", "ou_e2e", value.clone())).await? == "order 17");
    running.host.kill().await?;
    running.restart().await?;
    ensure!(
        said(&running, &click("use", "ou_e2e", value)).await? == USED_UP,
        "after a restart too"
    );
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_good_once_is_used_once_over_all_hosts() -> anyhow::Result<()> {
    let Some(redis) = RedisServer::start().await? else { return Ok(()) };
    let one = seals(json!({}))?.set("store", "url", redis.url()).start().await?;
    let other = seals(json!({}))?.set("store", "url", redis.url()).start().await?;
    good_once(&one, &other).await
}
