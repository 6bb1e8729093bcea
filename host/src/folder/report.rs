//! The JSON of `/plugins`, which the dashboard, `aviary plugins` and scripts read.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::plugin::rehearsed::Rehearsed;
use crate::plugin::route::Route;

/// The plugins of every app of a host.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct HostReport {
    /// In the order of the configuration file.
    pub apps: Vec<AppReport>,
}

/// The plugins folder of one app.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AppReport {
    /// The app's id, `cli_…`.
    pub app: String,
    /// The path of the folder.
    pub folder: String,
    /// The plugins, sorted by name.
    pub plugins: Vec<PluginReport>,
}

/// One file in a plugins folder.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PluginReport {
    /// The file's name without its ending.
    pub name: String,
    /// The version that answers callbacks. The JSON has its members beside `"live": true`, or `"live": false` alone.
    #[serde(flatten, with = "liveness")]
    pub live: Option<LiveReport>,
    /// Why the version in the file is not live.
    pub not_live_because: Option<String>,
    /// The version that an operator can roll back to.
    pub version_before: Option<String>,
    /// The new version that serves a share of the users.
    pub canary: Option<CanaryReport>,
}

/// The version that answers callbacks.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LiveReport {
    /// The first 12 hex digits of the file's SHA-256.
    pub version: String,
    /// The handlers that it exports, as the contract names them.
    pub handles: Vec<String>,
    /// The callbacks that it takes.
    pub routes: Vec<Route>,
    /// When it went live, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// True if an operator rolled back to it.
    pub rolled_back: bool,
    /// The figures for which it was promoted, if it was a canary.
    pub promoted_because: Option<String>,
    /// Counters of its calls.
    #[serde(flatten)]
    pub usage: UsageReport,
    /// The state of its breaker.
    #[serde(flatten)]
    pub breaker: BreakerReport,
    /// The result of its rehearsal with the journal's callbacks, if there was one.
    pub rehearsed: Option<Rehearsed>,
}

/// Counters of the calls of one version.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct UsageReport {
    /// Calls that have ended.
    pub calls: u64,
    /// Instances that were made for them.
    pub instances: u64,
    /// Calls that failed through the plugin's fault.
    pub failures: u64,
    /// Fuel that all calls used together.
    pub fuel: u64,
    /// Average time of a successful call, in milliseconds; 0 before the first.
    pub typical_ms: f64,
}

/// The state of a plugin's breaker, and its pauses.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct BreakerReport {
    /// The state for all users.
    #[serde(rename = "breaker")]
    pub state: BreakerState,
    /// Milliseconds until the pause ends, while the plugin is paused for everybody.
    pub paused_for_ms: Option<u64>,
    /// Tenants for whom the plugin is paused.
    pub paused_tenants: usize,
    /// Users for whom the plugin is paused.
    pub paused_users: usize,
}

/// The breaker's state for all users.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls are let through.
    Running,
    /// No calls are let through.
    Paused,
    /// One call is let through as a probe.
    Probing,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// A new version that serves a share of the users.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct CanaryReport {
    /// The first 12 hex digits of the file's SHA-256.
    pub version: String,
    /// The percentage of users.
    pub share: u32,
    /// Calls that have ended.
    pub calls: u32,
    /// Calls that failed through the plugin's fault.
    pub failures: u32,
    /// Calls after which it is promoted or rolled back.
    pub judged_after: u32,
    /// The result of its rehearsal with the journal's callbacks, if there was one.
    pub rehearsed: Option<Rehearsed>,
}

/// Writes `"live": true` with the members of a [`LiveReport`], or `"live": false` alone.
mod liveness {
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;
    use serde::de::Error as _;
    use serde_json::Map;
    use serde_json::Value;

    use crate::folder::report::LiveReport;

    #[derive(Serialize)]
    struct WrittenLiveness<'a> {
        live: bool,
        #[serde(flatten)]
        report: Option<&'a LiveReport>,
    }

    #[derive(Deserialize)]
    struct ReadLiveness {
        live: bool,
        #[serde(flatten)]
        members: Map<String, Value>,
    }

    pub(super) fn serialize<S: Serializer>(
        report: &Option<LiveReport>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        WrittenLiveness { live: report.is_some(), report: report.as_ref() }.serialize(serializer)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(
        deserializer: D,
    ) -> Result<Option<LiveReport>, D::Error> {
        let ReadLiveness { live, members } = ReadLiveness::deserialize(deserializer)?;
        let read = || serde_json::from_value(Value::Object(members)).map_err(D::Error::custom);
        live.then(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    /// The JSON of `/plugins` before it had types. Scripts depend on it.
    fn on_the_wire() -> Value {
        json!({ "apps": [{
            "app": "cli_1",
            "folder": "plugins",
            "plugins": [
                {
                    "name": "approval",
                    "live": true,
                    "not_live_because": null,
                    "version_before": "0123456789ab",
                    "canary": {
                        "version": "ba9876543210",
                        "share": 10,
                        "calls": 7,
                        "failures": 1,
                        "judged_after": 200,
                        "rehearsed": { "played": 5, "other_replies": 2, "skipped": 1 },
                    },
                    "version": "abcdef012345",
                    "handles": ["card-action-handler"],
                    "routes": [
                        { "value_at": { "pointer": "/kind", "equals": "leave" } },
                        { "url_pattern": "https://example.com/*" },
                        {},
                    ],
                    "since_ms": 1_700_000_000_000_u64,
                    "rolled_back": true,
                    "promoted_because": "0 of its 200 calls failed",
                    "calls": 42,
                    "instances": 40,
                    "failures": 2,
                    "fuel": 123_456,
                    "typical_ms": 1.5,
                    "breaker": "paused",
                    "paused_for_ms": 900,
                    "paused_tenants": 1,
                    "paused_users": 3,
                    "rehearsed": null,
                },
                {
                    "name": "broken",
                    "live": false,
                    "not_live_because": "is not a component",
                    "version_before": null,
                    "canary": null,
                },
            ],
        }]})
    }

    #[test]
    fn the_json_that_scripts_read_stays_as_it_is() {
        let report: HostReport = serde_json::from_value(on_the_wire()).unwrap();
        assert_eq!(serde_json::to_value(&report).unwrap(), on_the_wire());
        let [plugin, broken] = report.apps[0].plugins.as_slice() else { panic!("{report:?}") };
        let live = plugin.live.as_ref().unwrap();
        assert_eq!((live.version.as_str(), live.usage.calls), ("abcdef012345", 42));
        assert_eq!(live.breaker.state, BreakerState::Paused);
        assert_eq!(live.breaker.state.to_string(), "paused");
        assert_eq!(broken.live, None);
    }

    #[test]
    fn a_live_plugin_of_which_something_is_missing_is_an_error() {
        let mut answer = on_the_wire();
        answer["apps"][0]["plugins"][0].as_object_mut().unwrap().remove("routes");
        let error = serde_json::from_value::<HostReport>(answer).unwrap_err();
        assert!(error.to_string().contains("routes"), "{error}");
    }
}
