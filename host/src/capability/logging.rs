//! `wasi:logging` and a guest's standard output and error: written to the host's log, tagged with the plugin and the event.

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::wasi::logging::logging;
use crate::capability::access::PluginId;
use crate::capability::context::CallContext;
use crate::capability::interface::Interface;
use crate::telemetry::collector::GUEST_TARGET;
use crate::telemetry::events::PLUGIN_LOG;

pub const INTERFACES: &[Interface] =
    &[Interface { name: "wasi:logging/logging", version: "0.1.0-draft", functions: &["log"] }];

/// Longest single line, in bytes; the rest of it is cut.
const MAX_LINE: usize = 8 * 1024;

/// The part of its share of the log that one call has used.
#[derive(Debug, Default)]
pub struct LogShare {
    used: usize,
    dropped: u64,
    last_error: Option<String>,
}

impl LogShare {
    /// Returns the last line of level error or critical, without secrets.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

/// Writes the lines of one call's guest, up to its share. Secrets among the settings are not written.
pub struct LoggingView<'a> {
    pub context: &'a CallContext,
    pub state: &'a mut LogShare,
}

impl HasData for LoggingView<'static> {
    type Data<'a> = LoggingView<'a>;
}

pub fn link<T>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> LoggingView<'_>,
) -> wasmtime::Result<()> {
    logging::add_to_linker::<T, LoggingView<'static>>(linker, view)
}

impl LoggingView<'_> {
    /// Writes the guest's output line by line, from the same share, and logs how much did not fit.
    pub fn finish(mut self, printed: &[u8], printed_beyond: u64) {
        for line in String::from_utf8_lossy(printed).lines() {
            self.write(logging::Level::Info, "stdio", line);
        }
        if self.state.dropped > 0 || printed_beyond > 0 {
            let PluginId { app, name: plugin, version } = &self.context.access.id;
            let event_id = self.context.event_id();
            tracing::warn!(
                %app, %plugin, %version, %event_id, lines = self.state.dropped, printed_bytes = printed_beyond,
                "plugin: log over {} bytes, the rest was dropped", self.context.access.log_bytes
            );
        }
    }

    fn write(&mut self, level: logging::Level, context: &str, text: &str) {
        // Secrets are removed before the texts are cut, so that no half of a secret is left.
        let (text, context) = (
            self.context.access.settings.without_secrets(text),
            self.context.access.settings.without_secrets(context),
        );
        let text = &text[..text.floor_char_boundary(MAX_LINE)];
        let context = &context[..context.floor_char_boundary(MAX_LINE)];
        if matches!(level, logging::Level::Error | logging::Level::Critical) {
            // Kept even if the log has no room for it: if the guest crashes now, this says why.
            self.state.last_error = Some(text.to_owned());
        }
        let size = text.len() + context.len();
        if size > self.context.access.log_bytes - self.state.used {
            self.state.dropped += 1;
            return;
        }
        self.state.used += size;
        let PluginId { app, name: plugin, version } = &self.context.access.id;
        let event_id = self.context.event_id();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: GUEST_TARGET, %app, %plugin, %version, %event_id, context, text, "{PLUGIN_LOG}")
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

impl logging::Host for LoggingView<'_> {
    fn log(&mut self, level: logging::Level, context: String, message: String) {
        self.write(level, &context, &message);
    }
}
