//! An app from the platform's store: its tickets, which no plugin sees, and a token for each of its tenants. Also the rules for
//! every app's requests: which refusals are repaired, which credentials survive a restart, and the rate limit.

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_ID;
use aviary_e2e::TENANT_KEY;
use aviary_e2e::artifacts;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::DeliveryKind;
use lark_simulator::delivery::Door;
use serde_json::Value;
use serde_json::json;

const MESSAGES: &str = "/open-apis/im/v1/messages";
const RESEND: &str = "/open-apis/auth/v3/app_ticket/resend";
const OWN_TOKEN: &str = "/open-apis/auth/v3/app_access_token";
const TENANT_TOKEN: &str = "/open-apis/auth/v3/tenant_access_token";

fn sidecar() -> Value {
    json!({ "grants": { "open_api": [format!("POST {MESSAGES}")] } })
}

fn store_app() -> anyhow::Result<App> {
    App::default().from_the_store().guest_with("calls-open-api", sidecar())
}

/// Counts the requests to each of these paths.
fn asked<const N: usize>(running: &Running, paths: [&str; N]) -> anyhow::Result<[usize; N]> {
    let calls = running.platform()?.simulator().api_calls();
    Ok(paths.map(|path| calls.iter().filter(|call| call.path == path).count()))
}

/// Returns the tenants that messages were sent for, in order.
fn sent_for(running: &Running) -> anyhow::Result<Vec<String>> {
    let calls = running.platform()?.simulator().api_calls();
    let sent = calls.into_iter().filter(|call| call.path == MESSAGES && call.code == 0);
    sent.map(|call| call.tenant_key.context("a message without a tenant")).collect()
}

async fn click_in(running: &Running, tenant: &str) -> anyhow::Result<String> {
    let mut click = sender::click("b");
    click["header"]["tenant_key"] = tenant.into();
    click["event"]["operator"]["tenant_key"] = tenant.into();
    let delivery = Delivery::json(DeliveryKind::CardAction, click);
    Ok(running.platform()?.send(&delivery).await?.toast().to_owned())
}

#[tokio::test]
async fn a_store_app_has_a_token_for_each_tenant_and_its_ticket_is_the_host_s() -> anyhow::Result<()>
{
    // The plugin takes every event.
    let app = store_app()?.component("event_logger", artifacts::plugin("event_logger")?, None);
    let running = Setup::new(app).start().await?;
    let platform = running.platform()?;
    for tenant in [TENANT_KEY, "another", TENANT_KEY, "another"] {
        let toast = click_in(&running, tenant).await?;
        ensure!(toast.contains("status 200"), "{tenant}: {toast}");
    }
    ensure!(sent_for(&running)? == [TENANT_KEY, "another", TENANT_KEY, "another"]);
    let all = [RESEND, OWN_TOKEN, TENANT_TOKEN];
    ensure!(asked(&running, all)? == [1, 1, 2], "{:?}", platform.simulator().api_calls());

    // The next ticket comes through the other door, without a request for it.
    let url = running.webhook_url(&running.apps()[0]).await?;
    let pushed = platform.simulator().push_app_ticket(APP_ID, &Door::Webhook { url }).await?;
    ensure!(pushed.verdict.error.is_none(), "{pushed:?}");
    platform.simulator().make_tokens_stale(APP_ID, 99_991_664)?;
    let toast = click_in(&running, TENANT_KEY).await?;
    ensure!(toast.contains("status 200"), "{toast}");
    ensure!(asked(&running, all)? == [1, 2, 3], "{:?}", platform.simulator().api_calls());

    let log = running.host.log();
    let taken = log.wait_for_count(2, events::CALLBACK, &[("outcome", "host")]).await?;
    ensure!(taken.iter().all(|line| line.text_of("plugin").is_empty()), "{taken:?}");
    let sent: Value = serde_json::from_slice(&pushed.sent)?;
    let ticket = sent["event"]["app_ticket"].as_str().context("a ticket")?;
    ensure!(!log.text().contains(ticket), "the ticket is in the log");
    let kept = std::fs::read(running.folder().join("aviary.redb"))?;
    let is_readable = kept.windows(ticket.len()).any(|bytes| bytes == ticket.as_bytes());
    ensure!(!is_readable, "the ticket is readable in the store");
    Ok(())
}

