//! A string that must not be seen. Not for values that may be compared or printed: nothing here does either.

use std::fmt;

use zeroize::Zeroizing;

/// An app secret, key or token. `Debug` hides it, dropping it wipes it, and it never implements `Display` or `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Every call is a place where a secret leaves this type, so that they can be counted.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}
