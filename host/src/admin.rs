//! The admin port, for operators and their machines: liveness, readiness, metrics, plugins and the dashboard.

mod access;
mod dashboard;
pub mod doors;
pub mod inbox;
mod in_turn;
mod page;
pub mod plugins;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use guarded_http::server::Ending;
use guarded_http::server::HttpServer;
use guarded_http::server::Limits;
use lark_wire::secret::Secret;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::admin::dashboard::Dashboard;
use crate::admin::doors::Doors;
use crate::folder::status::FolderHandle;
use crate::inbox::Inbox;
use crate::shutdown::Shutdown;
use crate::telemetry::history::History;
use crate::telemetry::metrics;

/// State that the admin port reports.
#[derive(Debug)]
pub struct Admin {
    /// Doors that have to be open before the host is ready.
    pub doors: Doors,
    /// Plugins folders of the apps.
    pub folders: Arc<[FolderHandle]>,
    /// Inboxes of the apps.
    pub inboxes: Arc<[Inbox]>,
    /// Figures and callbacks of the last hour.
    pub history: Arc<History>,
    /// Token that requests have to show, if one is configured.
    pub token: Option<Secret>,
}

/// Serves `/`, `/healthz`, `/readyz`, `/metrics`, `/plugins` and `/inbox` until it is stopped, and then finishes its answers.
pub async fn serve(listener: TcpListener, admin: Admin, shutdown: Shutdown) {
    let Admin { doors, folders, inboxes, history, token } = admin;
    let (counted, looked_into) = (Arc::clone(&folders), Arc::clone(&inboxes));
    let metrics = move || async move {
        // Figures that the store does not give now stay as they were.
        let _ = inbox::figures(&looked_into).await;
        in_turn::build(move || {
            counted.iter().for_each(FolderHandle::refresh_metrics);
            metrics::render()
        })
        .await
    };
    let dashboard = Dashboard {
        doors: doors.clone(),
        folders: Arc::clone(&folders),
        inboxes: Arc::clone(&inboxes),
        history,
        wants_token: token.is_some(),
        began: Instant::now(),
    };
    let router = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "alive": true })) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(doors)
        .merge(plugins::router(folders))
        .merge(inbox::router(inboxes))
        .merge(dashboard::router(dashboard))
        .merge(page::router());
    let router = access::guarded(router, token.as_ref());
    let (stop, tasks, tls) = (shutdown.token(), shutdown.tasks(), None);
    let (limits, ending) = (Limits::FOR_PEOPLE, Ending::Finish);
    HttpServer { name: "admin", router, tls, limits, stop, tasks, ending }.serve(listener).await;
}

async fn ready(State(doors): State<Doors>) -> (StatusCode, Json<Value>) {
    let missing = doors.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": missing.is_empty(), "missing": missing })))
}
