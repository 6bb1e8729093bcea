//! The address of a request's sender, for the log and the limit on unsigned requests.

use std::net::IpAddr;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use serde::Deserialize;

/// The header in which the operator's proxy names its client. A stranger can send any header, so none is trusted unless the
/// operator names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProxyHeader(HeaderName);

/// The text is not the name of a header.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not the name of a header; most proxies set X-Forwarded-For or X-Real-IP")]
pub struct ProxyHeaderError(String);

impl TryFrom<String> for ProxyHeader {
    type Error = ProxyHeaderError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        HeaderName::from_bytes(text.as_bytes()).map(Self).map_err(|_| ProxyHeaderError(text))
    }
}

/// Returns the peer's address, or the one that the trusted header names. A list of addresses is read from its end: the operator's
/// own proxy wrote the last one, and those before it came from outside.
pub(super) fn client(
    headers: &HeaderMap,
    extensions: &Extensions,
    trusted: Option<&ProxyHeader>,
) -> Option<IpAddr> {
    let named = trusted.and_then(|ProxyHeader(name)| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        address(value.rsplit(',').next()?.trim())
    });
    let peer = || extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    named.or_else(peer)
}

/// Parses `192.0.2.7` or `2001:db8::7`, each with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(lines: &[&'static str], trusted: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 7))));
        let trusted = ProxyHeader::try_from(trusted.to_owned()).ok();
        client(&headers, &extensions, trusted.as_ref()).map(|address| address.to_string())
    }

    #[test]
    fn the_last_word_is_the_proxys() {
        for (lines, found) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["6.6.6.6, 192.0.2.7"], "192.0.2.7"),
            (&["6.6.6.6", "192.0.2.7:1234"], "192.0.2.7"),
            (&["[2001:db8::7]:443"], "2001:db8::7"),
            (&["2001:db8::7"], "2001:db8::7"),
            (&["unknown"], "127.0.0.1"),
            (&[], "127.0.0.1"),
        ] {
            assert_eq!(named(lines, "X-Forwarded-For").as_deref(), Some(found), "{lines:?}");
        }
    }

    #[test]
    fn a_header_that_nobody_named_is_not_believed() {
        assert_eq!(named(&["192.0.2.7"], "X-Real-IP").as_deref(), Some("127.0.0.1"));
        assert_eq!(named(&["192.0.2.7"], "not a header").as_deref(), Some("127.0.0.1"));
    }
}
