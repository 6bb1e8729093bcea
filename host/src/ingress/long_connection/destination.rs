//! Limits the addresses to which discovery may send this host. Discovery's answer names an address, and an attacker may have
//! changed the answer. A host that followed it anywhere would give its callbacks, and its plugins' answers, to the attacker.

use std::net::IpAddr;

use lark_wire::domain::Domain;
use serde::Deserialize;
use url::Host;
use url::Url;

/// The platform's own domains. Both belong to one platform: a host below any of them is the platform's. Its long connections were
/// seen at `msg-frontier.feishu.cn` and `msg-frontier-sg.larksuite.com`.
const PLATFORM: [&str; 2] = ["feishu.cn", "larksuite.com"];

/// Second labels under which a country's registry gives out names, as in `example.com.cn` and `example.co.uk`.
const REGISTRY_LABELS: [&str; 14] =
    ["ac", "co", "com", "edu", "gob", "gov", "go", "info", "mil", "ne", "net", "nom", "or", "org"];

/// A host as written in an address, without port and path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HostName(String);

/// The text is not the name of a host.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a host: write a name like \"ws.example.com\" or an address, without scheme, port and path"
)]
pub struct HostNameError(String);

impl TryFrom<String> for HostName {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match Url::parse(&format!("wss://{text}/")) {
            Ok(url) if url.path() == "/" && is_bare(&url) && is_host(&text) => {
                let host = url.host_str().unwrap_or_default();
                Ok(Self(host.trim_end_matches('.').to_owned()))
            }
            _ => Err(HostNameError(text)),
        }
    }
}

/// Refuses a port and a pattern: a name covers the names below it anyway.
fn is_host(text: &str) -> bool {
    let is_address = text.starts_with('[') && text.ends_with(']');
    is_address || !text.contains([':', '*'])
}

fn is_bare(url: &Url) -> bool {
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    !has_credentials && url.query().is_none() && url.fragment().is_none()
}

/// Why an address is not dialled. It names only the host, because the rest of the address carries a ticket.
#[derive(Debug, thiserror::Error)]
pub(super) enum DestinationError {
    #[error("`data.URL` is not a ws or wss address")]
    Scheme,
    #[error(
        "`data.URL` names no TLS (ws) although the domain has it (https): somebody may have changed the answer"
    )]
    NoTls,
    #[error("`data.URL` has a user name or a password in it")]
    Credentials,
    #[error(
        "`data.URL` leads to {host}, which does not belong to {domain}: somebody may have changed the answer. If the host is right, add it to long_connection.hosts"
    )]
    Foreign { host: String, domain: String },
}

/// The hosts that one app's connections may lead to.
#[derive(Debug)]
pub(super) struct AllowedHosts {
    domain: Domain,
    named: Vec<HostName>,
}

impl AllowedHosts {
    /// Allows the hosts of that domain, and those that the operator named.
    pub(super) fn new(domain: Domain, named: Vec<HostName>) -> Self {
        Self { domain, named }
    }

    pub(super) fn check(&self, url: &Url) -> Result<(), DestinationError> {
        match url.scheme() {
            "wss" => {}
            "ws" if self.domain.is_https() => return Err(DestinationError::NoTls),
            "ws" => {}
            _ => return Err(DestinationError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DestinationError::Credentials);
        }
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if self.takes(host) {
            return Ok(());
        }
        // A name has 253 characters at most, but this one was never resolved, so it may be longer.
        let host = host.chars().take(253).collect();
        Err(DestinationError::Foreign { host, domain: self.domain.to_string() })
    }

    fn takes(&self, host: &str) -> bool {
        let own = self.domain.host().trim_end_matches('.');
        let is_platform = |host| PLATFORM.iter().any(|domain| is_within(host, domain));
        let same_machine = || !self.domain.is_https() && is_loopback(own) && is_loopback(host);
        host == own
            || registrable(own).is_some_and(|domain| is_within(host, domain))
            || (is_platform(own) && is_platform(host))
            || same_machine()
            || self.named.iter().any(|HostName(name)| is_within(host, name))
    }
}

/// Returns true for the domain itself and for names below it. An IP address has no names below it.
fn is_within(host: &str, domain: &str) -> bool {
    match host.strip_suffix(domain) {
        Some("") => true,
        Some(below) => below.ends_with('.') && is_name(domain) && is_name(host),
        None => false,
    }
}

fn is_name(host: &str) -> bool {
    matches!(Host::parse(host), Ok(Host::Domain(_)))
}

