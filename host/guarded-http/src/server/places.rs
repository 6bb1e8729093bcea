//! The open connections, a bounded number of them. Where no place is left, the connection that has waited for its client longest
//! is closed, so that silent connections keep nobody out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::server::wire::Turn;
use crate::server::wire::Wire;

/// A request that is being answered keeps its place for this long without a byte of the answer. Callbacks are answered within
/// three seconds; a page that listens for news may hear nothing for hours, and asks again when its connection goes.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);
/// One in this many connections is kept from a sorting, so that a flood of connections does not make the server look at all of
/// them for each newcomer.
const ORDERED_PART: usize = 8;

/// Clients that are counted together: an IPv4 address, or the 2^64 IPv6 addresses of one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(IpAddr);

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// Reason why a connection gets no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Every connection has a request that is being answered.
    AllBusy,
    /// Every connection that this client may have has a request that is being answered.
    ClientBusy,
}

/// Table of one listener's connections.
pub(super) struct Places {
    most: usize,
    most_per_client: Option<usize>,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Default)]
struct Held {
    next: u64,
    connections: HashMap<u64, Connection>,
    clients: HashMap<Client, usize>,
    /// Connections that had waited longest at the last sorting, the longest last: of one client, or of all.
    longest: HashMap<Option<Client>, Vec<(Instant, u64)>>,
}

struct Connection {
    client: Client,
    wire: Arc<Wire>,
    end: Arc<Notify>,
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    number: u64,
    places: Arc<Places>,
    end: Arc<Notify>,
}

impl Place {
    /// Resolves once another connection has got this place. Cancel safe.
    pub(super) async fn lost(&self) {
        self.end.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.held.lock().remove(self.number);
        self.places.freed.notify_one();
    }
}

impl Places {
    pub(super) fn new(most: usize, most_per_client: Option<usize>) -> Arc<Self> {
        Arc::new(Self { most, most_per_client, held: Mutex::default(), freed: Notify::new() })
    }

    /// Returns a place for a new connection, and true if it was taken from another one.
    pub(super) fn take(
        self: &Arc<Self>,
        client: Client,
        wire: &Arc<Wire>,
        now: Instant,
    ) -> Result<(Place, bool), NoPlace> {
        let mut held = self.held.lock();
        let of_client = held.clients.get(&client).copied().unwrap_or_default();
        let mut took = false;
        if self.most_per_client.is_some_and(|most| of_client >= most) {
            took = held.end_longest(Some(client), now);
            if !took {
                return Err(NoPlace::ClientBusy);
            }
        } else if held.connections.len() >= self.most {
            took = held.end_longest(None, now);
            if !took {
                return Err(NoPlace::AllBusy);
            }
        }
        let (number, end) = (held.next, Arc::new(Notify::new()));
        held.next += 1;
        let connection = Connection { client, wire: Arc::clone(wire), end: Arc::clone(&end) };
        held.connections.insert(number, connection);
        *held.clients.entry(client).or_default() += 1;
        Ok((Place { number, places: Arc::clone(self), end }, took))
    }

    /// Ends the connection that has waited for its client longest. Returns false if none may be ended.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        self.held.lock().end_longest(None, now)
    }

    /// Resolves once a place was given back. Cancel safe.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Held {
    fn end_longest(&mut self, of: Option<Client>, now: Instant) -> bool {
        let Some(number) = self.known_longest(of).or_else(|| {
            self.put_into_order(of, now);
            self.known_longest(of)
        }) else {
            return false;
        };
        if let Some(connection) = self.remove(number) {
            connection.end.notify_one();
        }
        true
    }

    /// Returns the connection that waits longest now: the one that waited longest at the last sorting and has heard nothing
    /// since.
    fn known_longest(&mut self, of: Option<Client>) -> Option<u64> {
        let longest = self.longest.get_mut(&of)?;
        while let Some((since, number)) = longest.pop() {
            let connection = self.connections.get(&number);
            if connection.is_some_and(|connection| waits_since(&connection.wire) == since) {
                return Some(number);
            }
        }
        self.longest.remove(&of);
        None
    }

    fn put_into_order(&mut self, of: Option<Client>, now: Instant) {
        let theirs = self
            .connections
            .iter()
            .filter(|(_, connection)| of.is_none_or(|client| connection.client == client));
        let mut waiting: Vec<_> = theirs
            .map(|(number, connection)| (waits_since(&connection.wire), *number))
            .filter(|(since, _)| *since <= now)
            .collect();
        waiting.sort_unstable_by(|one, other| other.cmp(one));
        let part = waiting.len().div_ceil(ORDERED_PART);
        self.longest.insert(of, waiting.split_off(waiting.len() - part));
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        if let Some(count) = self.clients.get_mut(&connection.client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&connection.client);
                self.longest.remove(&Some(connection.client));
            }
        }
        Some(connection)
    }
}

