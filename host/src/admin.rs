//! What operators and their machines ask: is it alive, is it ready, what did it count.

pub mod plugins;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

use crate::ingress::long_connection::status::Connections;
use crate::ingress::long_connection::status::State as ConnectionState;
use crate::plugin::status::FolderHandle;
use crate::shutdown::Shutdown;
use crate::telemetry;

/// What readiness depends on. That the webhook listens needs no entry: it does so before this page exists.
#[derive(Clone, Debug)]
pub struct Health {
    connections: Arc<[Connections]>,
    shutdown: Shutdown,
}

impl Health {
    /// Ready once all of these connections are up, until the host stops.
    pub fn new(connections: Vec<Connections>, shutdown: Shutdown) -> Self {
        Self { connections: connections.into(), shutdown }
    }

    /// What is missing, in words; empty when the host is ready.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.shutdown.has_begun() {
            missing.push("the host is stopping".to_owned());
        }
        for connections in self.connections.iter() {
            for (index, state) in connections.states().into_iter().enumerate() {
                let (app, number) = (connections.app(), index + 1);
                match state {
                    ConnectionState::Up => {}
                    ConnectionState::Down(reason) => {
                        missing.push(format!("app {app}, connection {number}: {reason}"))
                    }
                    ConnectionState::Fatal(reason) => {
                        missing.push(format!("app {app}, connection {number}, given up: {reason}"));
                    }
                }
            }
        }
        missing
    }
}

/// Serves `/healthz`, `/readyz`, `/metrics` and `/plugins` for as long as the future is polled.
pub async fn serve(listener: TcpListener, health: Health, folders: Arc<[FolderHandle]>) {
    let counted = Arc::clone(&folders);
    let metrics = move || async move {
        counted.iter().for_each(FolderHandle::refresh_metrics);
        telemetry::metrics()
    };
    let router = Router::new()
        .route("/healthz", get(|| async { Json(json!({ "alive": true })) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
        .merge(plugins::router(folders));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin port is closed");
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let missing = health.missing();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": missing.is_empty(), "missing": missing })))
}
