//! The files of the dashboard, and the form that asks for the token.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::get;

pub(super) const PATH: &str = "/";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = include_str!("page/style.css");
const FILES: [(&str, &str, &str); 9] = [
    ("style.css", "text/css; charset=utf-8", STYLE),
    ("app.js", SCRIPT, include_str!("page/app.js")),
    ("callbacks.js", SCRIPT, include_str!("page/callbacks.js")),
    ("charts.js", SCRIPT, include_str!("page/charts.js")),
    ("dom.js", SCRIPT, include_str!("page/dom.js")),
    ("doors.js", SCRIPT, include_str!("page/doors.js")),
    ("inbox.js", SCRIPT, include_str!("page/inbox.js")),
    ("plugins.js", SCRIPT, include_str!("page/plugins.js")),
    ("words.js", SCRIPT, include_str!("page/words.js")),
];
const HTML: &str = "text/html; charset=utf-8";
/// Policy of the dashboard. Text from plugins and users is shown as text; if it were ever taken for markup, it could not run
/// scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Policy of the form. Files beside it could not be loaded without the token, so its style is inline.
const FORM_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                           form-action 'self'; frame-ancestors 'none'";

pub(super) fn router() -> Router {
    let page =
        async || served(StatusCode::OK, HTML, POLICY, include_str!("page/index.html").to_owned());
    let file =
        async |Path(name): Path<String>| match FILES.iter().find(|(known, ..)| *known == name) {
            Some((_, kind, text)) => served(StatusCode::OK, kind, POLICY, (*text).to_owned()),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    Router::new().route(PATH, get(page)).route("/dashboard/{file}", get(file))
}

/// Serves the sign-in form; `state` is a class of it.
pub(super) fn sign_in(status: StatusCode, state: &str) -> Response {
    let text =
        include_str!("page/sign-in.html").replace("{style}", STYLE).replace("{state}", state);
    served(status, HTML, FORM_POLICY, text)
}

fn served(status: StatusCode, kind: &str, policy: &str, text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Another version of the host may be here a moment later.
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}
