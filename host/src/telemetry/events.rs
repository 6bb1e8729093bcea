//! The messages of log lines that something other than the log reads: the host writes a line's `message` from this list, and
//! tests wait for it by the same name. A message that only people read stays where it is written.
//!
//! ```ignore
//! tracing::info!(app, plugin, version, "{PLUGIN_LIVE}");
//! log.wait_for(events::PLUGIN_LIVE, &[("plugin", "hello")]).await?;
//! ```

use std::fmt;

/// The `message` of a log line, which says what happened. The line's other fields say to whom, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEvent(&'static str);

impl LogEvent {
    /// The message as it is written.
    pub const fn text(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for LogEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A port is bound; `what` names the server and `address` where it listens.
pub const LISTENING: LogEvent = LogEvent("server: listening");
/// The host has shut down.
pub const STOPPED: LogEvent = LogEvent("host: stopped");
/// The operating system gave a server no more connections.
pub const ACCEPT_FAILED: LogEvent = LogEvent(guarded_http::server::ACCEPT_FAILED);
/// A server closed an idle connection to take a new one.
pub const CONNECTION_LIMIT_REACHED: LogEvent =
    LogEvent(guarded_http::server::CONNECTION_LIMIT_REACHED);
/// Swap was on when the host started.
pub const MEMORY_MAY_BE_SWAPPED: LogEvent =
    LogEvent("runtime: swap is on, fresh instances cost more");
/// Swap came on while the host ran.
pub const SWAP_CAME_ON: LogEvent = LogEvent(
    "runtime: swap came on, fresh instances cost more from now on; no instance has seen the memory of another",
);

/// In a self-test, a plugin reported a failure instead of answering; it goes live all the same.
pub const SELF_TEST_FAILURE_REPORTED: LogEvent =
    LogEvent("plugin: reports a failure in its self-test");

/// A callback or event was answered; the one line about it.
pub const CALLBACK: LogEvent = LogEvent("callback: answered");
/// Something that is not a callback came in and was turned away.
pub const REJECTED: LogEvent = LogEvent("door: rejected");
/// The webhook refuses unsigned requests unread, because there are too many of them.
pub const UNSIGNED_LIMIT_REACHED: LogEvent = LogEvent(
    "webhook: too many unsigned requests, some are refused unread; a URL check from the console may be among them",
);
/// A plugin returned after its callback had been answered.
pub const LATE_REPLY: LogEvent = LogEvent("callback: late reply");
/// The platform took a card update.
pub const CARD_UPDATED: LogEvent = LogEvent("card update: delivered");
/// The platform did not take a card update, which is sent again after a pause.
pub const CARD_UPDATE_RETRIED: LogEvent = LogEvent("card update: failed, trying again");
/// A newer update of the same card replaces one that could not be delivered.
pub const CARD_UPDATE_SUPERSEDED: LogEvent = LogEvent("card update: dropped for a newer one");
/// Card updates that an earlier process promised were found in the store.
pub const CARD_UPDATES_RESUMED: LogEvent =
    LogEvent("card update: resumed what an earlier process promised");

/// A connection to the platform is open.
pub const CONNECTED: LogEvent = LogEvent("long connection: connected");
/// A connection ended, or could not be opened; another attempt follows.
pub const DISCONNECTED: LogEvent = LogEvent("long connection: disconnected");
/// A connection ended, and no other attempt follows.
pub const CONNECTION_GIVEN_UP: LogEvent = LogEvent("long connection: given up");
/// The platform sent messages on a connection that the host was closing.
pub const MESSAGES_AFTER_CLOSE: LogEvent =
    LogEvent("long connection: messages received after close");

/// A version of a plugin answers callbacks from now on.
pub const PLUGIN_LIVE: LogEvent = LogEvent("plugin: live");
/// A plugin brings modules that need sockets.
pub const PLUGIN_WITH_SOCKETS: LogEvent = LogEvent("plugin: parts of it cannot work");
/// A file does not become a version, and why.
pub const PLUGIN_REFUSED: LogEvent = LogEvent("plugin: refused");
/// A file is gone, and its plugin with it.
pub const PLUGIN_REMOVED: LogEvent = LogEvent("plugin: removed");
/// A file was written again with the same contents.
pub const PLUGIN_UNCHANGED: LogEvent = LogEvent("plugin: unchanged");
/// The last call on a version has ended, and its memory is free.
pub const PLUGIN_FREED: LogEvent = LogEvent("plugin: freed");
/// Recorded callbacks were played to a new version.
pub const PLUGIN_REHEARSED: LogEvent = LogEvent("plugin: rehearsed");
/// A plugin imports what its operator has not granted.
pub const PLUGIN_NOT_GRANTED: LogEvent = LogEvent("plugin: imports are not granted");
/// The plugins folder cannot be listed, so its plugins stay as they are.
pub const PLUGINS_FOLDER_UNREADABLE: LogEvent =
    LogEvent("plugins folder: cannot be read, its plugins stay live");
/// A new version serves its share of the users.
pub const CANARY_BEGINS: LogEvent = LogEvent("canary: started");
/// A new version has become the live one.
pub const CANARY_PROMOTED: LogEvent = LogEvent("canary: promoted");
/// A new version failed, and the earlier one serves all users again.
pub const CANARY_ROLLED_BACK: LogEvent = LogEvent("canary: rolled back");

/// A line that a plugin wrote; `text` holds it.
pub const PLUGIN_LOG: LogEvent = LogEvent("plugin: log");
/// A plugin asked for a destination that it was not granted.
pub const PLUGIN_REQUEST_REFUSED: LogEvent = LogEvent("plugin: request refused");
/// A plugin's HTTP request got no complete response.
pub const PLUGIN_REQUEST_FAILED: LogEvent = LogEvent("plugin: request failed");

/// Compiled code was written to the cache.
pub const CODE_KEPT: LogEvent = LogEvent("code cache: code written");
/// A file in the cache is not what this host wrote.
pub const CODE_REFUSED: LogEvent = LogEvent("code cache: code refused, compiling again");
/// The cache of single functions is not what this host wrote.
pub const CACHED_FUNCTIONS_REFUSED: LogEvent = LogEvent("code cache: functions refused");
/// The folder of the cache cannot be trusted.
pub const CODE_CACHE_NOT_USED: LogEvent = LogEvent("code cache: not used");

/// The collector took no traces.
pub const TRACES_LOST: LogEvent = LogEvent("traces: lost");
/// Traces were dropped because the collector is slow.
pub const TRACES_DROPPED: LogEvent = LogEvent("traces: dropped, the collector is slow");
