//! `[trace]`: whether callbacks are told to a collector, where it is, and what it wants to be told with each request.

use std::collections::BTreeMap;
use std::path::Path;

use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use crate::secret::SecretSource;
use crate::secret::SecretSourceError;

/// What the protocol adds to a collector's address.
const TRACES: &str = "/v1/traces";

/// `[trace]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// The collector's address, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it: without `/v1/traces`.
    otlp: String,
    /// What a collector's owner asks for: mostly a credential.
    #[serde(default)]
    headers: BTreeMap<String, SecretSource>,
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceConfigError {
    /// Not an address.
    #[error("trace.otlp: not an http or https address, like http://127.0.0.1:4318")]
    Address,
    /// Not a header.
    #[error("trace.headers: {0} is not the name of a header")]
    Name(String),
    /// Its value is none.
    #[error("trace.headers.{0}: what is there cannot be sent in a header")]
    Value(String),
    /// Its value cannot be had.
    #[error("trace.headers.{name}: {error}")]
    Secret {
        /// Of the header.
        name: String,
        /// Why, and what to do.
        error: SecretSourceError,
    },
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    pub(super) url: Url,
    /// `Debug` hides their values.
    pub(super) headers: HeaderMap,
}

impl TraceConfig {
    /// Checks it, and reads the secrets; their files are relative to `folder`.
    pub fn check(self, folder: &Path) -> Result<TraceSettings, TraceConfigError> {
        let mut url = Url::parse(&self.otlp).map_err(|_| TraceConfigError::Address)?;
        // An address that holds a password would be in the log.
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            return Err(TraceConfigError::Address);
        }
        let path = format!("{}{TRACES}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut headers = HeaderMap::new();
        for (name, source) in self.headers {
            let secret = source
                .read(folder)
                .map_err(|error| TraceConfigError::Secret { name: name.clone(), error })?;
            let value = HeaderValue::from_str(secret.expose());
            let mut value = value.map_err(|_| TraceConfigError::Value(name.clone()))?;
            value.set_sensitive(true);
            let header = HeaderName::from_bytes(name.as_bytes());
            headers.insert(header.map_err(|_| TraceConfigError::Name(name))?, value);
        }
        Ok(TraceSettings { url, headers })
    }
}
