//! Records the server API requests of a plugin that runs without a platform, for the developer who runs it.

use std::sync::Arc;

use aviary_state::Mutex;
use serde::Serialize;

use crate::open_api::request::ApiRequest;

/// Requests that are kept. One callback makes a few; a loop makes thousands of identical ones.
const MAX_ENTRIES: usize = 64;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// The request is granted, and was not sent.
    NotSent,
    /// The request is not granted.
    NotGranted,
}

/// One recorded request.
#[derive(Clone, Debug, Serialize)]
pub struct Noted {
    /// The HTTP method: GET, POST, …
    pub method: &'static str,
    /// The path; begins with `/open-apis/`.
    pub path: String,
    /// The body, as JSON.
    pub body: Option<String>,
    /// The outcome of the request.
    pub result: Asked,
}

/// The first `MAX_ENTRIES` requests, in the order they were made.
#[derive(Clone, Debug, Default)]
pub struct Notebook(Arc<Mutex<Vec<Noted>>>);

impl Notebook {
    pub(super) fn note(&self, request: &ApiRequest, result: Asked) {
        let mut entries = self.0.lock();
        if entries.len() < MAX_ENTRIES {
            let ApiRequest { method, path, body, .. } = request.clone();
            entries.push(Noted { method, path, body, result });
        }
    }

    /// Returns a copy of the recorded requests.
    pub fn entries(&self) -> Vec<Noted> {
        self.0.lock().clone()
    }
}
