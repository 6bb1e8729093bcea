//! Guards the admin port. Without a token it admits programs and browsers on this machine, but no web page from elsewhere through
//! them. With one it admits requests that show the token, and browsers that have signed in with it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::http::header::AUTHORIZATION;
use axum::http::header::COOKIE;
use axum::http::header::LOCATION;
use axum::http::header::SET_COOKIE;
use axum::http::header::WWW_AUTHENTICATE;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse as _;
use axum::response::Response;
use axum::routing::post;
use guarded_http::local_page;
use guarded_http::local_page::Stranger;
use lark_wire::secret::Secret;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use crate::admin::page;
use crate::clock::since_epoch;

/// Paths that orchestrators probe without a token.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];
const SIGN_IN: &str = "/sign-in";
const SIGN_OUT: &str = "/sign-out";
const COOKIE_NAME: &str = "aviary_admin";
/// Time that a browser stays signed in: a working day, and the evening after it.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Largest request body, in bytes. Only rollback requests and tokens are posted here.
const LARGEST_BODY: usize = 16 << 10;

/// The token that requests have to show, if one is configured.
#[derive(Debug)]
struct AdminAccess(Option<Token>);

#[derive(Debug)]
struct Token {
    token: Secret,
    /// Key that signs sessions, so that the browser does not store the token, and the host does not store sessions.
    key: [u8; 32],
}

/// Reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TurnedAway {
    #[error("{0}{or_a_token}", or_a_token = or_a_token(*.0))]
    Stranger(Stranger),
    #[error("this admin port wants its token: Authorization: Bearer …")]
    NoToken,
    #[error("that is not the token of this admin port")]
    WrongToken,
}

/// Names a further remedy for requests that use another name.
fn or_a_token(stranger: Stranger) -> &'static str {
    match stranger {
        Stranger::OtherName => ", or set admin.token",
        Stranger::OtherSite => "",
    }
}

/// Puts the guard before everything in `router`, and adds the routes for signing in and out.
pub(super) fn guarded(router: Router, token: Option<&Secret>) -> Router {
    let access = Arc::new(AdminAccess(token.map(Token::new)));
    let ways = Router::new()
        .route(SIGN_IN, post(sign_in))
        .route(SIGN_OUT, post(async || to_the_page("", Duration::ZERO)))
        .with_state(Arc::clone(&access));
    router
        .merge(ways)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(access, guard))
}

async fn guard(State(access): State<Arc<AdminAccess>>, request: Request, next: Next) -> Response {
    match access.judge(request.method(), request.uri(), request.headers()) {
        Ok(()) => local_page::closed_to_other_sites(next.run(request).await),
        Err(TurnedAway::NoToken) if request.uri().path() == page::PATH => {
            page::sign_in(StatusCode::UNAUTHORIZED, "")
        }
        Err(why) => refuse(why),
    }
}

fn refuse(why: TurnedAway) -> Response {
    let error = Json(json!({ "error": why.to_string() }));
    match why {
        TurnedAway::Stranger(stranger) => (stranger.status(), error).into_response(),
        TurnedAway::NoToken => {
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], error).into_response()
        }
        TurnedAway::WrongToken => {
            tracing::warn!("admin: request with an invalid token");
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], error).into_response()
        }
    }
}

async fn sign_in(State(access): State<Arc<AdminAccess>>, form: Bytes) -> Response {
    let AdminAccess(Some(token)) = &*access else { return StatusCode::NOT_FOUND.into_response() };
    let shown = form_urlencoded::parse(&form).find(|(name, _)| name == "token");
    if shown.is_some_and(|(_, shown)| token.is(shown.trim())) {
        return to_the_page(&token.session(now() + SESSION.as_secs()), SESSION);
    }
    tracing::warn!("admin: request with an invalid token");
    page::sign_in(StatusCode::UNAUTHORIZED, "wrong")
}

/// Redirects to the dashboard and sets the session cookie with that lifetime.
fn to_the_page(session: &str, lasts: Duration) -> Response {
    let seconds = lasts.as_secs();
    let cookie =
        format!("{COOKIE_NAME}={session}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict");
    let headers = [(LOCATION, page::PATH.to_owned()), (SET_COOKIE, cookie)];
    (StatusCode::SEE_OTHER, headers).into_response()
}

impl AdminAccess {
    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), TurnedAway> {
        let path = uri.path();
        if PROBES.contains(&path) {
            return Ok(());
        }
        let Self(token) = self;
        if token.is_none() {
            local_page::check_name(uri, headers).map_err(TurnedAway::Stranger)?;
        }
        local_page::check_site(method, headers).map_err(TurnedAway::Stranger)?;
        match token {
            Some(token) if path != SIGN_IN => token.is_shown(headers),
            Some(_) | None => Ok(()),
        }
    }
}

impl Token {
    fn new(token: &Secret) -> Self {
        let key = blake3::derive_key("aviary admin session 1", token.expose().as_bytes());
        Self { token: token.clone(), key }
    }

    fn is(&self, shown: &str) -> bool {
        self.token.expose().as_bytes().ct_eq(shown.as_bytes()).into()
    }

    fn is_shown(&self, headers: &HeaderMap) -> Result<(), TurnedAway> {
        let bearer = text(headers, AUTHORIZATION).and_then(|shown| shown.split_once(' '));
        if let Some((scheme, shown)) = bearer {
            let fits = scheme.eq_ignore_ascii_case("bearer") && self.is(shown.trim());
            return if fits { Ok(()) } else { Err(TurnedAway::WrongToken) };
        }
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|one| one.split_once('='));
        let has_session = pairs.any(|(name, session)| {
            name.trim() == COOKIE_NAME && self.is_session(session.trim(), now())
        });
        if has_session { Ok(()) } else { Err(TurnedAway::NoToken) }
    }

    /// Creates a session that is valid until then, in seconds since the epoch, and only with this token.
    fn session(&self, until: u64) -> String {
        format!("{until}.{}", blake3::keyed_hash(&self.key, &until.to_le_bytes()).to_hex())
    }

    fn is_session(&self, session: &str, now: u64) -> bool {
        let Some((until, hash)) = session.split_once('.') else { return false };
        let (Ok(until), Ok(hash)) = (until.parse::<u64>(), blake3::Hash::from_hex(hash)) else {
            return false;
        };
        // Hashes are compared in constant time.
        until > now && hash == blake3::keyed_hash(&self.key, &until.to_le_bytes())
    }
}

fn now() -> u64 {
    since_epoch().as_secs()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_and_belongs_to_its_token() {
        let token = Token::new(&Secret::new("0123456789abcdef"));
        let session = token.session(1000);
        assert!(token.is_session(&session, 999));
        assert!(!token.is_session(&session, 1000), "it has ended");
        assert!(!token.is_session(&session.replace("1000.", "2000."), 999), "it was changed");
        let another = Token::new(&Secret::new("another token of it"));
        assert!(!another.is_session(&session, 999));
        for nothing in ["", ".", "1000.", "1000", "x.y"] {
            assert!(!token.is_session(nothing, 0), "{nothing:?}");
        }
    }
}
