//! The requests to the server API that one plugin may make.

use std::sync::Arc;

use crate::open_api::grant::Granted;
use crate::open_api::rate_limit::RateLimit;
use crate::open_api::request::ApiRequest;
use crate::open_api::transport::OpenApi;

/// Longest tenant key, in bytes. The platform's have 16 characters.
const MAX_TENANT_KEY_BYTES: usize = 128;

/// Access of one plugin to the server API.
#[derive(Debug)]
pub struct ApiAccess {
    pub(super) api: Arc<OpenApi>,
    granted: Granted,
    pub(super) rate: RateLimit,
}

impl ApiAccess {
    /// Limits access to the operator's grants, and to this rate.
    pub fn new(api: Arc<OpenApi>, granted: Granted, rate: RateLimit) -> Self {
        Self { api, granted, rate }
    }

    /// Returns the tenant that the request acts for, or `None` if the request is not granted.
    pub(super) fn acts_for(
        &self,
        request: &ApiRequest,
        own: &str,
        named: Option<&str>,
    ) -> Option<String> {
        if !self.granted.allows(request.method, &request.path) {
            return None;
        }
        match named {
            Some(named) if named != own => {
                let fits = (1..=MAX_TENANT_KEY_BYTES).contains(&named.len());
                (fits && self.granted.extends_to(named)).then(|| named.to_owned())
            }
            Some(_) | None => Some(own.to_owned()),
        }
    }
}
