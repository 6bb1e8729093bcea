//! A plugin is replaced, several times, while users click. Nobody may notice.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lark_simulator::Simulator;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

use crate::folder::alone::MAX_FILE_BYTES;
use crate::record::CallbackRecord;
use crate::small_file;
use crate::stage::APP_ID;
use crate::stage::Stage;

/// Number of times that the plugin is replaced.
const SWAPS: u8 = 3;
/// Users who click as fast as they get their answers, half of them on each door.
const USERS: usize = 4;
/// Time in which a new version has to answer its first click.
const LIVE: Duration = Duration::from_secs(20);

/// Result of the scenario.
#[derive(Debug, Serialize)]
pub(super) struct Swap {
    /// Clicks that saw the plugin's own answer.
    pub(super) answered: usize,
    /// Clicks that saw another answer, or none.
    pub(super) lost: usize,
    /// Versions of the plugin that answered, the first one included.
    pub(super) versions: usize,
}

impl Swap {
    pub(super) fn ok(&self) -> bool {
        self.lost == 0 && self.answered > 0 && self.versions == usize::from(SWAPS) + 1
    }
}

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Swap> {
    let file = stage.plugins().join("approval_card.wasm");
    let original = small_file::read(&file, MAX_FILE_BYTES)?;
    let mut records = stage.observe();
    let mut versions = BTreeSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let webhook = stage.webhook();
    let platform = &stage.platform;
    let users = (0..USERS).map(|user| {
        let door = if user % 2 == 0 { webhook.clone() } else { Door::LongConnection };
        click_until(platform, door, stopped.clone())
    });
    let replacing = async {
        for swap in 0..=SWAPS {
            if swap > 0 {
                replace(&file, &original, swap)?;
            }
            next_version(&mut records, &mut versions).await?;
        }
        stop.send(true).context("nobody clicks")
    };
    let (clicks, replaced) = tokio::join!(futures_util::future::join_all(users), replacing);
    replaced?;
    let (answered, lost) =
        clicks.into_iter().fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1));
    Ok(Swap { answered, lost, versions: versions.len() })
}

async fn click_until(
    platform: &Simulator,
    door: Door,
    stop: tokio::sync::watch::Receiver<bool>,
) -> (usize, usize) {
    let (mut answered, mut lost) = (0, 0);
    while !*stop.borrow() {
        let click = Delivery::card_action(
            json!({"kind": "leave", "decision": "approve", "applicant": "Ana"}),
        );
        let seen = platform.send(APP_ID, &door, &click).await;
        match seen.ok().and_then(|exchange| exchange.verdict.toast) {
            Some(toast) if toast.text == "Approved" => answered += 1,
            _ => lost += 1,
        }
    }
    (answered, lost)
}

/// Writes the same plugin with another stamp in it: a component may carry custom sections, and every byte counts for its version.
/// It is written beside the folder's own files and moved there, as a deployment would.
fn replace(file: &Path, original: &[u8], stamp: u8) -> anyhow::Result<()> {
    // Section 0 is custom: its size, then a name of one byte, then what it holds.
    let custom_section = [0, 3, 1, b'v', stamp];
    let next = file.with_extension("next");
    std::fs::write(&next, [original, &custom_section].concat())?;
    std::fs::rename(next, file)?;
    Ok(())
}

/// Waits until a version answers that did not answer before.
async fn next_version(
    records: &mut Receiver<Arc<CallbackRecord>>,
    versions: &mut BTreeSet<Arc<str>>,
) -> anyhow::Result<()> {
    let until = Instant::now() + LIVE;
    loop {
        let record = tokio::time::timeout_at(until, records.recv())
            .await
            .context("the new version is not live")??;
        if let Some(plugin) = &record.plugin
            && versions.insert(Arc::clone(&plugin.version))
        {
            return Ok(());
        }
    }
}
