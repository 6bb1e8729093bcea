//! Sends one request to the server API with the app's token. `open-api` and late card updates are built on it.

use std::sync::Arc;

use lark_wire::secret::Secret;
use serde_json::json;
use tokio::time::Instant;

use crate::open_api::credentials;
use crate::open_api::credentials::Credentials;
use crate::open_api::identity::AppIdentity;
use crate::open_api::notebook::Asked;
use crate::open_api::notebook::Notebook;
use crate::open_api::rate_limit::Rate;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::open_api::request::ApiResponse;
use crate::open_api::vault::Vault;
use crate::open_api::wire;
use crate::open_api::wire::Wire;

/// Client of the server API for one app.
#[derive(Debug)]
pub struct OpenApi(Transport);

#[derive(Debug)]
enum Transport {
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
    /// Fetches no token until one is needed. `plugins` limits the requests of all of the app's plugins together.
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
        Self(Transport::Platform(Box::new(Platform { app: id, wire, credentials, plugins })))
    }

    /// A client without a platform: sends nothing, and records each request in the notebook.
    pub fn offline(notebook: Notebook) -> Self {
        Self(Transport::Nowhere(notebook))
    }

    /// Sends the request on behalf of the tenant, by `deadline` at the latest. A token that the platform calls stale is renewed
    /// once.
    pub async fn call(
        &self,
        request: &ApiRequest,
        tenant: &str,
        deadline: Instant,
    ) -> Result<ApiResponse, ApiError> {
        let platform = match &self.0 {
            Transport::Platform(platform) => platform,
            Transport::Nowhere(notebook) => {
                notebook.note(request, Asked::NotSent);
                return Err(ApiError::Offline);
            }
        };
        tokio::time::timeout_at(deadline, platform.call_with_token(request, tenant))
            .await
            .map_err(|_| ApiError::Deadline)?
    }

    /// Sends the request for a plugin once the plugin's own rate limit and that of all the app's plugins allow it.
    pub async fn call_for(
        &self,
        plugin: &RateLimit,
        request: &ApiRequest,
        tenant: &str,
        deadline: Instant,
    ) -> Result<ApiResponse, ApiError> {
        if let Transport::Platform(platform) = &self.0
            && !(plugin.turn_by(deadline).await && platform.plugins.turn_by(deadline).await)
        {
            return Err(ApiError::RateLimited);
        }
        self.call(request, tenant, deadline).await
    }

    /// Accepts an app ticket that the platform has sent.
    pub async fn take_ticket(&self, ticket: Secret) {
        if let Transport::Platform(platform) = &self.0 {
            platform.credentials.take_ticket(ticket).await;
        }
    }

    /// Records a request that the plugin was not granted, where there is a notebook.
    pub fn not_granted(&self, request: &ApiRequest) {
        if let Transport::Nowhere(notebook) = &self.0 {
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
        tracing::debug!(%app, method, path, status, code, log_id, "server API: answered");
        Ok(response)
    }
}

/// Builds the HTTP client that every app shares.
pub fn http_client(tls: &rustls::ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    wire::http_client(tls)
}

/// Builds the request to `url_previews/batch_update` that makes these people's clients ask for the preview again.
pub fn preview_refresh(preview_token: &str, open_ids: &[String]) -> ApiRequest {
    let body = json!({ "preview_tokens": [preview_token], "open_ids": open_ids });
    ApiRequest {
        method: "POST",
        path: "/open-apis/im/v2/url_previews/batch_update".to_owned(),
        query: Vec::new(),
        body: Some(body.to_string()),
    }
}

/// Builds the request to `card/update` from the callback's token and the card to show, as JSON.
pub fn card_update(update_token: &str, card: &str) -> ApiRequest {
    ApiRequest {
        method: "POST",
        path: "/open-apis/interactive/v1/card/update".to_owned(),
        query: Vec::new(),
        body: Some(format!(r#"{{"token":{},"card":{card}}}"#, json!(update_token))),
    }
}
