//! `aviary demo --open`: the same stage, and a page on which a person clicks instead of a script.

use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::demo::table;
use crate::simulator::Simulator;
use crate::simulator::playground::Surroundings;
use crate::stage::Stage;
use crate::telemetry::CallbackRecord;

/// Between two looks at the plugins folder's state.
const LOOK: Duration = Duration::from_millis(200);

/// Shows the page until `stop`. `false` if something did not finish in time.
pub(super) async fn play(
    components: &[PathBuf],
    stop: impl Future<Output = ()>,
) -> anyhow::Result<bool> {
    let stage = Stage::set(components).await?;
    let page = stage.platform.domain();
    table::invite(&page, &stage.plugins());
    open_browser(&page);
    tokio::select! {
        () = stop => {}
        () = tell_of_callbacks(&stage.platform, stage.observe()) => {}
        () = tell_of_plugins(&stage) => {}
    }
    Ok(stage.strike().await)
}

async fn tell_of_callbacks(platform: &Simulator, mut records: Receiver<Arc<CallbackRecord>>) {
    loop {
        match records.recv().await {
            Ok(record) => {
                if let Some(event_id) = &record.event_id {
                    platform.tell_of_callback(event_id.clone(), describe(&record));
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn describe(record: &CallbackRecord) -> Value {
    json!({
        "plugin": record.plugin.as_ref().map(|plugin| &*plugin.name),
        "version": record.plugin.as_ref().map(|plugin| &*plugin.version),
        "outcome": record.outcome.as_str(),
        "reason": record.reason,
        "ms": record.elapsed.as_secs_f64() * 1000.0,
        "fuel": record.fuel,
    })
}

async fn tell_of_plugins(stage: &Stage) {
    loop {
        let webhook = stage.webhook_url().to_owned();
        stage.platform.tell_surroundings(Surroundings { webhook, plugins: stage.plugin_list() });
        tokio::time::sleep(LOOK).await;
    }
}

/// The address is printed as well, so it does no harm if there is no browser.
fn open_browser(page: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let _ = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}
