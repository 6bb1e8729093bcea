//! Selects journal entries.

use crate::journal::entry::Entry;
use crate::record::Outcome;

/// Conditions on an entry. All that are set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The name of the plugin.
    pub plugin: Option<String>,
    /// The type of the callback.
    pub event_type: Option<String>,
    /// The outcome of the callback.
    pub outcome: Option<Outcome>,
    /// The id of the app.
    pub app: Option<String>,
    /// The least arrival time, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

impl Filter {
    /// Returns whether the entry meets all conditions.
    pub fn takes(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        entry.at_ms >= self.since_ms
            && same(&self.plugin, entry.plugin.as_deref())
            && same(&self.event_type, Some(&entry.event_type))
            && self.outcome.is_none_or(|wanted| wanted == entry.outcome)
            && same(&self.app, Some(&entry.app))
    }
}
