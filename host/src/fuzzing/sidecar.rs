//! The fuzz target for the sidecar file of a plugin.

use std::collections::BTreeSet;
use std::convert::Infallible;

use lark_wire::secret::Secret;

use crate::capability::http::Destinations;
use crate::open_api::grant::Granted;
use crate::plugin::manifest::Manifest;
use crate::plugin::manifest::ManifestError;

/// The secret that every grant of this target gets.
const SECRET: &str = "fuzz-s3cret";

/// Asserts that an accepted file keeps every limit, grants no credential and shows no secret, and that the error of a refused
/// file names one of its lines.
pub fn sidecar(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(ManifestError::Toml { line, .. }) => {
            let lines = text.split('\n').count();
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            return;
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "a refusal has words");
            return;
        }
    };
    assert!(manifest.limits.validate().is_ok(), "a limit is out of range");
    assert!(manifest.breaker.validate().is_ok(), "the breaker is out of range");
    assert!(manifest.still_working().is_ok(), "the toast would not be shown");
    let granted = Granted::new(manifest.grants.open_api, BTreeSet::new());
    for method in ["GET", "POST"] {
        let path = "/open-apis/auth/v3/tenant_access_token/internal";
        assert!(!granted.allows(method, path), "{method} {path} is granted");
    }
    let read = |_: &_| Ok::<_, Infallible>(Secret::new(SECRET));
    if let Ok(destinations) = Destinations::open(&manifest.grants.http, read) {
        assert!(!format!("{destinations:?}").contains(SECRET), "a grant shows its secret");
    }
}
