//! One request to the server API, with the app's token: what `open-api` and late card updates are made of.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::open_api::domain::Domain;
use crate::open_api::notebook::Asked;
use crate::open_api::notebook::Notebook;
use crate::open_api::token::TokenCache;
use crate::secret::Secret;

/// The platform's answers are small; more than this is not read.
const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// "Tenant access token invalid": fetch another one and try once more.
const STALE_TOKEN: i64 = 99_991_663;

/// A request, without credentials.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// GET, POST, …
    pub method: &'static str,
    /// Begins with `/open-apis/`.
    pub path: String,
    /// In order.
    pub query: Vec<(String, String)>,
    /// JSON.
    pub body: Option<String>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct ApiResponse {
    /// HTTP.
    pub status: u16,
    /// JSON, as text.
    pub body: String,
    /// `X-Tt-Logid`: what the platform's support asks for.
    pub log_id: Option<String>,
}

impl ApiResponse {
    /// The `code` in the body, 0 where all is well.
    pub fn code(&self) -> Option<i64> {
        #[derive(Deserialize)]
        struct Coded {
            code: Option<i64>,
        }
        serde_json::from_str::<Coded>(&self.body).ok()?.code
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// It took too long.
    #[error("no answer in time")]
    Deadline,
    /// The platform could not be reached.
    #[error("cannot reach the platform: {0}")]
    Transport(String),
    /// It gave no token.
    #[error("the platform gives no token: code {code}, {message}")]
    Token {
        /// The platform's.
        code: i64,
        /// The platform's.
        message: String,
    },
    /// There is no platform.
    #[error("this plugin runs offline, nothing was sent")]
    Offline,
    /// The answer is too large.
    #[error("the answer is larger than {MAX_RESPONSE_BYTES} bytes")]
    TooLarge,
}

/// One app's way to the server API.
#[derive(Debug)]
pub struct OpenApi(Way);

#[derive(Debug)]
enum Way {
    Platform(Box<Platform>),
    Nowhere(Notebook),
}

#[derive(Debug)]
struct Platform {
    app_id: String,
    app_secret: Secret,
    domain: Domain,
    http: reqwest::Client,
    tenant_token: TokenCache,
}

#[derive(Deserialize)]
struct TokenResponse {
    code: i64,
    #[serde(default)]
    msg: String,
    tenant_access_token: Option<String>,
    expire: Option<u64>,
}

impl OpenApi {
    /// Nothing is asked for until it is needed.
    pub fn new(app_id: String, app_secret: Secret, domain: Domain, http: reqwest::Client) -> Self {
        let tenant_token = TokenCache::default();
        let platform = Platform { app_id, app_secret, domain, http, tenant_token };
        Self(Way::Platform(Box::new(platform)))
    }

    /// Without a platform: nothing is sent, and what would have been is written down.
    pub fn offline(notebook: Notebook) -> Self {
        Self(Way::Nowhere(notebook))
    }

    /// Sends it, by `deadline` at the latest. A token that the platform calls stale is renewed once.
    pub async fn call(
        &self,
        request: &ApiRequest,
        deadline: Instant,
    ) -> Result<ApiResponse, ApiError> {
        let platform = match &self.0 {
            Way::Platform(platform) => platform,
            Way::Nowhere(notebook) => {
                notebook.note(request, Asked::NotSent);
                return Err(ApiError::Offline);
            }
        };
        tokio::time::timeout_at(deadline, platform.call_with_token(request))
            .await
            .map_err(|_| ApiError::Deadline)?
    }

    /// A plugin asked for what it was not granted.
    pub fn not_granted(&self, request: &ApiRequest) {
        if let Way::Nowhere(notebook) = &self.0 {
            notebook.note(request, Asked::NotGranted);
        }
    }
}

impl Platform {
    async fn call_with_token(&self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        let token = self.tenant_token.get(self.fetch_token()).await?;
        let response = self.send(request, Some(&token)).await?;
        if response.code() != Some(STALE_TOKEN) {
            return Ok(response);
        }
        self.tenant_token.evict(&token).await;
        let token = self.tenant_token.get(self.fetch_token()).await?;
        self.send(request, Some(&token)).await
    }

    async fn fetch_token(&self) -> Result<(Secret, Duration), ApiError> {
        let request = ApiRequest {
            method: "POST",
            path: "/open-apis/auth/v3/tenant_access_token/internal".to_owned(),
            query: Vec::new(),
            body: Some(
                json!({ "app_id": self.app_id, "app_secret": self.app_secret.expose() })
                    .to_string(),
            ),
        };
        let response = self.send(&request, None).await?;
        let malformed = |_| {
            ApiError::Transport(format!(
                "the token endpoint answered HTTP {} and no JSON",
                response.status
            ))
        };
        let body: TokenResponse = serde_json::from_str(&response.body).map_err(malformed)?;
        match (body.code, body.tenant_access_token) {
            (0, Some(token)) => {
                Ok((Secret::new(token), Duration::from_secs(body.expire.unwrap_or(0))))
            }
            (code, _) => Err(ApiError::Token { code, message: body.msg }),
        }
    }

    async fn send(
        &self,
        request: &ApiRequest,
        token: Option<&Secret>,
    ) -> Result<ApiResponse, ApiError> {
        // Our five method names are valid ones.
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
        let log_id = response
            .headers()
            .get("x-tt-logid")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
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

/// The HTTP client that every app shares.
pub fn http_client(tls: &rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    /// Long enough for a slow network, short enough that a dead one is noticed.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aviary/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// What `url_previews/batch_update` is asked: that these people's clients ask for the preview again.
pub fn preview_refresh(preview_token: &str, open_ids: &[String]) -> ApiRequest {
    let body = json!({ "preview_tokens": [preview_token], "open_ids": open_ids });
    ApiRequest {
        method: "POST",
        path: "/open-apis/im/v2/url_previews/batch_update".to_owned(),
        query: Vec::new(),
        body: Some(body.to_string()),
    }
}

/// What `card/update` is asked: the token of the callback and the card to show, as JSON.
pub fn card_update(update_token: &str, card: &str) -> ApiRequest {
    ApiRequest {
        method: "POST",
        path: "/open-apis/interactive/v1/card/update".to_owned(),
        query: Vec::new(),
        body: Some(format!(r#"{{"token":{},"card":{card}}}"#, json!(update_token))),
    }
}