#[tokio::test]
async fn whatever_the_platform_calls_stale_is_replaced_once() -> anyhow::Result<()> {
    let own = App::default().guest_with("calls-open-api", sidecar())?;
    for (app, codes) in [
        (own, &[99_991_663, 99_991_671][..]),
        (store_app()?, &[99_991_663, 99_991_671, 99_991_664, 10_012]),
    ] {
        let running = Setup::new(app).start().await?;
        click_in(&running, TENANT_KEY).await?;
        for code in codes {
            let [before] = asked(&running, [MESSAGES])?;
            running.platform()?.simulator().make_tokens_stale(APP_ID, *code)?;
            let toast = click_in(&running, TENANT_KEY).await?;
            ensure!(toast.contains("status 200"), "{code}: {toast}");
            ensure!(asked(&running, [MESSAGES])? == [before + 2], "{code}: refused, and again");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_ticket_outlives_the_host_and_tokens_where_that_is_asked_for() -> anyhow::Result<()> {
    for (keep, requests) in [(false, [1, 2, 2]), (true, [1, 1, 1])] {
        let mut running =
            Setup::new(store_app()?).set("store", "keep_tokens", keep).start().await?;
        click_in(&running, TENANT_KEY).await?;
        running.host.kill().await?;
        running.restart().await?;
        let toast = click_in(&running, TENANT_KEY).await?;
        ensure!(toast.contains("status 200"), "{toast}");
        let all = asked(&running, [RESEND, OWN_TOKEN, TENANT_TOKEN])?;
        ensure!(all == requests, "keep_tokens = {keep}: {all:?}");
    }
    Ok(())
}

#[tokio::test]
async fn plugins_ask_no_more_than_they_and_their_app_may() -> anyhow::Result<()> {
    let limited = |button: &str, per_minute: u32| {
        let mut sidecar = sidecar();
        sidecar["route"] = json!([{ "action_name": button }]);
        sidecar["limits"] = json!({ "api_per_minute": per_minute });
        Some(sidecar)
    };
    let guest = artifacts::guest("calls-open-api")?;
    let app = App::default()
        .set("api", json!({ "per_minute": 4 }))
        .component("one", guest.clone(), limited("twice", 3))
        .component("two", guest, limited("b", 100));
    let running = Setup::new(app).start().await?;
    let platform = running.platform()?;
    let said = async |button: &str| anyhow::Ok(platform.click(button).await?.toast().to_owned());
    ensure!(said("twice").await?.matches("status 200").count() == 2);
    // The next slot is in a minute, which is later than the end of the call.
    let third = said("twice").await?;
    ensure!(third.contains("status 200") && third.contains("RateLimited"), "{third}");
    ensure!(said("b").await?.contains("status 200"), "the other has its own limit");
    ensure!(said("b").await?.contains("RateLimited"), "and the app has one for all");
    ensure!(platform.simulator().messages().len() == 4);
    Ok(())
}

#[tokio::test]
async fn another_tenant_has_to_be_granted() -> anyhow::Result<()> {
    for (tenants, is_granted) in [(json!([]), false), (json!(["another"]), true)] {
        let mut sidecar = sidecar();
        sidecar["grants"]["tenants"] = tenants;
        let app = App::default().from_the_store().guest_with("calls-open-api", sidecar)?;
        let running = Setup::new(app).start().await?;
        let toast = running.platform()?.click("for:another").await?.toast().to_owned();
        ensure!(toast.contains("NotGranted") != is_granted, "{toast}");
        let sent = sent_for(&running)?;
        ensure!(sent.iter().all(|tenant| tenant == "another"), "{sent:?}");
        ensure!(sent.len() == usize::from(is_granted), "{sent:?}");
    }
    Ok(())
}
