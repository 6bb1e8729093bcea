//! `http` under `[grants]`: the addresses that a plugin may send requests to, and the headers that the host adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use http::HeaderValue;
use lark_wire::secret::Secret;
use serde::Deserialize;
use tokio::sync::Semaphore;
use toml::Value;

use crate::capability::http::headers::is_forbidden;
use crate::capability::http::target::Target;
use crate::capability::http::target::Unclear;
use crate::secret::SecretSource;

/// Concurrent requests of all calls of a plugin: one for each call under way by default. Each has a socket.
const MAX_AT_ONCE_FOR_A_PLUGIN: usize = 64;

/// A grant of an address and everything below it, written as text or as a table with options.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct HttpGrant {
    url: String,
    private_addresses: bool,
    headers: BTreeMap<String, HeaderSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InFull {
    url: String,
    /// Whether the host name may resolve to an address that is not public.
    #[serde(default)]
    private_addresses: bool,
    /// Headers that the host adds, in place of the plugin's own.
    #[serde(default)]
    headers: BTreeMap<String, HeaderSource>,
}

/// The value of a header: a secret with an optional prefix.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Value")]
enum HeaderSource {
    Secret {
        prefix: String,
        source: SecretSource,
    },
    /// Any other value. It is not inspected: it may be a secret in the wrong place, and a parse error would show its line.
    Other,
}

/// A grant that is not valid, or whose secret cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpGrantError {
    /// The text is not an address, or is an ambiguous one.
    #[error("grants.http: {url:?} is no address: {why}")]
    Url {
        /// The text as it is written.
        url: String,
        /// The reason.
        why: &'static str,
    },
    /// The text is not a header name, or it is a header that frames or routes a request.
    #[error("grants.http: {0:?} is no header that can be added")]
    Name(String),
    /// The value is written in the file, where everybody can read it, or is not a secret's source.
    #[error(
        "grants.http: headers.{0}: give {{ env = \"AVIARY_PLUGIN_…\" }} or {{ file = \"…\" }}, with prefix = \"Bearer \" where one is needed; a secret must not be written in this file"
    )]
    NotASecret(String),
    /// The secret has a line break in it, or another byte that a header cannot hold.
    #[error("grants.http: headers.{0}: the secret is no header value")]
    Value(String),
    /// The secret cannot be read.
    #[error("grants.http: headers.{header}: {why}")]
    Secret {
        /// The name of the header.
        header: String,
        /// The reason.
        why: String,
    },
}

impl TryFrom<Value> for HttpGrant {
    type Error = toml::de::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        if let Value::String(url) = value {
            return Ok(Self { url, private_addresses: false, headers: BTreeMap::new() });
        }
        let InFull { url, private_addresses, headers } = named_fields::from_any(value)?;
        Ok(Self { url, private_addresses, headers })
    }
}

impl From<Value> for HeaderSource {
    fn from(mut value: Value) -> Self {
        let table = value.as_table_mut();
        let prefix = match table.and_then(|table| table.remove("prefix")) {
            None => String::new(),
            Some(Value::String(prefix)) => prefix,
            Some(_) => return Self::Other,
        };
        let source = SecretSource::try_from(value);
        source.map_or(Self::Other, |source| Self::Secret { prefix, source })
    }
}

impl HttpGrant {
    /// Checks everything that can be checked without the secrets.
    pub fn validate(&self) -> Result<(), HttpGrantError> {
        self.target()?;
        self.sources().try_for_each(|source| source.map(drop))
    }

    fn target(&self) -> Result<Target, HttpGrantError> {
        Target::read(&self.url).map_err(|why| {
            let why = match why {
                Unclear::Scheme => "it begins with http:// or https://",
                Unclear::Host => "write it as \"https://api.example.com/v1/\"",
                Unclear::Port => "its port is a number up to 65535",
                Unclear::UserInfo => "there is no name and no password in it; add a header",
                Unclear::Path => "its path has no escapes that lead elsewhere",
                Unclear::Query => "it has no query and no fragment",
            };
            HttpGrantError::Url { url: self.url.clone(), why }
        })
    }

    /// Iterates over the headers: name, prefix of the secret, source of the secret.
    fn sources(
        &self,
    ) -> impl Iterator<Item = Result<(HeaderName, &str, &SecretSource), HttpGrantError>> {
        self.headers.iter().map(|(name, source)| {
            let parsed = name.parse::<HeaderName>().ok().filter(|name| !is_forbidden(name));
            let parsed = parsed.filter(|name| *name != http::header::CONTENT_LENGTH);
            match (parsed, source) {
                (None, _) => Err(HttpGrantError::Name(name.clone())),
                (Some(_), HeaderSource::Other) => Err(HttpGrantError::NotASecret(name.clone())),
                (Some(name), HeaderSource::Secret { prefix, source }) => {
                    Ok((name, prefix.as_str(), source))
                }
            }
        })
    }
}

/// The destinations that a plugin may send requests to; none without a grant.
#[derive(Clone, Debug)]
pub struct Destinations(Arc<GrantedDestinations>);

#[derive(Debug)]
struct GrantedDestinations {
    destinations: Vec<Arc<Destination>>,
    secrets: Vec<Secret>,
    places: Arc<Semaphore>,
}

