//! Calls the platform's server API. The host adds the app's token, and only for the methods and paths that the operator granted
//! this plugin: a plugin never holds a credential.

use serde_json::Value;

use crate::bindings::lark::callback::open_api;
use crate::json::JsonError;
use crate::json::read;

pub use crate::bindings::lark::callback::open_api::ApiError;
pub use crate::bindings::lark::callback::open_api::ApiRequest;
pub use crate::bindings::lark::callback::open_api::ApiResponse;
pub use crate::bindings::lark::callback::open_api::Method;

/// Sends the request and waits for the response, within the time left for the callback. It asks the
/// host, so it works in a component only; called from a native unit test it panics.
///
/// # Errors
/// [`ApiError::NotGranted`] unless the operator granted this method and path, [`ApiError::Deadline`] if
/// the callback's time is over, [`ApiError::RateLimited`], [`ApiError::Transport`]. An answer with a status
/// of 400 or more, or with a `code` other than 0 in its body, is a response and not an error.
pub fn call(request: &ApiRequest) -> Result<ApiResponse, ApiError> {
    open_api::call(request)
}

impl ApiRequest {
    /// A request without query or body. `path` begins with `/open-apis/`.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: None, tenant_key: None }
    }

    /// Creates a `GET` request. `path` begins with `/open-apis/`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::Get, path)
    }

    /// Creates a `POST` request with a JSON body.
    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new(Method::Post, path).body(body)
    }

    /// Adds one query parameter, unescaped: the host escapes it.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets the JSON body.
    #[must_use]
    pub fn body(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }

    /// Acts for another tenant than the callback's own, which the operator of a store app has to grant: `tenants` under
    /// `[grants]`.
    #[must_use]
    pub fn tenant(mut self, tenant_key: impl Into<String>) -> Self {
        self.tenant_key = Some(tenant_key.into());
        self
    }
}

impl ApiResponse {
    /// The body, parsed. The platform's own verdict is its `code`: 0 means success.
    ///
    /// # Errors
    /// [`JsonError::Malformed`] if the platform's answer is not JSON.
    pub fn body_json(&self) -> Result<Value, JsonError> {
        read("api-response.body", Some(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::open_api::ApiRequest;
    use crate::open_api::ApiResponse;
    use crate::open_api::Method;

    #[test]
    fn a_request_is_built_in_one_expression() {
        let request = ApiRequest::post("/open-apis/im/v1/messages", &json!({"content": "hi"}))
            .query("receive_id_type", "open_id")
            .tenant("t2");
        assert_eq!(request.method, Method::Post);
        assert_eq!(request.query, [("receive_id_type".to_owned(), "open_id".to_owned())]);
        assert_eq!(request.body.as_deref(), Some(r#"{"content":"hi"}"#));
        assert_eq!(request.tenant_key.as_deref(), Some("t2"));
        assert_eq!(ApiRequest::get("/open-apis/a").body, None);
    }

    #[test]
    fn a_response_that_is_not_json_is_an_error() {
        let mut response =
            ApiResponse { status: 200, body: r#"{"code":0}"#.to_owned(), log_id: None };
        assert_eq!(response.body_json().ok(), Some(json!({"code": 0})));
        response.body = "<html>".to_owned();
        assert!(response.body_json().is_err());
    }
}
