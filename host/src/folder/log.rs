//! Log lines about the plugins in a folder.

use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::folder::event::LiveVersion;
use crate::plugin::rehearsed::Rehearsed;
use crate::telemetry::events::CANARY_BEGINS;
use crate::telemetry::events::CANARY_PROMOTED;
use crate::telemetry::events::CANARY_ROLLED_BACK;
use crate::telemetry::events::PLUGIN_LIVE;
use crate::telemetry::events::PLUGIN_NOT_GRANTED;
use crate::telemetry::events::PLUGIN_REFUSED;
use crate::telemetry::events::PLUGIN_REHEARSED;
use crate::telemetry::events::PLUGIN_REMOVED;
use crate::telemetry::events::PLUGIN_UNCHANGED;

/// Writes the log line for an event.
pub(super) fn write(app: &str, event: &FolderEvent) {
    let plugin = &*event.plugin;
    match &event.change {
        FolderChange::Live(LiveVersion { version, handles, code, code_load_time }) => {
            let (handles, code) = (handles.join(" "), code.as_str());
            let code_ms = code_load_time.as_secs_f64() * 1000.0;
            tracing::info!(app, plugin, %version, handles, code, code_ms, "{PLUGIN_LIVE}");
        }
        FolderChange::Refused { reason, still_live } => {
            let still_live = still_live.as_deref();
            tracing::error!(app, plugin, reason, still_live, "{PLUGIN_REFUSED}");
        }
        FolderChange::Unchanged => tracing::debug!(app, plugin, "{PLUGIN_UNCHANGED}"),
        FolderChange::Removed => tracing::info!(app, plugin, "{PLUGIN_REMOVED}"),
        FolderChange::RolledBack { version } => {
            tracing::info!(app, plugin, %version, "plugin: rolled back");
        }
        FolderChange::NotGranted { version, missing } => {
            tracing::warn!(app, plugin, %version, missing, "{PLUGIN_NOT_GRANTED}");
        }
        FolderChange::Rehearsed { version, shown } => {
            let Rehearsed { played, other_replies, skipped } = shown;
            tracing::info!(app, plugin, %version, played, other_replies, skipped, "{PLUGIN_REHEARSED}");
        }
        FolderChange::CanaryBegan { version, share } => {
            tracing::info!(app, plugin, %version, share, "{CANARY_BEGINS}");
        }
        FolderChange::CanaryPromoted { version, reason } => {
            tracing::info!(app, plugin, %version, reason, "{CANARY_PROMOTED}");
        }
        FolderChange::CanaryRolledBack { version, reason } => {
            tracing::error!(app, plugin, %version, reason, "{CANARY_ROLLED_BACK}");
        }
        FolderChange::CanaryWithdrawn { version } => {
            tracing::info!(app, plugin, %version, "canary: withdrawn");
        }
    }
}
