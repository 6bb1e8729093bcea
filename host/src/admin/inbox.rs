//! `/inbox`: lists the events that wait or were set aside, shows one, and carries out what an operator decides on it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::routing::post;
use futures_util::future::try_join_all;
use guarded_http::local_page::JsonBody;
use serde::Deserialize;
use serde::Serialize;

use crate::admin::plugins::AdminRefusal;
use crate::inbox::Inbox;
use crate::inbox::report::EntryReport;
use crate::inbox::report::InboxReport;
use crate::store::inbox::Changed;
use crate::store::inbox::EntryId;
use crate::store::inbox::QueueFigures;
use crate::store::inbox::Verdict;

/// Path of the list.
pub const LIST_PATH: &str = "/inbox";
/// Path below which an app's entry is, by its number.
pub const ENTRY_PATH: &str = "/inbox/entry";
/// Path that decisions are posted to, as JSON, which a web page cannot post to another site without asking first.
pub const DECIDE_PATH: &str = "/inbox/decide";

/// Time that the store may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The inboxes of the apps.
#[derive(Debug, Deserialize, Serialize)]
pub struct InboxList {
    /// One for each app.
    pub apps: Vec<InboxReport>,
}

/// Figures of one app's inbox.
#[derive(Debug, Serialize)]
pub struct AppFigures {
    app: String,
    plugins: Vec<QueueFigures>,
}

/// The body of an operator's decision.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Id of the app.
    pub app: String,
    /// Number of the entry.
    pub id: EntryId,
    /// What becomes of it.
    pub decision: OperatorDecision,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorDecision {
    /// It is tried again.
    Retry,
    /// It is forgotten.
    Drop,
}

type Refused = (StatusCode, Json<AdminRefusal>);

pub(super) fn router(inboxes: Arc<[Inbox]>) -> Router {
    Router::new()
        .route(LIST_PATH, get(list))
        .route(&format!("{ENTRY_PATH}/{{app}}/{{id}}"), get(show))
        .route(DECIDE_PATH, post(decide))
        .with_state(inboxes)
}

/// Counts the entries of all apps.
pub(super) async fn figures(inboxes: &[Inbox]) -> Result<Vec<AppFigures>, Refused> {
    let of_app = |inbox: &Inbox| {
        let inbox = inbox.clone();
        async move {
            let plugins = timely(inbox.figures()).await?;
            Ok(AppFigures { app: inbox.app().to_owned(), plugins })
        }
    };
    try_join_all(inboxes.iter().map(of_app)).await
}

async fn list(State(inboxes): State<Arc<[Inbox]>>) -> Result<Json<InboxList>, Refused> {
    let reports = inboxes.iter().map(|inbox| timely(inbox.report()));
    Ok(Json(InboxList { apps: try_join_all(reports).await? }))
}

async fn show(
    State(inboxes): State<Arc<[Inbox]>>,
    Path((app, id)): Path<(String, EntryId)>,
) -> Result<Json<EntryReport>, Refused> {
    let found = timely(of_app(&inboxes, &app)?.entry(id)).await?;
    found.map(Json).ok_or_else(unknown)
}

async fn decide(
    State(inboxes): State<Arc<[Inbox]>>,
    JsonBody(DecisionBody { app, id, decision }): JsonBody<DecisionBody>,
) -> Result<Json<DecisionBody>, Refused> {
    let verdict = match decision {
        OperatorDecision::Retry => Verdict::Retry,
        OperatorDecision::Drop => Verdict::Drop,
    };
    match timely(of_app(&inboxes, &app)?.change(id, verdict)).await? {
        Changed::Yes => Ok(Json(DecisionBody { app, id, decision })),
        Changed::Unknown => Err(unknown()),
        Changed::UnderWay => {
            let reason = "this entry is being worked on, or waits for its next try by itself";
            Err(refused(StatusCode::CONFLICT, reason))
        }
    }
}

fn of_app<'a>(inboxes: &'a [Inbox], app: &str) -> Result<&'a Inbox, Refused> {
    let found = inboxes.iter().find(|inbox| inbox.app() == app);
    found.ok_or_else(|| refused(StatusCode::NOT_FOUND, "no app has this id"))
}

async fn timely<T>(
    asking: impl Future<Output = Result<T, crate::store::StoreError>>,
) -> Result<T, Refused> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())),
        Err(_elapsed) => {
            Err(refused(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer in time"))
        }
    }
}

fn unknown() -> Refused {
    refused(StatusCode::NOT_FOUND, "no entry of this app has this number: it may be done")
}

fn refused(status: StatusCode, reason: &str) -> Refused {
    (status, Json(AdminRefusal { error: reason.to_owned() }))
}
