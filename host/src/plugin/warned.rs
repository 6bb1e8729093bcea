//! Writes the warnings about a plugin's cards to the log, each place once for a version: the same card is sent thousands of times.

use aviary_state::Bounded;
use aviary_state::Mutex;
use lark_card::fault::Fault;

use crate::capability::access::PluginId;
use crate::telemetry::events::CARD_WARNING;

/// Places that are remembered; beyond that the oldest is warned of again.
const MOST_PLACES: usize = 256;

/// The places that were warned of.
pub(super) struct Warned(Mutex<Bounded<String, ()>>);

impl Default for Warned {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(MOST_PLACES)))
    }
}

impl Warned {
    pub(super) fn write(&self, id: &PluginId, warnings: &[Fault]) {
        for Fault { path, rule, words, .. } in warnings {
            {
                let mut places = self.0.lock();
                if places.contains(path) {
                    continue;
                }
                places.insert(path.clone(), ());
            }
            let PluginId { app, name: plugin, version } = id;
            let rule = rule.as_str();
            tracing::warn!(%app, %plugin, %version, %path, rule, %words, "{CARD_WARNING}");
        }
    }
}
