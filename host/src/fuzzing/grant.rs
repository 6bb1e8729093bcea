//! The fuzz target for the patterns of requests that an operator grants to a plugin.

use std::collections::BTreeSet;

use crate::open_api::grant::Grant;
use crate::open_api::grant::Granted;

/// Requests that give out credentials of the app. No pattern may ever allow one of them.
const GIVE_OUT_CREDENTIALS: [(&str, &str); 4] = [
    ("POST", "/open-apis/auth/v3/app_access_token/internal"),
    ("POST", "/open-apis/auth/v3/tenant_access_token"),
    ("POST", "/open-apis/auth/v3/tenant_access_token/internal"),
    ("POST", "/open-apis/auth/v3/app_ticket/resend"),
];

/// The first line is a grant, the second a method and the third a path.
pub fn grant(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(3, '\n');
    let (pattern, method, path) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next());
    let Ok(grant) = Grant::try_from(pattern.to_owned()) else { return };
    let granted = Granted::new(vec![grant], BTreeSet::new());
    for (method, path) in GIVE_OUT_CREDENTIALS {
        assert!(!granted.allows(method, path), "{pattern:?} allows {method} {path}");
    }
    let path = path.unwrap_or_default();
    if granted.allows(method, path) {
        let (wanted, glob) = pattern.split_once(' ').expect("a grant has two words");
        assert_eq!(wanted, method, "{pattern:?} allows another method");
        assert!(matches(glob, path), "{pattern:?} allows {path:?}");
    }
}

/// Matches a text against a pattern by another algorithm than the host's: it searches for each fixed piece of the pattern behind
/// the previous one.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}