/// A granted address with its options.
#[derive(Debug)]
pub(super) struct Destination {
    target: Target,
    pub(super) addresses: Addresses,
    /// Headers that the host adds. The values are marked as sensitive.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The addresses that a host name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    /// Public addresses only.
    Public,
    /// Any address: the operator says that the server is near.
    Any,
}

impl Default for Destinations {
    fn default() -> Self {
        Self::of(Vec::new(), Vec::new())
    }
}

impl Destinations {
    /// Builds the destinations of these grants, and reads their secrets with `read`.
    pub fn open<E: std::fmt::Display>(
        grants: &[HttpGrant],
        read: impl Fn(&SecretSource) -> Result<Secret, E>,
    ) -> Result<Self, HttpGrantError> {
        let mut secrets = Vec::new();
        let mut destinations = Vec::with_capacity(grants.len());
        for grant in grants {
            let mut headers = Vec::new();
            for source in grant.sources() {
                let (name, prefix, source) = source?;
                let secret = read(source).map_err(|why| HttpGrantError::Secret {
                    header: name.to_string(),
                    why: why.to_string(),
                })?;
                let value = HeaderValue::try_from(format!("{prefix}{}", secret.expose()));
                let mut value = value.map_err(|_| HttpGrantError::Value(name.to_string()))?;
                value.set_sensitive(true);
                headers.push((name, value));
                secrets.push(secret);
            }
            let addresses =
                if grant.private_addresses { Addresses::Any } else { Addresses::Public };
            destinations.push(Arc::new(Destination {
                target: grant.target()?,
                addresses,
                headers,
            }));
        }
        Ok(Self::of(destinations, secrets))
    }

    fn of(destinations: Vec<Arc<Destination>>, secrets: Vec<Secret>) -> Self {
        let places = Arc::new(Semaphore::new(MAX_AT_ONCE_FOR_A_PLUGIN));
        Self(Arc::new(GrantedDestinations { destinations, secrets, places }))
    }

    /// Returns the secrets that are added to requests, and that nobody else may see.
    pub fn secrets(&self) -> &[Secret] {
        &self.0.secrets
    }

    /// Returns the narrowest destination that covers the target: a grant for a part of a server takes precedence there.
    pub(super) fn find(&self, target: &Target) -> Option<Arc<Destination>> {
        let covering = self.0.destinations.iter().filter(|found| found.target.covers(target));
        covering.max_by_key(|found| found.target.path.len()).cloned()
    }

    /// Returns the semaphore for the plugin's requests, shared by all of its calls.
    pub(super) fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretSourceError;

    fn grants(text: &str) -> Vec<HttpGrant> {
        #[derive(Deserialize)]
        struct Sidecar {
            http: Vec<HttpGrant>,
        }
        toml::from_str::<Sidecar>(text).unwrap().http
    }

    fn open(text: &str) -> Result<Destinations, HttpGrantError> {
        Destinations::open(&grants(text), |source| match source {
            SecretSource::Env(name) => Ok(Secret::new(name.clone())),
            SecretSource::File(_) => Err(SecretSourceError::Empty("the file".to_owned())),
        })
    }

    #[test]
    fn the_narrowest_grant_counts() {
        let opened = open(
            r#"http = [
                "https://a.example.com/",
                { url = "https://a.example.com/v1/", headers = { Authorization = { env = "s3cret", prefix = "Bearer " } } },
                { url = "http://b.example.com/", private_addresses = true },
            ]"#,
        )
        .unwrap();
        let find = |text| opened.find(&Target::read(text).unwrap());
        let narrow = find("https://a.example.com/v1/x").unwrap();
        let (name, value) = &narrow.headers[0];
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer s3cret"));
        assert!(find("https://a.example.com/v2").unwrap().headers.is_empty());
        assert_eq!(find("http://b.example.com/").unwrap().addresses, Addresses::Any);
        assert!(find("https://c.example.com/").is_none());
        assert!(!format!("{opened:?}").contains("s3cret"), "{opened:?}");
    }

    #[test]
    fn a_grant_that_makes_no_sense_is_refused() {
        for (header, why) in [
            ("authorization = \"Bearer s3cret\"", "a secret must not be written in this file"),
            (
                "authorization = { env = \"A\", prefix = 1 }",
                "a secret must not be written in this file",
            ),
            ("authorization = { file = \"f\" }", "the file is empty"),
            ("host = { env = \"A\" }", "no header that can be added"),
            ("Content-Length = { env = \"A\" }", "no header that can be added"),
            ("\"a b\" = { env = \"A\" }", "no header that can be added"),
            ("x = { env = \"a\\nb\" }", "the secret is no header value"),
        ] {
            let text =
                format!("http = [{{ url = \"https://a.example.com\", headers = {{ {header} }} }}]");
            let error = open(&text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("s3cret"), "{header}: {error}");
        }
        for url in ["a.example.com", "https://u:p@a.example.com/", "https://a.example.com/?x=y"] {
            let grant = &grants(&format!("http = [\"{url}\"]"))[0];
            assert!(matches!(grant.validate(), Err(HttpGrantError::Url { .. })), "{url}");
        }
    }
}
