//! `lark:callback/open-api`: the server API with the app's token added here, where no guest can see it.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::bindings::lark::callback::open_api;
use crate::deadline::Deadline;
use crate::open_api::grant::Granted;
use crate::open_api::grant::is_plain_path;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::open_api::transport::OpenApi;
use crate::tape::Tape;
use crate::tape::UNKNOWN;

/// The longest tenant key. The platform's have 16 characters.
const MAX_TENANT_KEY_BYTES: usize = 128;

/// One plugin's way to the server API.
#[derive(Debug)]
pub struct ApiAccess {
    api: Arc<OpenApi>,
    granted: Granted,
    rate: RateLimit,
}

impl ApiAccess {
    /// With what its operator granted, and how often it may ask.
    pub fn new(api: Arc<OpenApi>, granted: Granted, rate: RateLimit) -> Self {
        Self { api, granted, rate }
    }
}

/// What one call may ask of it.
#[derive(Clone, Debug)]
pub struct OpenApiCtx {
    access: Option<Arc<ApiAccess>>,
    tenant: String,
    deadline: Deadline,
    io: Handle,
    tape: Tape,
}

impl ApiAccess {
    /// Whom it acts for, if the request is granted to it.
    fn acts_for(&self, request: &ApiRequest, own: &str, named: Option<String>) -> Option<String> {
        if !self.granted.allows(request.method, &request.path) {
            return None;
        }
        match named {
            Some(named) if named != own => {
                let fits = (1..=MAX_TENANT_KEY_BYTES).contains(&named.len());
                (fits && self.granted.extends_to(&named)).then_some(named)
            }
            Some(_) | None => Some(own.to_owned()),
        }
    }
}

impl OpenApiCtx {
    /// In the name of the callback's `tenant`; without access nothing is granted. Requests run on `io`, so that no socket
    /// is ever polled on a guest's thread.
    pub fn new(
        access: Option<Arc<ApiAccess>>,
        tenant: String,
        deadline: Deadline,
        io: Handle,
        tape: Tape,
    ) -> Self {
        Self { access, tenant, deadline, io, tape }
    }

    async fn ask(
        &self,
        request: open_api::ApiRequest,
    ) -> Result<open_api::ApiResponse, open_api::ApiError> {
        let method = method_name(request.method);
        if !is_plain_path(&request.path) {
            return Err(open_api::ApiError::Other(
                "the path must begin with /open-apis/ and hold only plain segments; parameters go into `query`".to_owned(),
            ));
        }
        let Some(access) = self.access.clone() else {
            return Err(open_api::ApiError::NotGranted);
        };
        let named = request.tenant_key;
        let request =
            ApiRequest { method, path: request.path, query: request.query, body: request.body };
        let Some(tenant) = access.acts_for(&request, &self.tenant, named) else {
            access.api.not_granted(&request);
            return Err(open_api::ApiError::NotGranted);
        };
        let until = self.deadline.hard();
        let asking =
            async move { access.api.call_for(&access.rate, &request, &tenant, until).await };
        match self.io.spawn(asking).await {
            Ok(Ok(response)) => Ok(open_api::ApiResponse {
                status: response.status,
                body: response.body,
                log_id: response.log_id,
            }),
            Ok(Err(ApiError::Deadline)) => Err(open_api::ApiError::Deadline),
            Ok(Err(ApiError::RateLimited)) => Err(open_api::ApiError::RateLimited),
            Ok(Err(ApiError::Transport(text))) => Err(open_api::ApiError::Transport(text)),
            Ok(Err(error)) => Err(open_api::ApiError::Other(error.to_string())),
            Err(_stopping) => Err(open_api::ApiError::Other("the host is stopping".to_owned())),
        }
    }
}

impl open_api::Host for OpenApiCtx {
    async fn call(
        &mut self,
        request: open_api::ApiRequest,
    ) -> Result<open_api::ApiResponse, open_api::ApiError> {
        let asked = self.tape.asked(&request);
        let answered = self.tape.through("open-api.call", asked, self.ask(request)).await;
        answered.unwrap_or_else(|| Err(open_api::ApiError::Other(UNKNOWN.to_owned())))
    }
}

fn method_name(method: open_api::Method) -> &'static str {
    match method {
        open_api::Method::Get => "GET",
        open_api::Method::Post => "POST",
        open_api::Method::Put => "PUT",
        open_api::Method::Patch => "PATCH",
        open_api::Method::Delete => "DELETE",
    }
}
