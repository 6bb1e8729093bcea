//! The target of a request, in one form for the grants, the resolver and the wire, so that they cannot disagree.

use std::fmt;

use http::Uri;
use percent_encoding::percent_decode;
use url::Host;
use url::Url;

/// Most layers of escapes in a path. Some servers undo two.
const MOST_ENCODINGS: usize = 2;

/// The scheme of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Plain HTTP, without encryption.
    Http,
    /// HTTP over TLS, with a checked certificate.
    Https,
}

impl Scheme {
    fn named(name: &str) -> Option<Self> {
        match name {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The server and path of a request, without the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    /// The host name in lower case, or the IP address that the text stands for.
    pub(super) host: Host,
    pub(super) port: u16,
    /// The path. It begins with `/`, and means the same to every server.
    pub(super) path: String,
}

/// The reason why an address is ambiguous or not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unclear {
    /// The scheme is not http or https.
    #[error("only http and https are spoken")]
    Scheme,
    /// The host is missing or not valid.
    #[error("there is no host in it")]
    Host,
    /// The port is not a number, as in `https://granted.example.com:1x/`, which some programs would send to the default port.
    #[error("its port is not a number up to 65535")]
    Port,
    /// There is a user name, as in `https://granted.example.com@elsewhere.example.com/`.
    #[error("a name or password before the host is not sent; use a header")]
    UserInfo,
    /// The path contains `..` in some form, or something at which some servers cut it off.
    #[error("its path goes through . or .., is escaped over itself, or holds control characters")]
    Path,
    /// A grant has a query or a fragment.
    #[error("a grant has no query and no fragment")]
    Query,
}

impl Target {
    /// Parses the address of a guest's request.
    pub(super) fn of(uri: &Uri) -> Result<Self, Unclear> {
        let scheme = uri.scheme_str().and_then(Scheme::named).ok_or(Unclear::Scheme)?;
        let authority = uri.authority().ok_or(Unclear::Host)?;
        if authority.as_str().contains('@') {
            return Err(Unclear::UserInfo);
        }
        let host = Host::parse(authority.host()).map_err(|_no_host| Unclear::Host)?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => scheme.default_port(),
            behind => behind.and_then(port_behind_host).ok_or(Unclear::Port)?,
        };
        Self { scheme, host, port, path: uri.path().to_owned() }.checked()
    }

    /// Parses the address of a grant.
    pub(super) fn read(text: &str) -> Result<Self, Unclear> {
        let url = Url::parse(text).map_err(|_no_url| Unclear::Host)?;
        let scheme = Scheme::named(url.scheme()).ok_or(Unclear::Scheme)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unclear::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(Unclear::Query);
        }
        let host = url.host().ok_or(Unclear::Host)?.to_owned();
        let port = url.port().unwrap_or(scheme.default_port());
        Self { scheme, host, port, path: url.path().to_owned() }.checked()
    }

    fn checked(self) -> Result<Self, Unclear> {
        if means_what_it_says(&self.path) { Ok(self) } else { Err(Unclear::Path) }
    }

    /// Returns the value of the `Host` header, with the port unless it is the default.
    pub(super) fn authority(&self) -> String {
        let Self { scheme, host, port, .. } = self;
        if *port == scheme.default_port() { host.to_string() } else { format!("{host}:{port}") }
    }

    /// Returns whether `other` is on the same server, at this path or below it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let server = |target: &Self| (target.scheme, target.port);
        let below = other.path.strip_prefix(&self.path).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        });
        server(self) == server(other) && self.host == other.host && below
    }
}

/// Shows the target without the query, which may hold secrets.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