/// Returns the moment since which the connection waits; one in the future means that it must not be closed yet.
fn waits_since(wire: &Wire) -> Instant {
    match wire.turn() {
        Turn::Client(since) => since,
        Turn::Server(since) => since + LONGEST_ANSWER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    /// Connections that come a moment after each other.
    struct Arriving {
        places: Arc<Places>,
        now: Instant,
    }

    impl Arriving {
        fn at(places: Arc<Places>) -> Self {
            Self { places, now: Instant::now() }
        }

        fn wire(&mut self) -> Arc<Wire> {
            self.now += MOMENT;
            Arc::new(Wire::new(self.now))
        }

        fn take(&mut self, last: u8, wire: &Arc<Wire>) -> Result<(Place, bool), NoPlace> {
            self.places.take(client(last), wire, self.now)
        }

        fn silent(&mut self, last: u8) -> (Place, bool) {
            let wire = self.wire();
            self.take(last, &wire).unwrap()
        }
    }

    fn client(last: u8) -> Client {
        Client::of(IpAddr::from([192, 0, 2, last]))
    }

    async fn is_lost(place: &Place) -> bool {
        tokio::time::timeout(MOMENT, place.lost()).await.is_ok()
    }

    #[tokio::test]
    async fn the_connection_that_waited_longest_goes() {
        let mut arriving = Arriving::at(Places::new(20, None));
        let mut held = Vec::new();
        for number in 0..20 {
            let wire = arriving.wire();
            held.push(arriving.take(number, &wire).unwrap().0);
            if number == 0 {
                wire.request_arrived(arriving.now);
            }
        }
        let mut newcomers = Vec::new();
        for number in 100..110 {
            let (place, took) = arriving.silent(number);
            assert!(took);
            newcomers.push(place);
        }
        for (number, place) in held.iter().enumerate() {
            // The first is being answered.
            assert_eq!(is_lost(place).await, (1..=10).contains(&number), "{number}");
        }
        for place in &newcomers {
            assert!(!is_lost(place).await, "newcomers wait for a shorter time");
        }
    }

    #[tokio::test]
    async fn answers_are_finished_unless_nothing_comes_of_them_for_long() {
        let mut arriving = Arriving::at(Places::new(1, None));
        let busy = arriving.wire();
        busy.request_arrived(arriving.now);
        let (place, _) = arriving.take(1, &busy).unwrap();
        let another = arriving.wire();
        assert_eq!(arriving.take(2, &another).map(drop), Err(NoPlace::AllBusy));
        assert!(!arriving.places.make_room(arriving.now));
        arriving.now += LONGEST_ANSWER;
        assert!(arriving.take(2, &another).unwrap().1);
        assert!(is_lost(&place).await);
    }

    #[tokio::test]
    async fn a_client_has_so_many_and_loses_its_own() {
        let mut arriving = Arriving::at(Places::new(5, Some(2)));
        let (other, _) = arriving.silent(9);
        let (first, _) = arriving.silent(1);
        let (second, _) = arriving.silent(1);
        let busy = arriving.wire();
        busy.request_arrived(arriving.now);
        let (third, took) = arriving.take(1, &busy).unwrap();
        assert!(took && is_lost(&first).await);
        assert!(!is_lost(&second).await && !is_lost(&other).await);
        let (fourth, _) = arriving.take(1, &busy).unwrap();
        assert!(is_lost(&second).await);
        assert_eq!(arriving.take(1, &busy).map(drop), Err(NoPlace::ClientBusy));
        drop((first, second, third, fourth));
        let held = arriving.places.held.lock();
        assert!(held.longest.is_empty() && held.clients.len() == 1 && held.connections.len() == 1);
    }

    #[test]
    fn a_subscriber_s_addresses_are_one_client() {
        let of = |text: &str| Client::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
    }
}
