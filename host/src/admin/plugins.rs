//! `/plugins`: what is loaded, and the way back to the version before.

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
use serde_json::Value;
use serde_json::json;

use crate::plugin::status::FolderHandle;
use crate::plugin::status::RollbackError;

/// Where the list is served.
pub const LIST_PATH: &str = "/plugins";
/// Where a wish is posted. As JSON, which a web page cannot post to another site without asking first.
pub const ROLLBACK_PATH: &str = "/plugins/rollback";

/// Which plugin shall go back.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The file's name without its ending.
    pub name: String,
    /// Needed where more than one app has a plugin of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

pub(super) fn router(folders: Arc<[FolderHandle]>) -> Router {
    Router::new()
        .route(LIST_PATH, get(list))
        .route(ROLLBACK_PATH, post(roll_back))
        .with_state(folders)
}

async fn list(State(folders): State<Arc<[FolderHandle]>>) -> Json<Value> {
    Json(describe(&folders))
}

/// The list.
pub fn describe(folders: &[FolderHandle]) -> Value {
    let apps: Vec<_> = folders.iter().map(FolderHandle::to_json).collect();
    json!({ "apps": apps })
}

async fn roll_back(
    State(folders): State<Arc<[FolderHandle]>>,
    JsonBody(wish): JsonBody<RollbackRequest>,
) -> (StatusCode, Json<Value>) {
    let of_app = |folder: &&FolderHandle| {
        wish.app.as_deref().is_none_or(|app| *app == *folder.app()) && folder.has(&wish.name)
    };
    let found: Vec<_> = folders.iter().filter(of_app).collect();
    let failed = |status, reason: String| (status, Json(json!({ "error": reason })));
    let folder = match found.as_slice() {
        [] => return failed(StatusCode::NOT_FOUND, RollbackError::Unknown.to_string()),
        [folder] => folder,
        [..] => {
            let reason = format!("{} apps have a plugin of that name; say which", found.len());
            return failed(StatusCode::CONFLICT, reason);
        }
    };
    match folder.roll_back(&wish.name).await {
        Ok(version) => {
            let done = json!({ "app": &*folder.app(), "name": wish.name, "version": version });
            (StatusCode::OK, Json(done))
        }
        Err(error) => {
            let status = match error {
                RollbackError::Unknown => StatusCode::NOT_FOUND,
                RollbackError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::CONFLICT,
            };
            failed(status, error.to_string())
        }
    }
}
