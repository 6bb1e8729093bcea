//! Sends callbacks after each change: the last one that somebody sent by hand, or else those beside the source.

use std::path::Path;

use anyhow::Context as _;
use lark_simulator::delivery::Delivery;
use lark_simulator::delivery::Door;
use serde_json::Value;

use crate::folder::self_test::is_callback;
use crate::printable::MAX_TEXT_BYTES;
use crate::printable::clipped;
use crate::small_file;
use crate::small_file::off_thread;
use crate::stage::APP_ID;
use crate::stage::Recorded;
use crate::stage::Stage;
use crate::telemetry::collector::Collector;
use crate::terminal;

/// Folder in which an author keeps callbacks.
const CALLBACKS: &str = "callbacks";
/// Most callbacks that are sent: as many as a host takes for self-tests.
const MAX_CALLBACKS: usize = 16;
/// Largest callback that is sent, in bytes: as large as a host takes for self-tests.
const MAX_CALLBACK_BYTES: u64 = 1 << 20;

/// Sends the callbacks, and prints what the user sees of each.
pub(super) async fn play(stage: &Stage, folder: &Path, log: &Collector) -> anyhow::Result<()> {
    let deliveries = match stage.platform.last_by_hand(APP_ID) {
        Some((door, last)) => vec![("the last callback".to_owned(), door, last.anew())],
        None => beside(&folder.join(CALLBACKS), stage).await?,
    };
    if deliveries.is_empty() {
        terminal::result!(
            "nothing to send: put a callback into {}, or click on {}",
            folder.join(CALLBACKS).display(),
            stage.platform.domain()
        );
    }
    let mut shown = Vec::new();
    for (name, door, delivery) in deliveries {
        log.take();
        let (exchange, record) = stage.send(&door, &delivery, Recorded::Yes).await?;
        terminal::result!("{name}");
        terminal::result!("  the user sees  {}", exchange.in_words());
        if let Some(received) = &exchange.received {
            terminal::result!("  reply          {}", String::from_utf8_lossy(received));
        }
        if let Some(record) = record {
            let fuel = record.fuel.map(|fuel| format!(", {fuel} units of fuel"));
            terminal::result!(
                "  outcome        {}{}, {:.1} ms",
                record.outcome.as_str(),
                fuel.unwrap_or_default(),
                exchange.elapsed.as_secs_f64() * 1000.0
            );
            if let Some(reason) = &record.reason {
                terminal::result!("  because        {}", clipped(reason, MAX_TEXT_BYTES));
            }
        }
        for line in log.take().iter().filter(|line| line.is_a_guests) {
            terminal::result!("  log            {}", line.in_words());
        }
        shown.push((name, exchange));
    }
    stage.platform.show(&shown).await;
    Ok(())
}

async fn beside(folder: &Path, stage: &Stage) -> anyhow::Result<Vec<(String, Door, Delivery)>> {
    let place = folder.to_owned();
    let payloads = off_thread(folder, move || payloads(&place)).await?;
    let delivery = |(name, payload)| {
        let delivery = Delivery::recorded(payload);
        (name, stage.door(&delivery), delivery)
    };
    Ok(payloads.into_iter().map(delivery).collect())
}

fn payloads(folder: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_callback(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    paths.truncate(MAX_CALLBACKS);
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> anyhow::Result<(String, Value)> {
    let body = small_file::read(path, MAX_CALLBACK_BYTES)?;
    let payload = serde_json::from_slice(&body).with_context(|| path.display().to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, payload))
}
