//! What was asked of the server API where there is no platform: written down for whoever runs a plugin at the desk.

use std::sync::Arc;

use aviary_state::Mutex;
use serde::Serialize;

use crate::open_api::request::ApiRequest;

/// Requests that are kept. One callback makes a few; a loop makes thousands of the same.
const MAX_ENTRIES: usize = 64;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// It is granted, and was not sent.
    NotSent,
    /// It is not granted.
    NotGranted,
}

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct Noted {
    /// GET, POST, …
    pub method: &'static str,
    /// Begins with `/open-apis/`.
    pub path: String,
    /// JSON.
    pub body: Option<String>,
    /// What became of it.
    pub result: Asked,
}

/// The first requests, in the order they were made.
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

    /// What was asked so far.
    pub fn entries(&self) -> Vec<Noted> {
        self.0.lock().clone()
    }
}
