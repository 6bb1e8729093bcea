//! `lark:callback/open-api`: the server API with the app's token added here, where no guest can see it.

mod api_access;

use std::sync::Arc;

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::lark::callback::open_api;
use crate::capability::context::CallContext;
use crate::capability::interface::CONTRACT_VERSION;
use crate::capability::interface::Interface;
use crate::capability::interface::RequiredGrant;
use crate::capability::prepared::PreparedAnswer;
use crate::open_api::grant::gives_credentials;
use crate::open_api::grant::is_plain_path;
use crate::open_api::request::ApiError;
use crate::open_api::request::ApiRequest;
use crate::tape::UNKNOWN;

pub use crate::capability::open_api::api_access::ApiAccess;

const NAME: &str = "lark:callback/open-api";

pub const INTERFACES: &[Interface] =
    &[Interface { name: NAME, version: CONTRACT_VERSION, functions: &["call"] }];

pub const GRANT: RequiredGrant = RequiredGrant {
    interfaces: &[NAME],
    refused: "requests to the server API are",
    example: "open_api = [\"POST /open-apis/im/v1/messages\"]",
    is_in: |grants| !grants.open_api.is_empty(),
};

/// Sends requests to the server API on behalf of the callback's tenant. Requests run on the context's I/O threads, so that no
/// socket is ever polled on a guest's thread.
pub struct OpenApiView<'a> {
    pub context: &'a CallContext,
}

impl HasData for OpenApiView<'static> {
    type Data<'a> = OpenApiView<'a>;
}

pub fn link<T: Send>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> OpenApiView<'_>,
) -> wasmtime::Result<()> {
    open_api::add_to_linker::<T, OpenApiView<'static>>(linker, view)
}

impl OpenApiView<'_> {
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
        let Some(access) = self.context.privileges().map(|granted| Arc::clone(&granted.open_api))
        else {
            return Err(open_api::ApiError::NotGranted);
        };
        let named = request.tenant_key;
        let request =
            ApiRequest { method, path: request.path, query: request.query, body: request.body };
        let own = self.context.callback.tenant_key();
        let Some(tenant) = access.acts_for(&request, own, named.as_deref()) else {
            match self.context.prepared() {
                Some(prepared) => prepared.lacks(|| lacks(&request, own, named.as_deref())),
                None => access.api.not_granted(&request),
            }
            return Err(open_api::ApiError::NotGranted);
        };
        if let Some(prepared) = self.context.prepared() {
            let PreparedAnswer { status, body } =
                prepared.api_answer(request.method, &request.path);
            return Ok(open_api::ApiResponse { status, body, log_id: None });
        }
        let until = self.context.deadline.hard();
        let asking =
            async move { access.api.call_for(&access.rate, &request, &tenant, until).await };
        match self.context.io.spawn(asking).await {
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

impl open_api::Host for OpenApiView<'_> {
    async fn call(
        &mut self,
        request: open_api::ApiRequest,
    ) -> Result<open_api::ApiResponse, open_api::ApiError> {
        let tape = &self.context.tape;
        let asked = tape.asked(&request);
        let answered = tape.through("open-api.call", asked, self.ask(request)).await;
        answered.unwrap_or_else(|| Err(open_api::ApiError::Other(UNKNOWN.to_owned())))
    }
}

/// Says what the plugin asked for without a grant, and how it is granted.
fn lacks(request: &ApiRequest, own: &str, named: Option<&str>) -> String {
    let asked = format!("{} {}", request.method, request.path);
    if gives_credentials(&request.path) {
        return format!("{asked} gives out credentials, which only the host asks for");
    }
    let grant = toml::Value::from(asked.as_str());
    let tenant = named.filter(|named| *named != own).map(toml::Value::from);
    let tenants = tenant.map(|tenant| format!(" and tenants = [{tenant}]")).unwrap_or_default();
    format!(
        "{asked} is not granted: write open_api = [{grant}]{tenants} under [grants] in its sidecar file"
    )
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
