//! `/plugins`: lists the plugins, and rolls one back to the version before.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;
use guarded_http::local_page::JsonBody;
use serde::Deserialize;
use serde::Serialize;

use crate::admin::in_turn;
use crate::folder::report::HostReport;
use crate::folder::status::FolderHandle;
use crate::folder::status::RollbackError;

/// Path of the list of plugins.
pub const LIST_PATH: &str = "/plugins";
/// Path that rollbacks are posted to, as JSON, which a web page cannot post to another site without asking first.
pub const ROLLBACK_PATH: &str = "/plugins/rollback";

/// The body of a request to roll a plugin back.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The file's name without its ending.
    pub name: String,
    /// Needed where more than one app has a plugin of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// The answer to a rollback.
#[derive(Debug, Deserialize, Serialize)]
pub struct RollbackDone {
    /// Id of the plugin's app.
    pub app: String,
    /// Name of the plugin.
    pub name: String,
    /// The version that is live now.
    pub version: String,
}

/// The answer to a request that the host refuses.
#[derive(Debug, Deserialize, Serialize)]
pub struct AdminRefusal {
    /// Reason of the refusal, in words.
    pub error: String,
}

pub(super) fn router(folders: Arc<[FolderHandle]>) -> Router {
    Router::new()
        .route(LIST_PATH, get(list))
        .route(ROLLBACK_PATH, post(roll_back))
        .with_state(folders)
}

async fn list(State(folders): State<Arc<[FolderHandle]>>) -> Json<HostReport> {
    Json(in_turn::build(move || report(&folders)).await)
}

/// Returns the answer of `/plugins`.
pub fn report(folders: &[FolderHandle]) -> HostReport {
    HostReport { apps: folders.iter().map(FolderHandle::report).collect() }
}

async fn roll_back(
    State(folders): State<Arc<[FolderHandle]>>,
    JsonBody(wanted): JsonBody<RollbackBody>,
) -> Result<Json<RollbackDone>, (StatusCode, Json<AdminRefusal>)> {
    let of_app = |folder: &&FolderHandle| {
        wanted.app.as_deref().is_none_or(|app| *app == *folder.app()) && folder.has(&wanted.name)
    };
    let found: Vec<_> = folders.iter().filter(of_app).collect();
    let refused = |status, error: String| Err((status, Json(AdminRefusal { error })));
    let folder = match found.as_slice() {
        [] => return refused(StatusCode::NOT_FOUND, RollbackError::Unknown.to_string()),
        [folder] => folder,
        [..] => {
            let reason = format!("{} apps have a plugin of that name; say which", found.len());
            return refused(StatusCode::CONFLICT, reason);
        }
    };
    match folder.roll_back(&wanted.name).await {
        Ok(version) => {
            let app = folder.app().to_string();
            Ok(Json(RollbackDone { app, name: wanted.name, version }))
        }
        Err(error) => {
            let status = match error {
                RollbackError::Unknown => StatusCode::NOT_FOUND,
                RollbackError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            };
            refused(status, error.to_string())
        }
    }
}
