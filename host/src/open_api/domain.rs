//! Which of the platform's domains an app lives on.

use serde::Deserialize;
use url::Url;

/// Feishu (China), Lark (international), or an address of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(Url);

/// Not a domain.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither \"feishu\" nor \"lark\" nor an http(s) address")]
pub struct DomainError(String);

impl Domain {
    /// The address of one of its endpoints; `path` begins with a slash.
    pub fn endpoint(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = match text.as_str() {
            "feishu" => "https://open.feishu.cn",
            "lark" => "https://open.larksuite.com",
            other => other,
        };
        match Url::parse(address) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Self(url)),
            _ => Err(DomainError(text)),
        }
    }
}
