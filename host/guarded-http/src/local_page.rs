//! Decides which requests a page or control endpoint on this machine answers: those of programs and browsers on this machine, but
//! not those of a page from elsewhere that uses such a browser. Every port that needs no token asks here.
//!
//! | attack | rule |
//! |---|---|
//! | a name of the attacker that leads to this machine (DNS rebinding) | `Host` has to name this machine |
//! | a page of another site posts, fetches, subscribes or opens a WebSocket | `Sec-Fetch-Site` and `Origin` have to be ours, where a browser sends them |
//! | a form of another site, whose body looks like JSON | what is read as JSON has to be announced as JSON |
//! | JSON in an unexpected shape | a struct is read from an object only |
//!
//! Programs other than browsers, like `curl` and the official SDKs, send neither `Origin` nor `Sec-Fetch-Site`.

use std::net::IpAddr;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRequest;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::http::header::HOST;
use axum::http::header::ORIGIN;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Headers in which a browser describes the page that asks. No page can set these.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// Tells a browser to keep an answer from the pages of other sites, even as a picture or a script.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// The request is for another machine, or a name of another machine leads here.
    #[error(
        "this port only takes requests for this machine by name: ask for localhost or 127.0.0.1"
    )]
    OtherName,
    /// A page of another site asks.
    #[error("a page of another site asked for this")]
    OtherSite,
}

impl Stranger {
    /// Returns the HTTP status of the refusal.
    pub fn status(self) -> StatusCode {
        match self {
            Self::OtherName => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherSite => StatusCode::FORBIDDEN,
        }
    }
}

/// Puts both checks before a router that needs no token.
pub fn guarded(router: Router) -> Router {
    router.layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    let checked = check_name(request.uri(), request.headers())
        .and_then(|()| check_site(request.method(), request.headers()));
    match checked {
        Ok(()) => closed_to_other_sites(next.run(request).await),
        Err(why) => (why.status(), Json(json!({ "error": why.to_string() }))).into_response(),
    }
}

/// Marks an answer so that a browser hands it to pages of the same origin only.
pub fn closed_to_other_sites(mut response: Response) -> Response {
    response.headers_mut().insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// Checks that the request names this machine by one of its own names. A name that a stranger's DNS server leads to this machine
/// is the stranger's, and so is the page that asks by it. A request without a name does not come from a browser.
pub fn check_name(uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
    let mut names = headers.get_all(HOST).iter();
    let named = match (names.next(), names.next()) {
        (None, _) => true,
        (Some(name), None) => name.to_str().is_ok_and(names_this_machine),
        (Some(_), Some(_)) => false,
    };
    let target = uri.authority().is_none_or(|target| names_this_machine(target.as_str()));
    if named && target { Ok(()) } else { Err(Stranger::OtherName) }
}

/// Checks that the request comes from our own page or from no page at all, as far as a browser tells. A person may follow a link
/// of another site to a page here, which shows nothing to that site.
pub fn check_site(method: &Method, headers: &HeaderMap) -> Result<(), Stranger> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let is = |name: &HeaderName, word: &str| sole(headers, name).is_some_and(|said| said == word);
    let is_visit = reads && is(&SEC_FETCH_MODE, "navigate") && is(&SEC_FETCH_DEST, "document");
    let fits = match (sole(headers, &SEC_FETCH_SITE), headers.contains_key(SEC_FETCH_SITE)) {
        (Some("same-origin"), _) => {
            // With some referrer policies a browser calls its own origin `null`.
            is(&ORIGIN, "null") || is_own_origin(headers)
        }
        (Some("none"), _) | (None, false) => is_own_origin(headers),
        (Some(_), _) => is_visit,
        (None, true) => false,
    };
    if fits { Ok(()) } else { Err(Stranger::OtherSite) }
}

/// Returns true if there is no origin, or if the origin is that of the host that is asked.
fn is_own_origin(headers: &HeaderMap) -> bool {
    if !headers.contains_key(ORIGIN) {
        return true;
    }
    let origin = sole(headers, &ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, from)| Some(from) == sole(headers, &HOST))
}

/// Returns the text of a header that is sent exactly once.
fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

fn names_this_machine(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The body of a request to a control endpoint. It has to be announced as JSON, which a page cannot post to another site without
/// asking that site first, and to be an object wherever a struct is read.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let refuse =
            |status, error: String| (status, Json(json!({ "error": error }))).into_response();
        if !is_json(request.headers()) {
            let error = "send JSON, and say so: Content-Type: application/json";
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_owned()));
        }
        let body =
            Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        named_fields::from_slice(&body).map(Self).map_err(|error| {
            refuse(StatusCode::BAD_REQUEST, format!("the body is not what is wanted here: {error}"))
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = sole(headers, &CONTENT_TYPE).and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests;
