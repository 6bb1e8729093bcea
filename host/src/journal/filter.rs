//! Which entries somebody wants.

use crate::journal::entry::Entry;
use crate::record::Outcome;

/// All that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The plugin's name.
    pub plugin: Option<String>,
    /// The callback's type.
    pub event_type: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// For that app.
    pub app: Option<String>,
    /// No older than that, in milliseconds since the Unix epoch.
    pub since_ms: u64,
}

impl Filter {
    /// Whether it is wanted.
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
