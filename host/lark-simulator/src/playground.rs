//! The page for people: a chat whose cards are clicked, and beside it what went over the wire. It drives the simulator by the
//! endpoints of [`control`](super::control), as any other program could.

mod feed;

use std::sync::Arc;

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
use lark_wire::platform_code;

use crate::state::State;

/// The files of the page.
const FILES: [(&str, &str, &str); 17] = [
    ("index.html", "text/html; charset=utf-8", include_str!("playground/index.html")),
    ("style.css", STYLE, include_str!("playground/style.css")),
    ("card.css", STYLE, include_str!("playground/card.css")),
    ("app.js", SCRIPT, include_str!("playground/app.js")),
    ("card.js", SCRIPT, include_str!("playground/card.js")),
    ("chat.js", SCRIPT, include_str!("playground/chat.js")),
    ("composer.js", SCRIPT, include_str!("playground/composer.js")),
    ("dom.js", SCRIPT, include_str!("playground/dom.js")),
    ("fields.js", SCRIPT, include_str!("playground/fields.js")),
    ("inspector.js", SCRIPT, include_str!("playground/inspector.js")),
    ("json.js", SCRIPT, include_str!("playground/json.js")),
    ("markdown.js", SCRIPT, include_str!("playground/markdown.js")),
    ("samples.js", SCRIPT, include_str!("playground/samples.js")),
    ("table.js", SCRIPT, include_str!("playground/table.js")),
    ("text.js", SCRIPT, include_str!("playground/text.js")),
    ("waterfall.js", SCRIPT, include_str!("playground/waterfall.js")),
    ("words.js", SCRIPT, include_str!("playground/words.js")),
];
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// Cards come from anybody, so the page takes scripts and styles from its own files only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(async || file("index.html")))
        .route("/playground/codes.json", get(codes))
        .route("/playground/events", get(feed::follow))
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
