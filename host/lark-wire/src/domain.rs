//! The domain of the platform that an app belongs to.

use serde::Deserialize;
use url::Url;

/// Feishu (China), Lark (international), or an address of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(Url);

/// The text does not name a domain.
#[derive(Debug, thiserror::Error)]
#[error("neither \"feishu\" nor \"lark\" nor an http(s) address without user, query and fragment")]
pub struct DomainError;

impl Domain {
    /// Returns the address of an endpoint; `path` begins with a slash. An address of one's own may have a path, as a gateway's
    /// does.
    pub fn endpoint(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Returns true if connections to the domain are encrypted and authenticated.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the name or the address of the domain's host, as the URL standard writes it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
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
            Ok(url) if is_plain(&url) => Ok(Self(url)),
            // The text is not repeated: it may hold a password.
            _ => Err(DomainError),
        }
    }
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_below_whatever_address_it_is() {
        for (domain, endpoint) in [
            ("feishu", "https://open.feishu.cn/open-apis/x"),
            ("lark", "https://open.larksuite.com/open-apis/x"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/open-apis/x"),
            ("https://gateway.example/lark/", "https://gateway.example/lark/open-apis/x"),
        ] {
            let domain = Domain::try_from(domain.to_owned()).unwrap();
            assert_eq!(domain.endpoint("/open-apis/x").as_str(), endpoint);
        }
        for wrong in ["Feishu", "ftp://a", "https://me:pass@a", "https://a?b", "https://a#b", ""] {
            assert!(Domain::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
