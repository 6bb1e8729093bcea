//! A new version with a share of the users: always the same ones, and it stays only if it does well.

use std::collections::BTreeSet;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::PATIENCE;
use aviary_e2e::artifacts;
use aviary_e2e::http::Request;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// So many that each share is met, and is not half of them by chance.
const USERS: usize = 100;

async fn with_canary(calls: u32) -> anyhow::Result<Running> {
    let promote = json!({ "promote": { "canary": 20, "canary_calls": calls } });
    let app = App::default().component("answer", artifacts::guest("version-a")?, Some(promote));
    Setup::new(app.webhook_only()).start().await
}

/// What that user sees after a click.
async fn click(running: &Running, user: usize) -> anyhow::Result<String> {
    let mut click = sender::click("b");
    click["event"]["operator"]["open_id"] = format!("ou_{user}").into();
    Ok(running.deliver(&click).await?.toast())
}

/// The users who do not see "a".
async fn guinea_pigs(running: &Running) -> anyhow::Result<BTreeSet<usize>> {
    let mut others = BTreeSet::new();
    for user in 0..USERS {
        if click(running, user).await? != "a" {
            others.insert(user);
        }
    }
    Ok(others)
}

async fn status(running: &Running) -> anyhow::Result<Value> {
    let list = Request::get("/plugins").send(running.host.admin().await?).await?.json()?;
    Ok(list["apps"][0]["plugins"][0].clone())
}

async fn begins(running: &Running, guest: &str, count: usize) -> anyhow::Result<()> {
    running.drop_guest(guest, "answer")?;
    let begun = [("plugin", "answer")];
    running.host.log().wait_for_count(count, "canary begins", &begun).await.map(drop)
}

#[tokio::test]
async fn a_good_version_is_promoted_and_each_user_sees_one_version() -> anyhow::Result<()> {
    // It has less than half of the users, so that two rounds are not enough to be judged.
    let running = with_canary(u32::try_from(USERS)?).await?;
    begins(&running, "version-b", 1).await?;
    let first = guinea_pigs(&running).await?;
    ensure!(!first.is_empty() && first.len() < USERS / 2, "20 of 100 users: {first:?}");
    ensure!(guinea_pigs(&running).await? == first, "a user sees one version and then the other");
    let now = status(&running).await?;
    ensure!(now["canary"]["calls"] == 2 * first.len() && now["canary"]["failures"] == 0, "{now}");
    let promoting = async {
        let promoted = [("plugin", "answer")];
        let log = running.host.log();
        while log.lines(|line| line.is("canary promoted", &promoted)).is_empty() {
            guinea_pigs(&running).await?;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, promoting).await.context("it is never promoted")??;
    ensure!(guinea_pigs(&running).await?.len() == USERS, "now it has all of them");
    let now = status(&running).await?;
    let reason = now["promoted_because"].as_str().unwrap_or_default();
    ensure!(reason.contains("0 of its 100 calls failed") && now["canary"].is_null(), "{now}");
    Ok(())
}

#[tokio::test]
async fn a_failing_version_is_rolled_back_and_only_its_share_has_met_it() -> anyhow::Result<()> {
    let running = with_canary(1000).await?;
    begins(&running, "trap", 1).await?;
    let met = guinea_pigs(&running).await?;
    ensure!(!met.is_empty() && met.len() < USERS / 2, "{met:?}");
    let back = running.host.log().wait_for("canary rolled back", &[("plugin", "answer")]).await?;
    ensure!(back.text_of("reason").contains("calls failed"), "{}", back.text());
    ensure!(guinea_pigs(&running).await?.is_empty(), "everybody has the version before");
    let now = status(&running).await?;
    let reason = now["not_live_because"].as_str().unwrap_or_default();
    ensure!(now["live"] == true && now["canary"].is_null(), "{now}");
    ensure!(reason.contains("canary: 3 of its 3 calls failed"), "{now}");

    // The file is what it was, so it is not tried again; another one is.
    begins(&running, "version-b", 2).await?;
    let begun = running.host.log().lines(|line| line.message() == "canary begins").len();
    ensure!(begun == 2 && !guinea_pigs(&running).await?.is_empty());
    Ok(())
}