/// Returns the registered domain of a host name: its last two labels, or three where the last two are a registry's. `None` for an
/// IP address and for a name that no registry gives out. Names below a shared hosting service have the service's domain; an
/// operator with such a domain trusts that service.
fn registrable(host: &str) -> Option<&str> {
    if !is_name(host) {
        return None;
    }
    let labels: Vec<&str> = host.rsplit('.').collect();
    let of_country = labels.first().is_some_and(|label| label.len() == 2);
    let of_registry = labels.get(1).is_some_and(|label| REGISTRY_LABELS.contains(label));
    let wanted = if of_country && of_registry { 3 } else { 2 };
    let taken = labels.get(..wanted)?;
    let length = taken.iter().map(|label| label.len()).sum::<usize>() + wanted - 1;
    host.get(host.len() - length..)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(domain: &str, named: &[&str], url: &str) -> Result<(), DestinationError> {
        let domain = Domain::try_from(domain.to_owned()).unwrap();
        let named = named.iter().map(|name| HostName::try_from((*name).to_owned()).unwrap());
        AllowedHosts::new(domain, named.collect()).check(&Url::parse(url).unwrap())
    }

    #[test]
    fn the_platform_s_own_hosts_are_dialled() {
        for (domain, url) in [
            ("feishu", "wss://msg-frontier.feishu.cn/ws/v2?ticket=t"),
            ("feishu", "wss://MSG-Frontier.Feishu.CN./ws/v2"),
            ("feishu", "wss://open.feishu.cn:443/"),
            ("lark", "wss://msg-frontier-sg.larksuite.com/ws/v2"),
            ("lark", "wss://msg-frontier.feishu.cn/ws/v2"),
            ("https://open.example.com", "wss://ws.example.com/"),
            ("https://open.example.co.uk", "wss://ws.example.co.uk/"),
            ("https://open.xchat.example.com.cn", "wss://a.b.example.com.cn/"),
            ("https://10.0.0.7", "wss://10.0.0.7:9000/"),
            ("https://[::1]:7", "wss://[::1]:8/"),
            ("http://127.0.0.1:8080", "ws://127.0.0.1:9000/"),
            ("http://127.0.0.1:8080", "ws://localhost:9000/"),
            ("http://localhost:8080", "ws://[::1]:9000/"),
            ("http://simulator:8080", "ws://simulator:8080/"),
            ("http://simulator:8080", "wss://simulator:8080/"),
        ] {
            assert!(leads(domain, &[], url).is_ok(), "{domain} to {url}");
        }
    }

    #[test]
    fn any_other_host_is_refused() {
        for (domain, url) in [
            ("feishu", "wss://evil.example/"),
            ("feishu", "wss://evilfeishu.cn/"),
            ("feishu", "wss://feishu.cn.evil.example/"),
            ("feishu", "wss://feishu.cn@evil.example/"),
            ("feishu", "wss://me:pass@msg-frontier.feishu.cn/"),
            ("feishu", "wss://127.0.0.1/"),
            ("feishu", "wss://localhost/"),
            ("feishu", "ws://msg-frontier.feishu.cn/"),
            ("feishu", "https://msg-frontier.feishu.cn/"),
            ("https://open.example.co.uk", "wss://evil.co.uk/"),
            ("https://open.example.com", "wss://example.org/"),
            ("https://127.0.0.1:7", "wss://localhost:7/"),
            ("https://10.0.0.7", "wss://110.0.0.7/"),
            ("https://10.0.0.7", "wss://a.10.0.0.7.evil.example/"),
            ("https://localhost", "wss://evil.localhost.example/"),
            ("http://127.0.0.1:8080", "ws://192.0.2.1/"),
            ("http://127.0.0.1:8080", "wss://evil.example/"),
            ("http://simulator:8080", "ws://evil:8080/"),
        ] {
            assert!(leads(domain, &[], url).is_err(), "{domain} to {url}");
        }
    }

    #[test]
    fn the_operator_may_name_others() {
        let named = ["ws.example.org", "192.0.2.1"];
        for good in ["wss://ws.example.org/", "wss://a.ws.example.org/", "wss://192.0.2.1/"] {
            assert!(leads("feishu", &named, good).is_ok(), "{good}");
        }
        for bad in ["wss://example.org/", "ws://ws.example.org/", "wss://xws.example.org/"] {
            assert!(leads("feishu", &named, bad).is_err(), "{bad}");
        }
        for wrong in ["", "wss://a", "a:1", "a:443", "a/b", "me@a", "a?b", "a b", "*.a", "[::1]:7"]
        {
            assert!(HostName::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_the_setting_and_no_ticket() {
        let refused = leads("feishu", &[], "wss://evil.example/ws?ticket=secret").unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("evil.example") && text.contains("long_connection.hosts"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
