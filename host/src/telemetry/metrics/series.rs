//! The recorder of the process: one part for the host, and one for each live plugin, so that a plugin's series are dropped with
//! its file. Counts for any other plugin are discarded: a call that ends after its plugin was removed brings no series back,
//! and the metrics never have more plugins than there are files in the folders.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::RwLockReadGuard;

use aviary_state::RwLock;
use metrics::Counter;
use metrics::Gauge;
use metrics::Histogram;
use metrics::Key;
use metrics::KeyName;
use metrics::Metadata;
use metrics::Recorder;
use metrics::SharedString;
use metrics::Unit;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusRecorder;

/// The recorder of the host and those of its live plugins.
pub(super) struct Series {
    builder: fn() -> PrometheusBuilder,
    host: PrometheusRecorder,
    plugins: RwLock<HashMap<SeriesOwner, PrometheusRecorder>>,
}

/// A plugin of an app, as both occur in labels.
#[derive(Clone, PartialEq, Eq, Hash)]
struct SeriesOwner {
    app: Box<str>,
    plugin: Box<str>,
}

impl Series {
    /// Starts with nothing counted. `builder` makes every recorder.
    pub(super) fn new(builder: fn() -> PrometheusBuilder) -> Self {
        let host = builder().build_recorder();
        Self { builder, host, plugins: RwLock::default() }
    }

    /// Sets the live plugins of an app. The series of its other plugins are dropped; a plugin that comes back begins anew.
    /// Returns whether anything has changed.
    pub(super) fn set_plugins(&self, app: &str, live: &BTreeSet<&str>) -> bool {
        let known = |plugins: &HashMap<SeriesOwner, PrometheusRecorder>| {
            let known = plugins.keys().filter(|owner| &*owner.app == app);
            known.map(|owner| owner.plugin.clone()).collect::<BTreeSet<_>>()
        };
        let before = known(&self.plugins());
        if before.iter().map(|plugin| &**plugin).eq(live.iter().copied()) {
            return false;
        }
        let mut plugins = self.plugins.write();
        plugins.retain(|owner, _| &*owner.app != app || live.contains(&*owner.plugin));
        for plugin in live {
            let owner = SeriesOwner { app: app.into(), plugin: (*plugin).into() };
            plugins.entry(owner).or_insert_with(|| (self.builder)().build_recorder());
        }
        true
    }

    /// Folds samples into their buckets.
    pub(super) fn run_upkeep(&self) {
        self.host.handle().run_upkeep();
        self.plugins().values().for_each(|recorder| recorder.handle().run_upkeep());
    }

    /// Returns everything counted so far, in the text format of Prometheus.
    pub(super) fn render(&self) -> String {
        let plugins = self.plugins();
        let texts: Vec<_> = std::iter::once(&self.host)
            .chain(plugins.values())
            .map(|recorder| recorder.handle().render())
            .collect();
        drop(plugins);
        merge(&texts)
    }

    /// Registers a series with the recorder that its labels belong to, or returns `nowhere` if there is none.
    fn with<T>(&self, key: &Key, register: impl Fn(&PrometheusRecorder) -> T, nowhere: T) -> T {
        let label = |name| key.labels().find(|label| label.key() == name).map(|one| one.value());
        let plugin = label("plugin").filter(|plugin| !plugin.is_empty());
        let (Some(app), Some(plugin)) = (label("app"), plugin) else { return register(&self.host) };
        let owner = SeriesOwner { app: app.into(), plugin: plugin.into() };
        self.plugins().get(&owner).map_or(nowhere, register)
    }

    fn plugins(&self) -> RwLockReadGuard<'_, HashMap<SeriesOwner, PrometheusRecorder>> {
        self.plugins.read()
    }
}

impl Recorder for Series {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.host.describe_counter(name, unit, text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.host.describe_gauge(name, unit, text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.host.describe_histogram(name, unit, text);
    }

    fn register_counter(&self, key: &Key, about: &Metadata<'_>) -> Counter {
        self.with(key, |recorder| recorder.register_counter(key, about), Counter::noop())
    }

    fn register_gauge(&self, key: &Key, about: &Metadata<'_>) -> Gauge {
        self.with(key, |recorder| recorder.register_gauge(key, about), Gauge::noop())
    }

    fn register_histogram(&self, key: &Key, about: &Metadata<'_>) -> Histogram {
        self.with(key, |recorder| recorder.register_histogram(key, about), Histogram::noop())
    }
}

/// Merges several texts into one: the format wants all samples of a name together, below one line with their type.
fn merge(texts: &[String]) -> String {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for text in texts {
        let mut family = "";
        for line in text.lines().filter(|line| !line.is_empty()) {
            if line.starts_with("# TYPE ") {
                family = line;
            } else {
                families.entry(family).or_default().push(line);
            }
        }
    }
    let mut all = String::with_capacity(texts.iter().map(String::len).sum());
    for (family, samples) in families {
        // Writing to a string cannot fail.
        let _ = writeln!(all, "{family}\n{}\n", samples.join("\n"));
    }
    all
}

#[cfg(test)]
mod tests {
    use metrics::Label;
    use metrics::Level;

    use super::*;

    fn count(series: &Series, app: &'static str, plugin: &'static str) -> Counter {
        let labels = vec![Label::new("app", app), Label::new("plugin", plugin)];
        let key = Key::from_parts("calls_total", labels);
        let counter = series.register_counter(&key, &Metadata::new("", Level::INFO, None));
        counter.increment(1);
        counter
    }

    #[test]
    fn a_plugin_s_series_go_with_it_and_begin_anew() {
        let series = Series::new(PrometheusBuilder::new);
        assert!(series.set_plugins("a", &["p", "q"].into()));
        assert!(!series.set_plugins("a", &["p", "q"].into()));
        assert!(series.set_plugins("b", &["p"].into()));
        let late = count(&series, "a", "p");
        for (app, plugin) in [("a", "q"), ("b", "p"), ("a", ""), ("a", "never live")] {
            drop(count(&series, app, plugin));
        }
        let text = series.render();
        assert_eq!(text.matches("# TYPE calls_total counter").count(), 1, "{text}");
        assert_eq!(text.matches("calls_total{").count(), 4, "{text}");
        assert!(series.set_plugins("a", &["q"].into()));
        late.increment(1);
        drop(count(&series, "a", "p"));
        let text = series.render();
        assert!(!text.contains(r#"app="a",plugin="p""#), "{text}");
        assert!(text.contains(r#"app="b",plugin="p""#) && text.contains(r#"plugin="q""#), "{text}");
        assert!(series.set_plugins("a", &["p", "q"].into()));
        late.increment(1);
        drop(count(&series, "a", "p"));
        let text = series.render();
        assert!(text.contains(r#"calls_total{app="a",plugin="p"} 1"#), "{text}");
    }
}
