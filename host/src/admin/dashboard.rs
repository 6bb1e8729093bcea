//! `/dashboard.json`: everything that the page shows, in one answer. A visible page asks once a second. Nothing is pushed, so
//! that hidden and closed pages cost nothing, and every proxy lets the requests through.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;
use url::form_urlencoded;

use crate::admin::doors::Doors;
use crate::admin::in_turn;
use crate::admin::inbox;
use crate::admin::inbox::AppFigures;
use crate::folder::report::AppReport;
use crate::folder::report::PluginReport;
use crate::folder::status::FolderHandle;
use crate::inbox::Inbox;
use crate::telemetry::history::History;
use crate::telemetry::history::window::Figures;
use crate::telemetry::history::window::Summary;

const PATH: &str = "/dashboard.json";
/// Buckets of a plugin's hour that make one point of its small chart.
const IN_A_POINT: usize = 4;

/// State that the answer is made from.
pub(super) struct Dashboard {
    pub(super) doors: Doors,
    pub(super) folders: Arc<[FolderHandle]>,
    pub(super) inboxes: Arc<[Inbox]>,
    pub(super) history: Arc<History>,
    pub(super) wants_token: bool,
    pub(super) began: Instant,
}

/// Query parameters of the page.
#[derive(Default)]
struct PageQuery {
    /// Number of the last callback that the page has.
    after: u64,
    /// App and plugin whose hour is drawn; `None` for all plugins together.
    plugin: Option<(String, String)>,
}

impl PageQuery {
    fn read(uri: &Uri) -> Self {
        let (mut question, mut app, mut plugin) = (Self::default(), None, None);
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*key {
                "after" => question.after = value.parse().unwrap_or_default(),
                "app" => app = Some(value.into_owned()),
                "plugin" => plugin = Some(value.into_owned()),
                _ => {}
            }
        }
        question.plugin = app.zip(plugin);
        question
    }
}

pub(super) fn router(dashboard: Dashboard) -> Router {
    Router::new().route(PATH, get(show)).with_state(Arc::new(dashboard))
}

async fn show(State(dashboard): State<Arc<Dashboard>>, uri: Uri) -> impl IntoResponse {
    // The page says so if the store does not answer.
    let inbox = inbox::figures(&dashboard.inboxes).await.ok();
    let answer =
        in_turn::build(move || dashboard.answer(&PageQuery::read(&uri), inbox.as_deref())).await;
    ([(CACHE_CONTROL, "no-store")], Json(answer))
}

impl Dashboard {
    fn answer(&self, question: &PageQuery, inbox: Option<&[AppFigures]>) -> Value {
        let hour = match &question.plugin {
            Some((app, plugin)) => self.history.of_plugin(app, plugin),
            None => Some(self.history.all()),
        };
        let recent = self.history.recent(question.after);
        let recent: Vec<_> = recent.iter().map(|(number, one)| one.to_json(*number)).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "running_for_ms": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "wants_token": self.wants_token,
            "missing": self.doors.missing(),
            "doors": self.doors.to_json(),
            "apps": self.apps(),
            "inbox": inbox,
            "hour": hour,
            "recent": recent,
        })
    }

    /// Lists the apps as `/plugins` does, each plugin with its hour.
    fn apps(&self) -> Vec<AppWithHours> {
        let with_hours = |folder: &FolderHandle| {
            let AppReport { app, folder, plugins } = folder.report();
            let with_hour = |plugin: PluginReport| {
                let hour = self.history.of_plugin(&app, &plugin.name).map(PluginHour::of);
                PluginWithHour { plugin, hour }
            };
            let plugins = plugins.into_iter().map(with_hour).collect();
            AppWithHours { app, folder, plugins }
        };
        self.folders.iter().map(with_hours).collect()
    }
}

/// An [`AppReport`] whose plugins have their hours.
#[derive(Serialize)]
struct AppWithHours {
    app: String,
    folder: String,
    plugins: Vec<PluginWithHour>,
}

#[derive(Serialize)]
struct PluginWithHour {
    #[serde(flatten)]
    plugin: PluginReport,
    /// `None` if no callback came in the last hour.
    hour: Option<PluginHour>,
}

/// The figures of one plugin, with fewer and smaller buckets than those of all plugins: the buckets would be most of the
/// answer where there are many plugins.
#[derive(Serialize)]
struct PluginHour {
    #[serde(flatten)]
    summary: Summary,
    /// Callbacks for each point, the newest last.
    buckets: Vec<u64>,
}

impl PluginHour {
    fn of(figures: Figures) -> Self {
        let Figures { summary, buckets } = figures;
        let buckets = buckets.chunks(IN_A_POINT);
        let buckets = buckets.map(|points| points.iter().map(|point| point.sum.calls).sum());
        Self { summary, buckets: buckets.collect() }
    }
}
