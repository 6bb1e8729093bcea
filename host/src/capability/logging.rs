//! `wasi:logging` and what a guest prints: into the host's log, tagged with the plugin and the event.

use std::sync::Arc;

use crate::bindings::wasi::logging::logging;
use crate::capability::config::ConfigCtx;
use crate::telemetry::events::PLUGIN_LOG;

/// The longest single line; the rest of it is cut.
const MAX_LINE: usize = 8 * 1024;

/// Whose lines these are.
#[derive(Clone, Debug)]
pub struct LogTag {
    /// The app.
    pub app: Arc<str>,
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The content hash.
    pub version: Arc<str>,
    /// Empty where the platform gave none.
    pub event_id: Arc<str>,
}

/// One call's share of the log.
#[derive(Debug)]
pub struct LoggingCtx {
    tag: LogTag,
    settings: ConfigCtx,
    share: usize,
    left: usize,
    dropped: u64,
}

impl LoggingCtx {
    /// A share of that many bytes. Secrets among the settings are not written.
    pub fn new(tag: LogTag, share: usize, settings: ConfigCtx) -> Self {
        Self { tag, settings, share, left: share, dropped: 0 }
    }

    /// Writes what the guest printed, line by line, from the same share, and says how much did not fit.
    pub fn finish(mut self, printed: &[u8], printed_beyond: u64) {
        for line in String::from_utf8_lossy(printed).lines() {
            self.write(logging::Level::Info, "stdio", line);
        }
        if self.dropped > 0 || printed_beyond > 0 {
            let LogTag { app, plugin, version, event_id } = &self.tag;
            tracing::warn!(
                %app, %plugin, %version, %event_id, lines = self.dropped, printed_bytes = printed_beyond,
                "plugin log over {} bytes, the rest was dropped", self.share
            );
        }
    }

    fn write(&mut self, level: logging::Level, context: &str, text: &str) {
        // Before they are cut, so that no half of a secret is left.
        let (text, context) =
            (self.settings.without_secrets(text), self.settings.without_secrets(context));
        let text = &text[..text.floor_char_boundary(MAX_LINE)];
        let context = &context[..context.floor_char_boundary(MAX_LINE)];
        let size = text.len() + context.len();
        if size > self.left {
            self.dropped += 1;
            return;
        }
        self.left -= size;
        let LogTag { app, plugin, version, event_id } = &self.tag;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(%app, %plugin, %version, %event_id, context, text, "{PLUGIN_LOG}")
            };
        }
        match level {
            logging::Level::Trace => line!(trace),
            logging::Level::Debug => line!(debug),
            logging::Level::Info => line!(info),
            logging::Level::Warn => line!(warn),
            logging::Level::Error | logging::Level::Critical => line!(error),
        }
    }
}

impl logging::Host for LoggingCtx {
    fn log(&mut self, level: logging::Level, context: String, message: String) {
        self.write(level, &context, &message);
    }
}
