//! The fuzz target for the addresses of plugins' requests.

use http::Uri;
use url::Url;

use crate::capability::http::target::Target;

/// Asserts that the host reads an address as the `url` crate does: the same scheme, host, port and number of path segments.
pub fn http_target(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(granted) = Target::read(text) {
        assert!(granted.covers(&granted), "{text:?} does not cover itself");
        let shown = granted.to_string();
        assert_eq!(Target::read(&shown), Ok(granted), "{shown} means something else");
    }
    let Ok(uri) = text.parse::<Uri>() else { return };
    let Ok(target) = Target::of(&uri) else { return };
    let url = Url::parse(text).expect("an address that the host dials can be read by others");
    assert_eq!(url.host().map(|host| host.to_owned()), Some(target.host.clone()), "{text:?}");
    assert_eq!(url.port_or_known_default(), Some(target.port), "{text:?}");
    assert!(target.to_string().starts_with(&format!("{}://", url.scheme())), "{text:?}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text:?}");
    let climbs = |path: &str| path.split(['/', '\\']).any(|step| matches!(step, "." | ".."));
    assert!(!climbs(&target.path), "{text:?} leads upwards");
    // Some servers read a backslash as a slash. A grant that covers the path must cover it in that reading too.
    let steps = |path: &str| path.split(['/', '\\']).count();
    assert_eq!(steps(url.path()), steps(&target.path), "{text:?} has another path for others");
}
