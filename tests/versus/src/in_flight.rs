//! Measures the memory of calls under way: plugins that wait, half of their callbacks through each door.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aviary_e2e::PATIENCE;
use aviary_e2e::artifacts;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinSet;

use crate::aviary::APP;
use crate::aviary::Plan;
use crate::aviary::button;
use crate::click::Clicks;
use crate::contestant;
use crate::cores::Cores;
use crate::lane::Lane;
use crate::lane::Target;
use crate::memory::MEGABYTE;
use crate::memory::SETTLE;
use crate::scenarios::platform;
use crate::size::Size;
use crate::spread::Spread;

/// Limit of concurrent calls. A host keeps a quarter of its places for plugins with hardly a call under way, so few plugins
/// cannot fill them all.
const PLACES: u32 = 1000;
/// Time that each plugin waits. All calls have begun by then on the busiest machine; the host answers in their place.
const WAIT: Duration = Duration::from_secs(20);
/// Line that the guest logs when it begins to wait.
const BEGINS: &str = "slow begins";

/// Returns the megabytes of a thousand calls under way, beyond the host's memory without them.
pub(crate) async fn weigh(cores: Cores, size: Size) -> anyhow::Result<Option<Spread>> {
    let mut weighed = Vec::new();
    for _ in 0..size.runs {
        weighed.push(once(cores, size).await?);
    }
    Ok(Spread::of(weighed))
}

async fn once(cores: Cores, size: Size) -> anyhow::Result<f64> {
    let guest = std::fs::read(artifacts::guest("slow")?)?;
    let millis = WAIT.as_millis().to_string();
    let sidecar = json!({ "settings": { "millis": millis } });
    let plan = Plan::empty().with_copies(&guest, size.waiting_plugins, &sidecar);
    let plan = plan.set("guests", "max_calls", PLACES);
    let platform = platform().await?;
    let mut doors = contestant::webhook_door();
    doors["domain"] = platform.domain().into();
    doors["long_connection"] = json!({ "connections": 1 });
    let mut process = plan.start(&doors, cores).await?;
    let webhook = contestant::webhook_of(&mut process).await?;
    platform.wait_connected(APP, 1, PATIENCE).await.context("it does not connect")?;
    let long_connection = Target::LongConnection { platform, app: APP.to_owned() };
    tokio::time::sleep(SETTLE).await;
    let idle = process.memory()?;
    let mut users = JoinSet::new();
    for number in 0..size.waiting_plugins {
        let clicks = Arc::new(Clicks::on(&button(number)));
        for call in 0..size.calls_of_each {
            let target = if call % 2 == 0 { &webhook } else { &long_connection };
            let mut user = Lane::open(target, Arc::clone(&clicks)).await?;
            users.spawn(async move { user.click_for_any_toast().await });
        }
    }
    let calls = users.len();
    let begins = |line: &Value| (line["text"] == BEGINS).then_some(());
    process.lines(calls, begins).await?;
    let full = process.memory()?;
    while let Some(user) = users.join_next().await {
        user?.with_context(|| process.last_words())?;
    }
    Ok((full as f64 - idle as f64) / MEGABYTE / calls as f64 * 1000.0)
}
