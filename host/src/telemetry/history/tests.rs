//! Tests of the figures and of the limits of the history.

use std::time::Duration;

use super::*;
use crate::record::Door;
use crate::record::Outcome;
use crate::record::PluginVersion;
use crate::steps::Steps;

/// A record of a callback that arrived this long after the history began.
fn record(history: &History, after_ms: u64, plugin: &str, outcome: Outcome) -> CallbackRecord {
    CallbackRecord {
        app: "cli_1".into(),
        door: Door::Webhook,
        event_id: Some("e".repeat(10_000)),
        event_type: "card.action.trigger".to_owned(),
        plugin: Some(PluginVersion { name: plugin.into(), version: "0123456789ab".into() }),
        fuel: Some(100),
        elapsed: Duration::from_millis(10),
        outcome,
        reason: None,
        warnings: Vec::new(),
        steps: Steps::starting(history.began + Duration::from_millis(after_ms)),
        host_calls: Arc::default(),
    }
}

#[test]
fn each_plugin_has_figures_of_its_own() {
    let history = History::beginning();
    for outcome in [Outcome::Answered, Outcome::Answered, Outcome::Trap, Outcome::Refused] {
        history.note(&record(&history, 0, "a", outcome));
    }
    history.note(&record(&history, 0, "b", Outcome::Answered));
    let figures = history.of_plugin("cli_1", "a").unwrap().summary;
    assert_eq!((figures.hour.calls, figures.hour.failures), (4, 1), "{figures:?}");
    assert_eq!(figures.outcomes["answered"], 2);
    assert_eq!(figures.fuel_per_call, Some(100));
    assert_eq!(history.all().summary.hour.calls, 5);
    assert!(history.of_plugin("cli_2", "a").is_none() && history.of_plugin("cli_1", "c").is_none());
}

#[test]
fn what_is_kept_is_bounded_and_failures_stay_longer() {
    let history = History::beginning();
    history.note(&record(&history, 0, "a", Outcome::Trap));
    for _ in 0..1000 {
        history.note(&record(&history, 0, "a", Outcome::Answered));
    }
    let recent = history.recent(0);
    assert_eq!(recent.len(), MOST_RECENT + 1);
    assert_eq!(recent[0].0, 1, "the failure");
    assert_eq!(history.recent(1000).len(), 1);
    let shown = recent[0].1.to_json(1);
    assert!(shown["event_id"].as_str().is_some_and(|id| id.len() < 1000), "{shown}");
}

#[test]
fn the_plugin_that_was_called_last_the_longest_ago_goes() {
    let history = History::beginning();
    for number in 0..=MOST_FOLLOWED {
        let name = format!("p{number}");
        history.note(&record(&history, number as u64, &name, Outcome::Answered));
    }
    assert!(history.of_plugin("cli_1", "p0").is_none());
    assert!(history.of_plugin("cli_1", "p1").is_some());
    assert_eq!(history.state.lock().plugins.len(), MOST_FOLLOWED);
}
