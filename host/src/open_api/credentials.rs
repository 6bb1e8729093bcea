//! Obtains the token that a request needs: with the app secret, or with the app ticket and for one tenant.
//!
//! Every token request has a body of its own, with the members it needs and nothing else.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::now_ms;
use crate::open_api::identity::AppIdentity;
use crate::open_api::identity::AppKind;
use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::open_api::request::ApiResponse;
use crate::open_api::ticket::AppTicket;
use crate::open_api::token::Fresh;
use crate::open_api::token::TokenCache;
use crate::open_api::vault::StoredCredential;
use crate::open_api::vault::Vault;
use crate::open_api::wire::Wire;
use lark_wire::secret::Secret;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// "Tenant access token invalid".
const TENANT_TOKEN_INVALID: i64 = 99_991_663;
/// "App access token invalid".
const APP_TOKEN_INVALID: i64 = 99_991_664;
/// "Access token invalid", for either kind of token.
const TOKEN_INVALID: i64 = 99_991_671;
/// "App ticket invalid".
const TICKET_INVALID: i64 = 10_012;

/// Path that gives a self-built app's tenant token.
const INTERNAL_TENANT_TOKEN: &str = "/open-apis/auth/v3/tenant_access_token/internal";
/// Path that gives a store app's own token.
const APP_TOKEN: &str = "/open-apis/auth/v3/app_access_token";
/// Path that gives a store app's tenant token in exchange for its own token.
const TENANT_TOKEN: &str = "/open-apis/auth/v3/tenant_access_token";
/// Path that asks the platform to send the app ticket again.
const TICKET_RESEND: &str = "/open-apis/auth/v3/app_ticket/resend";
/// Least remaining lifetime of a token that is taken from the store. A token with less would be fetched again at once.
const WORTH_TAKING: Duration = Duration::from_secs(15 * 60);
/// Cache key of the one token that an app has for itself.
const APP: &str = "app";

/// The tokens of one app, and the means to fetch them.
#[derive(Debug)]
pub(super) struct Credentials {
    app: AppIdentity,
    wire: Wire,
    tenants: TokenCache,
    own: TokenCache,
    ticket: AppTicket,
    vault: Option<Vault>,
}

/// The token that an answer is expected to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    TenantToken,
    AppToken,
}

#[derive(Deserialize)]
struct TokenResponse {
    code: i64,
    #[serde(default)]
    msg: String,
    tenant_access_token: Option<String>,
    app_access_token: Option<String>,
    expire: Option<u64>,
}

/// Returns whether the platform rejects a credential with this code.
pub(super) fn is_stale(code: i64) -> bool {
    matches!(code, TENANT_TOKEN_INVALID | APP_TOKEN_INVALID | TOKEN_INVALID | TICKET_INVALID)
}

impl Credentials {
    pub(super) fn new(app: AppIdentity, wire: Wire, vault: Option<Vault>) -> Self {
        let (tenants, own) = (TokenCache::default(), TokenCache::default());
        Self { app, wire, tenants, own, ticket: AppTicket::new(vault.clone()), vault }
    }

    /// Returns the token for requests on behalf of a tenant. A self-built app has one tenant and one token.
    pub(super) async fn tenant_token(self: &Arc<Self>, tenant: &str) -> Result<Secret, ApiError> {
        let name = self.tenant_name(tenant);
        if self.app.kind == AppKind::Store && tenant.is_empty() {
            return Err(ApiError::NoTenant);
        }
        let fetch =
            |refused| Arc::clone(self).fetch_tenant_token(name.clone(), tenant.to_owned(), refused);
        self.tenants.get(&name, fetch).await
    }

    /// Drops a tenant token that the platform refused with this code.
    pub(super) fn evict(&self, tenant: &str, stale: &Secret, code: i64) {
        self.tenants.evict(&self.tenant_name(tenant), stale);
        if matches!(code, APP_TOKEN_INVALID | TICKET_INVALID) {
            // The tenant token was made from a credential that is no longer valid either.
            self.own.evict_any(APP);
        }
    }

    /// Accepts an app ticket that the platform has sent.
    pub(super) async fn take_ticket(&self, ticket: Secret) {
        self.ticket.take(ticket).await;
    }

    fn tenant_name(&self, tenant: &str) -> String {
        match self.app.kind {
            AppKind::SelfBuilt => "tenant".to_owned(),
            AppKind::Store => format!("tenant/{tenant}"),
        }
    }

    async fn fetch_tenant_token(
        self: Arc<Self>,
        name: String,
        tenant: String,
        refused: Option<Secret>,
    ) -> Result<Fresh, ApiError> {
        if let Some(kept) = self.kept(&name, refused.as_ref()).await {
            return Ok(kept);
        }
        let fresh = match self.app.kind {
            AppKind::SelfBuilt => {
                let body = json!({ "app_id": self.app.id, "app_secret": self.app.secret.expose() });
                self.ask(INTERNAL_TENANT_TOKEN, &body, Holds::TenantToken).await?
            }
            AppKind::Store => self.tenant_token_by_own(&tenant).await?,
        };
        self.keep(&name, &fresh).await;
        Ok(fresh)
    }

