//! Sends one HTTP request to the server API and reads its answer within bounds. Knows of tokens only the header that carries
//! one.

use std::time::Duration;

use lark_wire::domain::Domain;
use lark_wire::secret::Secret;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::open_api::request::ApiResponse;
use crate::open_api::request::MAX_RESPONSE_BYTES;

/// HTTP access to one of the platform's domains.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    http: reqwest::Client,
    domain: Domain,
}

impl Wire {
    pub(super) fn new(http: reqwest::Client, domain: Domain) -> Self {
        Self { http, domain }
    }

    pub(super) async fn send(
        &self,
        request: &ApiRequest,
        token: Option<&Secret>,
    ) -> Result<ApiResponse, ApiError> {
        // `ApiRequest` has five method names, all valid.
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::GET);
        let mut builder =
            self.http.request(method, self.domain.endpoint(&request.path)).query(&request.query);
        if let Some(token) = token {
            builder = builder.bearer_auth(token.expose());
        }
        if let Some(body) = &request.body {
            builder = builder
                .header("content-type", "application/json; charset=utf-8")
                .body(body.clone());
        }
        // The address may hold a token in its query, so it stays out of the error.
        let transport =
            |error: reqwest::Error| ApiError::Transport(error.without_url().to_string());
        let mut response = builder.send().await.map_err(transport)?;
        let status = response.status().as_u16();
        let log_id = log_id(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(ApiError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(ApiResponse { status, body: String::from_utf8_lossy(&body).into_owned(), log_id })
    }
}

/// Returns the log id. A gateway that turns a request away sets `X-Request-Id` instead.
fn log_id(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("x-tt-logid").or_else(|| headers.get("x-request-id"))?;
    header.to_str().ok().map(str::to_owned)
}

/// Builds the HTTP client that every app shares.
pub(super) fn http_client(tls: &rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    /// Long enough for a slow network, short enough that a dead one is noticed.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aviary/", env!("CARGO_PKG_VERSION")))
        .build()
}
