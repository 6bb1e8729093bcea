//! The page for people: a chat whose cards are clicked, and beside it what went over the wire. It drives the simulator by the
//! endpoints of [`control`](super::control), as any other program could.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;

use crate::platform_code;
use crate::simulator::state::State;
use crate::simulator::state::lock;
use crate::simulator::tally::Changes;

/// The files of the page.
const FILES: [(&str, &str, &str); 7] = [
    ("index.html", "text/html; charset=utf-8", include_str!("playground/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("playground/style.css")),
    ("app.js", SCRIPT, include_str!("playground/app.js")),
    ("card.js", SCRIPT, include_str!("playground/card.js")),
    ("markdown.js", SCRIPT, include_str!("playground/markdown.js")),
    ("samples.js", SCRIPT, include_str!("playground/samples.js")),
    ("words.js", SCRIPT, include_str!("playground/words.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// Cards come from anybody, so the page takes scripts and styles from its own files only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Callbacks that a host's words are kept for.
const MAX_TOLD: usize = 256;
/// The line about a callback follows its answer at once.
const TOLD_WITHIN: Duration = Duration::from_millis(500);

pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(async || file("index.html")))
        .route("/playground/codes.json", get(codes))
        .route("/playground/{file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Response {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let Some((_, kind, text)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, *kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, *text).into_response()
}

async fn codes() -> Response {
    match platform_code::all() {
        Ok(codes) => Json(codes).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What a host in the same process says of itself. Without one there is nothing.
pub(super) struct HostWords {
    told: Mutex<Told>,
    changes: Changes,
}

#[derive(Default)]
struct Told {
    surroundings: Option<Surroundings>,
    callbacks: VecDeque<(String, Value)>,
}

/// What the page shows of a host beside its answers.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where its webhook is.
    pub webhook: String,
    /// What is in its folder, as its admin port says.
    pub plugins: Value,
}

impl HostWords {
    pub(super) fn new(changes: Changes) -> Self {
        Self { told: Mutex::default(), changes }
    }

    pub(super) fn surroundings(&self) -> Option<Surroundings> {
        lock(&self.told).surroundings.clone()
    }

    pub(super) fn tell_surroundings(&self, surroundings: Surroundings) {
        lock(&self.told).surroundings = Some(surroundings);
        self.changes.ring();
    }

    pub(super) fn tell(&self, event_id: String, words: Value) {
        {
            let mut told = lock(&self.told);
            if told.callbacks.len() == MAX_TOLD {
                told.callbacks.pop_front();
            }
            told.callbacks.push_back((event_id, words));
        }
        self.changes.ring();
    }

    /// What the host says of that callback, as soon as it does; none if there is no host here, or it says nothing.
    pub(super) async fn of(&self, event_id: &str) -> Option<Value> {
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                {
                    let told = lock(&self.told);
                    told.surroundings.as_ref()?;
                    let found = told.callbacks.iter().rev().find(|(id, _)| id == event_id);
                    if let Some((_, words)) = found {
                        return Some(words.clone());
                    }
                }
                changes.seen().await;
            }
        };
        tokio::time::timeout(TOLD_WITHIN, found).await.ok().flatten()
    }
}
