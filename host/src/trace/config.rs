//! The section `[trace]`: the address of a collector, and the headers that it wants with each request.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use crate::secret::SecretSource;
use crate::setting::Section;
use crate::setting::SettingError;

/// The path that the protocol adds to a collector's address.
const TRACES: &str = "/v1/traces";

/// The section `[trace]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// The collector's address, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it: without `/v1/traces`.
    otlp: String,
    /// Headers that the collector asks for: usually a credential.
    #[serde(default)]
    headers: BTreeMap<String, SecretSource>,
}

/// The checked settings of a collector.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    pub(super) url: Url,
    /// Headers whose values `Debug` hides.
    pub(super) headers: HeaderMap,
}

impl TraceConfig {
    /// Checks the section and reads the secrets, whose files are relative to `folder`.
    pub fn check(self, folder: &Path) -> Result<TraceSettings, SettingError> {
        let section = Section("trace");
        let no_address =
            || section.wrong("otlp", "not an http or https address, like http://127.0.0.1:4318");
        let mut url = Url::parse(&self.otlp).map_err(|_| no_address())?;
        // The log would show a password in the address.
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain {
            return Err(no_address());
        }
        let path = format!("{}{TRACES}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let mut headers = HeaderMap::new();
        for (name, source) in self.headers {
            let of_header =
                |problem: &dyn Display| section.wrong(&format!("headers.{name}"), problem);
            let secret = source.read(folder).map_err(|error| of_header(&error))?;
            let value = HeaderValue::from_str(secret.expose());
            let mut value =
                value.map_err(|_| of_header(&"what is there cannot be sent in a header"))?;
            value.set_sensitive(true);
            let header = HeaderName::from_bytes(name.as_bytes());
            let no_name =
                || section.wrong("headers", format!("{name} is not the name of a header"));
            headers.insert(header.map_err(|_| no_name())?, value);
        }
        Ok(TraceSettings { url, headers })
    }
}
