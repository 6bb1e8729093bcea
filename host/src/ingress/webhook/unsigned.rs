//! Limits how many unsigned requests are examined if an app has an Encrypt Key. The console sends one when somebody saves the
//! address; thousands mean an attack.
//!
//! With a single limit, strangers could keep the console out as long as they like. So each network has a share of its own, and
//! all together have a larger one that refills twenty times a second: it takes sixty persistent networks to use that up, and even
//! then the console's request may be the next that is examined. Signed requests are not counted and never wait.

use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

/// The number of networks that are remembered. Beyond that, the one that was silent for longest is forgotten.
const MAX_NETWORKS: usize = 1024;
/// The rate of one network. Somebody who tries to save an address again and again stays far below.
const OF_A_NETWORK: UnsignedRate = UnsignedRate { at_once: 20.0, per_second: 1.0 / 3.0 };
/// The rate of all networks. Decrypting that many requests takes no noticeable time.
const OF_ALL: UnsignedRate = UnsignedRate { at_once: 200.0, per_second: 20.0 };
/// The least time between two log lines about the limit.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct UnsignedRate {
    at_once: f64,
    per_second: f64,
}

/// The requests that are left of a rate.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: f64,
    since: Instant,
}

impl Allowance {
    fn full(rate: UnsignedRate, now: Instant) -> Self {
        Self { left: rate.at_once, since: now }
    }

    fn take(&mut self, rate: UnsignedRate, now: Instant) -> bool {
        let refilled = now.duration_since(self.since).as_secs_f64() * rate.per_second;
        self.left = (self.left + refilled).min(rate.at_once);
        self.since = now;
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }
}

/// The limit of one app.
#[derive(Debug)]
pub(super) struct UnsignedLimit(Mutex<LimiterState>);

#[derive(Debug)]
struct LimiterState {
    all: Allowance,
    networks: Bounded<IpAddr, Allowance>,
    warned: Option<Instant>,
}

/// The decision on an unsigned request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnsignedTurn {
    /// The request is examined.
    Now,
    /// The request is refused without being examined.
    Refused {
        /// True for the first refusal in a minute, which should be logged.
        warn: bool,
    },
}

impl UnsignedLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(LimiterState {
            all: Allowance::full(OF_ALL, now),
            networks: Bounded::new(MAX_NETWORKS),
            warned: None,
        }))
    }

    pub(super) fn take(&self, client: Option<IpAddr>, now: Instant) -> UnsignedTurn {
        let mut state = self.0.lock();
        let of_network = client.and_then(network).is_none_or(|network| {
            let full = || Allowance::full(OF_A_NETWORK, now);
            state.networks.renew(network, full).take(OF_A_NETWORK, now)
        });
        if of_network && state.all.take(OF_ALL, now) {
            return UnsignedTurn::Now;
        }
        let warn = state.warned.is_none_or(|warned| now.duration_since(warned) >= BETWEEN_WARNINGS);
        if warn {
            state.warned = Some(now);
        }
        UnsignedTurn::Refused { warn }
    }
}

/// Returns the network whose clients share an allowance: an IPv4 address, or the 64 bits of an IPv6 address that a subscriber
/// gets. `None` for an address that is not public, which belongs to a proxy in front of all clients.
fn network(client: IpAddr) -> Option<IpAddr> {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let is_inside = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified();
            (!is_inside).then_some(IpAddr::V4(address))
        }
        IpAddr::V6(address) => {
            let is_inside = address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified();
            let [a, b, c, d, ..] = address.segments();
            (!is_inside).then_some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn taken(limit: &UnsignedLimit, client: Option<IpAddr>, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| limit.take(client, now) == UnsignedTurn::Now).count()
    }

    #[test]
    fn a_stranger_uses_up_a_share_and_not_the_console_s() {
        let now = Instant::now();
        let limit = UnsignedLimit::new(now);
        assert_eq!(taken(&limit, address("192.0.2.7"), 10_000, now), 20);
        assert_eq!(taken(&limit, address("2001:db8::1"), 50, now), 20);
        assert_eq!(taken(&limit, address("2001:db8::2"), 50, now), 0, "the same network");
        assert_eq!(taken(&limit, address("198.51.100.1"), 1, now), 1, "the console's");
        let later = now + Duration::from_secs(60);
        assert_eq!(taken(&limit, address("192.0.2.7"), 50, later), 20, "and it comes back");
    }

    #[test]
    fn all_together_have_a_limit_that_refills_at_once() {
        let now = Instant::now();
        let limit = UnsignedLimit::new(now);
        // A proxy that does not name its clients.
        assert_eq!(taken(&limit, address("127.0.0.1"), 10_000, now), 200);
        assert_eq!(taken(&limit, None, 10, now), 0);
        assert_eq!(taken(&limit, address("198.51.100.1"), 1, now), 0);
        let soon = now + Duration::from_millis(100);
        assert_eq!(taken(&limit, address("198.51.100.1"), 1, soon), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_warning_is_given_once_a_minute() {
        let now = Instant::now();
        let limit = UnsignedLimit::new(now);
        for number in 0..5000_u32 {
            let client = IpAddr::from((0x0800_0000 + number).to_be_bytes());
            let _ = limit.take(Some(client), now + Duration::from_millis(u64::from(number)));
        }
        assert_eq!(limit.0.lock().networks.len(), MAX_NETWORKS);
        let limit = UnsignedLimit::new(now);
        taken(&limit, None, 200, now);
        assert_eq!(limit.take(None, now), UnsignedTurn::Refused { warn: true });
        assert_eq!(limit.take(None, now), UnsignedTurn::Refused { warn: false });
    }
}
