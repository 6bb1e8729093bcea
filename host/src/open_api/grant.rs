//! The requests that an operator lets a plugin make. A request that no grant names is refused.

use std::collections::BTreeSet;

use serde::Deserialize;
use wildmatch::WildMatchPattern;

pub use crate::open_api::credential_path::gives_credentials;

/// In a list of tenants, stands for all of them.
const EVERY_TENANT: &str = "*";

/// A method and a path pattern, written `POST /open-apis/im/v1/messages`. `*` stands for any run of characters.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
pub struct Grant {
    method: String,
    path: WildMatchPattern<'*', '\0'>,
}

/// The text is not a grant.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a grant: write a method, a space and a path, like \"POST /open-apis/im/v1/messages\""
)]
pub struct GrantError(String);

impl Grant {
    /// Returns whether the grant covers this request.
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.matches(path)
    }
}

/// The requests that one plugin may make, and the tenants that it may make them for.
#[derive(Debug, Default)]
pub struct Granted {
    requests: Vec<Grant>,
    tenants: BTreeSet<String>,
}

impl Granted {
    /// Grants these requests for the tenant of the callback and for the other `tenants`.
    pub fn new(requests: Vec<Grant>, tenants: BTreeSet<String>) -> Self {
        Self { requests, tenants }
    }

    /// Returns whether a grant covers this request. Whatever a pattern matches, a path that gives out credentials is refused,
    /// because only the host asks for those, and so is a path that another program could read in another way.
    pub fn allows(&self, method: &str, path: &str) -> bool {
        is_plain_path(path)
            && self.requests.iter().any(|grant| grant.allows(method, path))
            && !gives_credentials(path)
    }

    /// Returns whether the plugin may act for this tenant during a callback from another one.
    pub fn extends_to(&self, tenant: &str) -> bool {
        self.tenants.contains(tenant) || self.tenants.contains(EVERY_TENANT)
    }
}

impl TryFrom<String> for Grant {
    type Error = GrantError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(' ') {
            Some((method @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE"), path))
                if path.starts_with("/open-apis/") && !path.contains(char::is_control) =>
            {
                Ok(Self { method: method.to_owned(), path: WildMatchPattern::new(path) })
            }
            _ => Err(GrantError(text)),
        }
    }
}

/// Returns whether a path means exactly what it says: no dots that a URL parser would resolve, no escapes, no query. A grant is
/// compared with the path as text.
pub fn is_plain_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/open-apis/") else { return false };
    rest.split('/').all(|segment| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'~')
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(requests: &[&str], tenants: &[&str]) -> Granted {
        let requests = requests.iter().map(|text| Grant::try_from((*text).to_owned()).unwrap());
        Granted::new(requests.collect(), tenants.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn only_what_is_written_down_and_never_a_token() {
        let granted = granted(&["POST /open-apis/*", "GET /open-apis/im/v1/chats/*/members"], &[]);
        assert!(granted.allows("POST", "/open-apis/im/v1/messages"));
        assert!(granted.allows("GET", "/open-apis/im/v1/chats/oc_1/members"));
        assert!(!granted.allows("GET", "/open-apis/im/v1/chats/oc_1"));
        assert!(!granted.allows("POST", "/open-apis/auth/v3/tenant_access_token/internal"));
        assert!(!granted.allows("POST", "/open-apis/jssdk/ticket/get"));
        assert!(!Granted::default().allows("GET", "/open-apis/x"));
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_not_granted() {
        let granted = granted(&["POST /open-apis/*", "POST /open-apis/%61uth*"], &[]);
        for path in [
            "/open-apis/%61uth/v3/tenant_access_token/internal",
            "/open-apis/im/%2e%2e/auth/v3/tenant_access_token/internal",
            "/open-apis/im/../auth/v3/tenant_access_token/internal",
            "/open-apis//auth/v3/tenant_access_token/internal",
            "/open-apis/jssdk/ticket/get/",
            "/open-apis/jssdk/ticket/get?x=1",
            "/open-apis/jssdk/ticket/get#x",
            "/open-apis/jssdk/ticket/get;x=1",
            "/open-apis/im\\..\\auth/v3",
            "/open-apis/im/v1/messages\n",
        ] {
            assert!(!granted.allows("POST", path), "{path}");
        }
    }

    #[test]
    fn only_a_star_stands_for_other_characters() {
        assert!(!granted(&["GET /open-apis/im/?"], &[]).allows("GET", "/open-apis/im/x"));
        // The library that compares patterns has a sign for one character, and it is this one here.
        let with_nul = Grant::try_from("GET /open-apis/im/\0".to_owned());
        assert!(with_nul.is_err(), "{with_nul:?}");
    }

    #[test]
    fn other_tenants_are_named() {
        assert!(!granted(&[], &[]).extends_to("t1"));
        assert!(granted(&[], &["t1"]).extends_to("t1"));
        assert!(!granted(&[], &["t1"]).extends_to("t2"));
        assert!(granted(&[], &["*"]).extends_to("t2"));
    }
}
