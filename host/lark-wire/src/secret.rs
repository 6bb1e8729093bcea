//! A string that must not be printed. It cannot be compared either: [`same_text`](crate::signature::same_text) compares
//! secrets in constant time.

use std::fmt;

use zeroize::Zeroizing;

/// An app secret, key or token. `Debug` hides the text, dropping the value wipes it from memory, and the type implements
/// neither `Display` nor `Serialize`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Creates a secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text itself. A search for calls of this function finds every place where a secret leaves the type.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_text() {
        let debug = format!("{:?}", Secret::new("hunter2"));
        assert_eq!(debug, "Secret(…)");
    }
}
