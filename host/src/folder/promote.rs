//! The checks on a new version before it replaces the live one: the journal's last callbacks are replayed with it, or it serves
//! a share of the users for a while. The first version of a plugin has nothing to be compared with.

use std::path::Path;
use std::sync::Arc;

use crate::folder::playback::Difference;
use crate::folder::playback::Played;
use crate::folder::playback::play;
use crate::journal::filter::Filter;
use crate::journal::ring::last;
use crate::plugin::loaded::Plugin;
use crate::plugin::rehearsed::Rehearsed;
use crate::record::Outcome;
use crate::runtime::engine::GuestEngine;
use crate::small_file::off_thread;

/// Why a version does not go live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotPromoted {
    /// The host keeps no journal.
    #[error(
        "promote.replay is set and this host keeps no journal: set [journal] path in aviary.toml"
    )]
    NoJournal,
    #[error("promote.replay: the journal cannot be read: {0}")]
    Journal(std::io::Error),
    /// The new version did worse than the recorded one.
    #[error("promote.replay: after {good} of {all} callbacks, {id}: {difference}")]
    Worse {
        /// Callbacks that went well before.
        good: usize,
        /// Callbacks that were to be replayed.
        all: usize,
        /// The callback's id in the journal.
        id: String,
        difference: Box<Difference>,
    },
}

/// Replays the plugin's last `count` callbacks with its new version. Stops at the first that ends worse.
pub(super) async fn rehearse(
    engine: &GuestEngine,
    plugin: &Arc<Plugin>,
    journal: Option<&Path>,
    count: usize,
) -> Result<Rehearsed, NotPromoted> {
    let folder = journal.ok_or(NotPromoted::NoJournal)?.to_owned();
    let filter = Filter {
        plugin: Some(plugin.name().to_owned()),
        app: Some(plugin.id().app.to_string()),
        ..Filter::default()
    };
    let about = folder.clone();
    let reading = off_thread(&about, move || last(&folder, &filter, count)).await;
    let entries = reading.map_err(NotPromoted::Journal)?;
    let mut shown = Rehearsed::default();
    for entry in &entries {
        let Ok(played) = play(engine, plugin, entry).await else {
            shown.skipped += 1;
            continue;
        };
        let has = |is_it: fn(&Difference) -> bool| played.differences.iter().any(is_it);
        let asked_more = has(|difference| matches!(difference, Difference::Asked { .. }));
        match worse(&played, plugin.policy().promote.fuel_factor()) {
            // The call got no answer from the record; with one it might have succeeded.
            Some(_) if asked_more => shown.skipped += 1,
            Some(difference) => {
                let (good, all) = (shown.played, entries.len());
                let difference = Box::new(difference);
                return Err(NotPromoted::Worse { good, all, id: entry.id.clone(), difference });
            }
            None => {
                shown.played += 1;
                let other = has(|difference| matches!(difference, Difference::Reply { .. }));
                shown.other_replies += usize::from(other);
            }
        }
    }
    Ok(shown)
}

/// Returns the first difference that is a failure where there was none, or fuel beyond the factor.
fn worse(played: &Played, fuel_factor: f64) -> Option<Difference> {
    // A failure that the plugin itself reports is an answer like any other.
    let is_failure = |outcome: Outcome| outcome.is_failure() && outcome != Outcome::PluginFailure;
    let worse = |difference: &&Difference| match difference {
        Difference::Outcome { was, now, .. } => is_failure(*now) && !is_failure(*was),
        Difference::Fuel { was, now } => *now as f64 > *was as f64 * fuel_factor,
        Difference::Verdict { .. }
        | Difference::Reply { .. }
        | Difference::Updates { .. }
        | Difference::Asked { .. } => false,
    };
    played.differences.iter().find(worse).cloned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn played(difference: Difference) -> Played {
        Played { fuel: Some(1), took: Duration::ZERO, differences: vec![difference] }
    }

    fn outcome(was: Outcome, now: Outcome) -> Played {
        played(Difference::Outcome { was, now, reason: None })
    }

    #[test]
    fn another_reply_is_what_a_version_is_for_and_a_failure_is_not() {
        let reply = Difference::Reply { was: 1.into(), now: 2.into() };
        assert_eq!(worse(&played(reply), 2.0), None);
        assert!(worse(&outcome(Outcome::Answered, Outcome::Trap), 2.0).is_some());
        assert!(worse(&outcome(Outcome::PluginFailure, Outcome::Trap), 2.0).is_some());
        assert_eq!(worse(&outcome(Outcome::Answered, Outcome::PluginFailure), 2.0), None);
        assert_eq!(worse(&outcome(Outcome::OutOfFuel, Outcome::Trap), 2.0), None);
        let fuel = |now| Difference::Fuel { was: 100, now };
        assert_eq!(worse(&played(fuel(200)), 2.0), None);
        assert!(worse(&played(fuel(201)), 2.0).is_some());
    }
}
