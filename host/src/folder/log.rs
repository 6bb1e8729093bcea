//! The log lines about the plugins in a folder.

use crate::folder::event::FolderChange;
use crate::folder::event::FolderEvent;
use crate::folder::event::LiveVersion;
use crate::plugin::rehearsed::Rehearsed;

/// Writes the line about an event.
pub(super) fn write(app: &str, event: &FolderEvent) {
    let plugin = &*event.plugin;
    match &event.change {
        FolderChange::Live(LiveVersion { version, handles, code, code_load_time }) => {
            let (handles, code) = (handles.join(" "), code.as_str());
            let code_ms = code_load_time.as_secs_f64() * 1000.0;
            tracing::info!(app, plugin, %version, handles, code, code_ms, "plugin live");
        }
        FolderChange::Refused { reason, still_live } => {
            let still_live = still_live.as_deref();
            tracing::error!(app, plugin, reason, still_live, "plugin refused");
        }
        FolderChange::Unchanged => tracing::debug!(app, plugin, "plugin unchanged"),
        FolderChange::Removed => tracing::info!(app, plugin, "plugin removed"),
        FolderChange::RolledBack { version } => {
            tracing::info!(app, plugin, %version, "plugin rolled back");
        }
        FolderChange::NotGranted { version, missing } => {
            tracing::warn!(app, plugin, %version, missing, "plugin not granted");
        }
        FolderChange::Rehearsed { version, shown } => {
            let Rehearsed { played, other_replies, skipped } = shown;
            tracing::info!(app, plugin, %version, played, other_replies, skipped, "plugin rehearsed");
        }
        FolderChange::CanaryBegan { version, share } => {
            tracing::info!(app, plugin, %version, share, "canary begins");
        }
        FolderChange::CanaryPromoted { version, reason } => {
            tracing::info!(app, plugin, %version, reason, "canary promoted");
        }
        FolderChange::CanaryRolledBack { version, reason } => {
            tracing::error!(app, plugin, %version, reason, "canary rolled back");
        }
        FolderChange::CanaryWithdrawn { version } => {
            tracing::info!(app, plugin, %version, "canary taken back");
        }
    }
}
