//! One request to the server API, with the app's token: what `open-api` and late card updates are made of.

use std::sync::Arc;

use crate::open_api::credentials;
use crate::open_api::credentials::Credentials;
use crate::open_api::identity::AppIdentity;
use crate::open_api::notebook::Asked;
use crate::open_api::notebook::Notebook;
use crate::open_api::rate_limit::Rate;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::vault::Vault;
use crate::open_api::wire;
use crate::open_api::wire::Wire;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use lark_wire::secret::Secret;

/// The platform's answers are small; more than this is not read.
pub(super) const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

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
        named_fields::from_str::<Coded>(&self.body).ok()?.code
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// It took too long.
    #[error("no answer in time")]
    Deadline,
    /// The platform could not be reached.
    #[error("cannot reach the platform: {0}")]
    Transport(String),
    /// It gave no token.
    #[error("the platform gives no token: code {code}, {message} (log id {})", log_id.as_deref().unwrap_or("none"))]
    Token {
        /// The platform's.
        code: i64,
        /// The platform's.
        message: String,
        /// For its support.
        log_id: Option<String>,
    },
    /// It has sent no ticket.
    #[error(
        "the platform has sent this store app no app ticket, though it was asked to: it comes as the event app_ticket, through a door of this host"
    )]
    NoTicket,
    /// Nobody knows for whom.
    #[error("the callback names no tenant, and a store app acts for one")]
    NoTenant,
    /// Too many requests.
    #[error("its turn does not come in time: plugins may make only so many requests a second")]
    RateLimited,
    /// There is no platform.
    #[error("this plugin runs offline, nothing was sent")]
    Offline,
    /// The answer is too large.
    #[error("the answer is larger than {MAX_RESPONSE_BYTES} bytes")]
    TooLarge,
}

impl ApiError {
    /// Whether the platform has certainly not seen the request.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Token { .. }
            | Self::NoTicket
            | Self::NoTenant
            | Self::RateLimited
            | Self::Offline => true,
            Self::Deadline | Self::Transport(_) | Self::TooLarge => false,
        }
    }
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
    app: Arc<str>,
    wire: Wire,
    credentials: Arc<Credentials>,
    plugins: RateLimit,
}

impl OpenApi {
    /// Nothing is asked for until it is needed. `plugins` is how much all of the app's plugins together may ask for.
    pub fn new(
        app: AppIdentity,
        http: reqwest::Client,
        vault: Option<Vault>,
        plugins: Rate,
    ) -> Self {
        let wire = Wire::new(http, app.domain.clone());
        let id = app.id.as_str().into();
        let credentials = Arc::new(Credentials::new(app, wire.clone(), vault));
        let plugins = RateLimit::new(plugins);
        Self(Way::Platform(Box::new(Platform { app: id, wire, credentials, plugins })))
    }

    /// Without a platform: nothing is sent, and what would have been is written down.
    pub fn offline(notebook: Notebook) -> Self {
        Self(Way::Nowhere(notebook))
    }

    /// Sends it in the name of that tenant, by `deadline` at the latest. A token that the platform calls stale is renewed
    /// once.
    pub async fn call(
        &self,
        request: &ApiRequest,
        tenant: &str,
        deadline: Instant,
    ) -> Result<ApiResponse, ApiError> {
        let platform = match &self.0 {
            Way::Platform(platform) => platform,
            Way::Nowhere(notebook) => {
                notebook.note(request, Asked::NotSent);
                return Err(ApiError::Offline);
            }
        };
        tokio::time::timeout_at(deadline, platform.call_with_token(request, tenant))
            .await
            .map_err(|_| ApiError::Deadline)?
    }

    /// The same for a plugin, when it is its turn and that of the app's plugins.
    pub async fn call_for(
        &self,
        plugin: &RateLimit,
        request: &ApiRequest,
        tenant: &str,
        deadline: Instant,
    ) -> Result<ApiResponse, ApiError> {
        if let Way::Platform(platform) = &self.0
            && !(plugin.turn_by(deadline).await && platform.plugins.turn_by(deadline).await)
        {
            return Err(ApiError::RateLimited);
        }
        self.call(request, tenant, deadline).await
    }

    /// The platform has sent this app's ticket.
    pub async fn take_ticket(&self, ticket: Secret) {
        if let Way::Platform(platform) = &self.0 {
            platform.credentials.take_ticket(ticket).await;
        }
    }

    /// A plugin asked for what it was not granted.
    pub fn not_granted(&self, request: &ApiRequest) {
        if let Way::Nowhere(notebook) = &self.0 {
            notebook.note(request, Asked::NotGranted);
        }
    }
}

impl Platform {
    async fn call_with_token(
        &self,
        request: &ApiRequest,
        tenant: &str,
    ) -> Result<ApiResponse, ApiError> {
        let token = self.credentials.tenant_token(tenant).await?;
        let response = self.send(request, &token).await?;
        let Some(code) = response.code().filter(|code| credentials::is_stale(*code)) else {
            return Ok(response);
        };
        self.credentials.evict(tenant, &token, code);
        let token = self.credentials.tenant_token(tenant).await?;
        self.send(request, &token).await
    }

    async fn send(&self, request: &ApiRequest, token: &Secret) -> Result<ApiResponse, ApiError> {
        let response = self.wire.send(request, Some(token)).await?;
        let ApiRequest { method, path, .. } = request;
        let (app, status, code) = (&self.app, response.status, response.code());
        let log_id = response.log_id.as_deref();
        tracing::debug!(%app, method, path, status, code, log_id, "server API");
        Ok(response)
    }
}

/// The HTTP client that every app shares.
pub fn http_client(tls: &rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    wire::http_client(tls)
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