/// Parses the port after a host. The library that splits addresses ignores anything else in that place.
fn port_behind_host(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(':')?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Returns whether a path means the same to every reader: no segment leads upwards, however it is escaped and whatever follows
/// it after a `;`, which some servers cut off, as others do after a control character.
fn means_what_it_says(path: &str) -> bool {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..=MOST_ENCODINGS {
        let climbs = bytes.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
            let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
            matches!(name, b"." | b"..")
        });
        if climbs || bytes.iter().any(u8::is_ascii_control) {
            return false;
        }
        let decoded: Vec<u8> = percent_decode(&bytes).collect();
        if decoded == bytes {
            return true;
        }
        bytes = decoded;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Target, Unclear> {
        Target::of(&text.parse().unwrap())
    }

    fn covers(grant: &str, request: &str) -> bool {
        Target::read(grant).unwrap().covers(&asked(request).unwrap())
    }

    #[test]
    fn a_grant_covers_what_is_below_it() {
        for (grant, request) in [
            ("https://a.example.com", "https://a.example.com/"),
            ("https://a.example.com", "https://a.example.com/x?y=/../z"),
            ("https://a.example.com/", "https://A.Example.COM:443/x"),
            ("HTTPS://A.example.com:443/", "https://a.example.com"),
            ("https://a.example.com/v1/", "https://a.example.com/v1/"),
            ("https://a.example.com/v1/", "https://a.example.com/v1/x%2Fy"),
            ("https://a.example.com/v1/../v2/", "https://a.example.com/v2/x"),
            ("https://a.example.com/v1/x", "https://a.example.com/v1/x"),
            ("https://a.example.com/v1/x", "https://a.example.com/v1/x/y?z"),
            ("http://a.example.com:8080/", "http://a.example.com:8080/x"),
            ("http://127.0.0.1/", "http://127.0.0.1:80/"),
            ("http://127.0.0.1/", "http://0x7f.1/"),
            ("http://[::1]:81/", "http://[0:0::1]:81/"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("https://a.example.com/100%25/", "https://a.example.com/100%25/x"),
        ] {
            assert!(covers(grant, request), "{grant} {request}");
        }
    }

    #[test]
    fn a_grant_covers_nothing_else() {
        for (grant, request) in [
            ("https://a.example.com/", "http://a.example.com/"),
            ("https://a.example.com/", "https://a.example.com:8443/"),
            ("https://a.example.com/", "https://a.example.com.evil.example/"),
            ("https://a.example.com/", "https://b.example.com/"),
            ("https://a.example.com/", "https://a.example.com./"),
            ("https://a.example.com/", "https://evil.example/https://a.example.com/"),
            ("https://a.example.com/v1/", "https://a.example.com/"),
            ("https://a.example.com/v1/", "https://a.example.com/v1"),
            ("https://a.example.com/v1/", "https://a.example.com/v10"),
            ("https://a.example.com/v1/", "https://a.example.com//v1/"),
            ("https://a.example.com/v1/", "https://a.example.com/V1/x"),
            ("https://a.example.com/v1/", "https://a.example.com/v1%2Fx"),
            ("https://a.example.com/v1", "https://a.example.com/v1beta"),
            ("https://a.example.com/v1", "https://a.example.com/v1%2F"),
            ("http://10.0.0.1/", "http://10.0.0.2/"),
        ] {
            assert!(!covers(grant, request), "{grant} {request}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_no_target() {
        for (request, why) in [
            ("https://a.example.com@evil.example/", Unclear::UserInfo),
            ("https://a:b@a.example.com/", Unclear::UserInfo),
            ("https://a.example.com:1x/", Unclear::Port),
            ("https://a.example.com:65536/", Unclear::Port),
            ("http://[::1]x:81/", Unclear::Port),
            ("https://a.example.com:/", Unclear::Port),
            ("ftp://a.example.com/", Unclear::Scheme),
            ("https://a.example.com/v1/../admin", Unclear::Path),
            ("https://a.example.com/v1/..", Unclear::Path),
            ("https://a.example.com/v1/./x", Unclear::Path),
            ("https://a.example.com/v1/%2e%2e/admin", Unclear::Path),
            ("https://a.example.com/v1/.%2E/admin", Unclear::Path),
            ("https://a.example.com/v1/%252e%252e/admin", Unclear::Path),
            ("https://a.example.com/v1/..%2fadmin", Unclear::Path),
            ("https://a.example.com/v1/x%2f..%2f..%2fadmin", Unclear::Path),
            ("https://a.example.com/v1/..%5cadmin", Unclear::Path),
            ("https://a.example.com/v1/..;/admin", Unclear::Path),
            ("https://a.example.com/v1/..;a=b/admin", Unclear::Path),
            ("https://a.example.com/v1/..%00/admin", Unclear::Path),
            ("https://a.example.com/v1/x%0d%0ay", Unclear::Path),
            ("https://a.example.com/v1/%25252e", Unclear::Path),
        ] {
            assert_eq!(asked(request), Err(why), "{request}");
        }
        for (grant, why) in [
            ("https://a.example.com/?x", Unclear::Query),
            ("https://a.example.com/#x", Unclear::Query),
            ("https://a:b@a.example.com/", Unclear::UserInfo),
            ("a.example.com", Unclear::Host),
            ("ftp://a.example.com/", Unclear::Scheme),
            ("https://", Unclear::Host),
        ] {
            assert_eq!(Target::read(grant), Err(why), "{grant}");
        }
    }

    #[test]
    fn what_is_shown_has_no_query() {
        let target = asked("https://A.example.com:443/v1/x?token=s3cret").unwrap();
        assert_eq!(target.to_string(), "https://a.example.com/v1/x");
        assert_eq!(asked("http://[::1]:81/").unwrap().authority(), "[::1]:81");
    }
}