    async fn tenant_token_by_own(self: &Arc<Self>, tenant: &str) -> Result<Fresh, ApiError> {
        let own = self.own_token().await?;
        match self.tenant_token_with(&own, tenant).await {
            Err(ApiError::Token { code, .. }) if is_stale(code) => {
                self.own.evict(APP, &own);
                self.tenant_token_with(&self.own_token().await?, tenant).await
            }
            answer => answer,
        }
    }

    async fn tenant_token_with(&self, own: &Secret, tenant: &str) -> Result<Fresh, ApiError> {
        let body = json!({ "app_access_token": own.expose(), "tenant_key": tenant });
        self.ask(TENANT_TOKEN, &body, Holds::TenantToken).await
    }

    async fn own_token(self: &Arc<Self>) -> Result<Secret, ApiError> {
        self.own.get(APP, |refused| Arc::clone(self).fetch_own_token(refused)).await
    }

    async fn fetch_own_token(self: Arc<Self>, refused: Option<Secret>) -> Result<Fresh, ApiError> {
        if let Some(kept) = self.kept(APP, refused.as_ref()).await {
            return Ok(kept);
        }
        let ticket = self.ticket.get(None, self.ask_for_ticket()).await?;
        let fresh = match self.own_token_with(&ticket).await {
            Err(ApiError::Token { code: TICKET_INVALID, .. }) => {
                let another = self.ticket.get(Some(&ticket), self.ask_for_ticket()).await?;
                self.own_token_with(&another).await?
            }
            answer => answer?,
        };
        self.keep(APP, &fresh).await;
        Ok(fresh)
    }

    async fn own_token_with(&self, ticket: &Secret) -> Result<Fresh, ApiError> {
        let AppIdentity { id, secret, .. } = &self.app;
        let body =
            json!({ "app_id": id, "app_secret": secret.expose(), "app_ticket": ticket.expose() });
        self.ask(APP_TOKEN, &body, Holds::AppToken).await
    }

    async fn ask_for_ticket(&self) -> Result<(), ApiError> {
        tracing::info!(app = %self.app.id, "server API: app ticket requested");
        let body = json!({ "app_id": self.app.id, "app_secret": self.app.secret.expose() });
        let (answer, response) = self.post(TICKET_RESEND, &body).await?;
        if answer.code == 0 { Ok(()) } else { Err(refusal(answer, response)) }
    }

    async fn ask(&self, path: &str, body: &Value, holds: Holds) -> Result<Fresh, ApiError> {
        let (mut answer, response) = self.post(path, body).await?;
        let token = match holds {
            Holds::TenantToken => answer.tenant_access_token.take(),
            Holds::AppToken => answer.app_access_token.take(),
        };
        match token {
            Some(token) if answer.code == 0 => Ok(Fresh {
                token: Secret::new(token),
                lifetime: Duration::from_secs(answer.expire.unwrap_or(0)),
            }),
            _ => Err(refusal(answer, response)),
        }
    }

    async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<(TokenResponse, ApiResponse), ApiError> {
        let request = ApiRequest {
            method: "POST",
            path: path.to_owned(),
            query: Vec::new(),
            body: Some(body.to_string()),
        };
        let response = self.wire.send(&request, None).await?;
        let status = response.status;
        let malformed =
            |_| ApiError::Transport(format!("{path} answered HTTP {status} and no JSON"));
        Ok((named_fields::from_str(&response.body).map_err(malformed)?, response))
    }

    /// Returns the token that an earlier process or another host stored, unless it is the one that the platform refused.
    async fn kept(&self, name: &str, refused: Option<&Secret>) -> Option<Fresh> {
        let StoredCredential { secret, until_ms } = self.token_vault()?.load(name).await?;
        let lifetime = Duration::from_millis(until_ms.saturating_sub(now_ms()));
        let good = refused.is_none_or(|refused| refused.expose() != secret.expose());
        (good && lifetime > WORTH_TAKING).then_some(Fresh { token: secret, lifetime })
    }

    async fn keep(&self, name: &str, fresh: &Fresh) {
        if let Some(vault) = self.token_vault() {
            let until_ms = now_ms() + fresh.lifetime.as_millis() as u64;
            vault.save(name, &StoredCredential { secret: fresh.token.clone(), until_ms }).await;
        }
    }

    fn token_vault(&self) -> Option<&Vault> {
        self.vault.as_ref().filter(|vault| vault.keeps_tokens())
    }
}

fn refusal(answer: TokenResponse, response: ApiResponse) -> ApiError {
    ApiError::Token { code: answer.code, message: answer.msg, log_id: response.log_id }
}
