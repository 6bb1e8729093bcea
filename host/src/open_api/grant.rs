//! Which requests an operator lets a plugin make. Nothing is allowed that is not written down.

use serde::Deserialize;
use wildmatch::WildMatchPattern;

/// A method and a path pattern, written `POST /open-apis/im/v1/messages`. `*` stands for any run of characters.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
pub struct Grant {
    method: String,
    path: WildMatchPattern<'*', '\0'>,
}

/// Not a grant.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a grant: write a method, a space and a path, like \"POST /open-apis/im/v1/messages\""
)]
pub struct GrantError(String);

impl Grant {
    /// Does it allow this request?
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.matches(path)
    }
}

impl TryFrom<String> for Grant {
    type Error = GrantError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(' ') {
            Some((method @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE"), path))
                if path.starts_with("/open-apis/") =>
            {
                Ok(Self { method: method.to_owned(), path: WildMatchPattern::new(path) })
            }
            _ => Err(GrantError(text)),
        }
    }
}
