//! A new version for a share of the users: always the same users, and it is promoted only if it does well.

use std::collections::BTreeSet;

use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::eventually::eventually_is;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use serde_json::json;

/// Enough users for every share to have some and none to have half of them by chance.
const USERS: usize = 100;

async fn with_canary(calls: u32) -> anyhow::Result<Running> {
    let promote = json!({ "promote": { "canary": 20, "canary_calls": calls } });
    let app = App::default().component("answer", artifacts::guest("version-a")?, Some(promote));
    Setup::new(app.webhook_only()).start().await
}

/// Clicks as that user and returns the text of the toast.
async fn click(running: &Running, user: usize) -> anyhow::Result<String> {
    let mut click = sender::click("b");
    click["event"]["operator"]["open_id"] = format!("ou_{user}").into();
    Ok(running.deliver(&click).await?.toast())
}

/// Returns the users who see another answer than "a".
async fn users_in_canary(running: &Running) -> anyhow::Result<BTreeSet<usize>> {
    let mut others = BTreeSet::new();
    for user in 0..USERS {
        if click(running, user).await? != "a" {
            others.insert(user);
        }
    }
    Ok(others)
}

async fn begins(running: &Running, guest: &str, count: usize) -> anyhow::Result<()> {
    running.drop_guest(guest, "answer")?;
    let begun = [("plugin", "answer")];
    running.host.log().wait_for_count(count, events::CANARY_BEGINS, &begun).await.map(drop)
}

#[tokio::test]
async fn a_good_version_is_promoted_and_each_user_sees_one_version() -> anyhow::Result<()> {
    // The canary has less than half of the users, so two rounds are not enough for a verdict.
    let running = with_canary(u32::try_from(USERS)?).await?;
    begins(&running, "version-b", 1).await?;
    let first = users_in_canary(&running).await?;
    ensure!(!first.is_empty() && first.len() < USERS / 2, "20 of 100 users: {first:?}");
    ensure!(
        users_in_canary(&running).await? == first,
        "a user sees one version and then the other"
    );
    let now = running.plugin("answer").await?;
    ensure!(now["canary"]["calls"] == 2 * first.len() && now["canary"]["failures"] == 0, "{now}");
    eventually_is("the canary is promoted", async || {
        users_in_canary(&running).await?;
        let is_it = |line: &LogLine| line.is(events::CANARY_PROMOTED, &[("plugin", "answer")]);
        Ok(!running.host.log().lines(is_it).is_empty())
    })
    .await?;
    ensure!(users_in_canary(&running).await?.len() == USERS, "now it has all of them");
    let now = running.plugin("answer").await?;
    let reason = now["promoted_because"].as_str().unwrap_or_default();
    ensure!(reason.contains("0 of its 100 calls failed") && now["canary"].is_null(), "{now}");
    Ok(())
}

#[tokio::test]
async fn a_failing_version_is_rolled_back_and_only_its_share_has_met_it() -> anyhow::Result<()> {
    let running = with_canary(1000).await?;
    begins(&running, "trap", 1).await?;
    let met = users_in_canary(&running).await?;
    ensure!(!met.is_empty() && met.len() < USERS / 2, "{met:?}");
    let back =
        running.host.log().wait_for(events::CANARY_ROLLED_BACK, &[("plugin", "answer")]).await?;
    ensure!(back.text_of("reason").contains("calls failed"), "{}", back.text());
    ensure!(users_in_canary(&running).await?.is_empty(), "everybody has the version before");
    let now = running.plugin("answer").await?;
    let reason = now["not_live_because"].as_str().unwrap_or_default();
    ensure!(now["live"] == true && now["canary"].is_null(), "{now}");
    ensure!(reason.contains("canary: 3 of its 3 calls failed"), "{now}");

    // The file is unchanged, so it is not tried again; another version is.
    begins(&running, "version-b", 2).await?;
    let begun = running.host.log().lines(|line| line.is(events::CANARY_BEGINS, &[])).len();
    ensure!(begun == 2 && !users_in_canary(&running).await?.is_empty());
    Ok(())
}
