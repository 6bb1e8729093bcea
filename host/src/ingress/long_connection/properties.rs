//! Properties of fragments from a stranger: nothing panics, and nothing is held beyond its limit.

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::Instant;

use crate::ingress::long_connection::reassembly::FragmentError;
use crate::ingress::long_connection::reassembly::FragmentPlace;
use crate::ingress::long_connection::reassembly::Reassembler;

/// Generates a fragment with arbitrary claims: few ids, so that they meet, and numbers from harmless to absurd.
fn claim() -> impl Strategy<Value = (String, usize, usize, usize)> {
    let number = prop_oneof![4 => 0..6_usize, 1 => Just(1025), 1 => any::<usize>()];
    let id = prop_oneof![8 => "[a-d]", 1 => Just(String::new()), 1 => "[a-z]{257,300}"];
    (id, number.clone(), number, 0..2000_usize)
}

proptest! {
    // The failure itself prints the smallest failing input; no file is written beside the sources.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fragments_are_joined_in_any_order(
        payload in proptest::collection::vec(any::<u8>(), 0..500),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 1..9),
        order in any::<u64>(),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|cut| &payload[cut[0]..cut[1]]).collect();
        let mut places: Vec<_> = (0..parts.len()).collect();
        fastrand::Rng::with_seed(order).shuffle(&mut places);
        let mut reassembler = Reassembler::default();
        let mut complete = Vec::new();
        // Every fragment comes twice, and the message must be completed once.
        for seq in places.iter().chain(&places) {
            let place = FragmentPlace { message_id: "m", sum: parts.len(), seq: *seq };
            let part = Bytes::copy_from_slice(parts[*seq]);
            complete.extend(reassembler.add(place, &part, Instant::now()).unwrap());
        }
        prop_assert_eq!(complete.len(), 1);
        prop_assert_eq!(&complete[0].payload[..], &payload[..]);
        prop_assert_eq!(reassembler.held(), (0, 0));
    }

    #[test]
    fn any_fragments_stay_within_the_limits(claims in proptest::collection::vec(claim(), 0..120)) {
        let mut reassembler = Reassembler::default();
        let now = Instant::now();
        let mut sent = 0;
        for (message_id, sum, seq, length) in &claims {
            let place = FragmentPlace { message_id, sum: *sum, seq: *seq };
            sent += length;
            let added = reassembler.add(place, &Bytes::from(vec![0; *length]), now);
            if *sum > 1024 {
                prop_assert!(matches!(added, Err(FragmentError::TooMany(_))));
            } else if *sum > 1 && *seq >= *sum {
                let out_of_range = matches!(added, Err(FragmentError::OutOfRange { .. }));
                prop_assert!(out_of_range);
            }
            let (messages, bytes) = reassembler.held();
            prop_assert!(messages <= 4 && bytes <= sent, "{messages} {bytes}");
        }
        drop(reassembler.expire(now + std::time::Duration::from_secs(6)));
        prop_assert_eq!(reassembler.held(), (0, 0));
    }
}

/// Tests the limits at their edge, which random inputs would practically never reach.
#[test]
fn a_flood_of_fragments_is_turned_away() {
    let mut reassembler = Reassembler::default();
    let now = Instant::now();
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    let ids: Vec<_> = (0..300).map(|number| format!("m{number}")).collect();
    let mut refused = 0;
    for id in &ids {
        let place = FragmentPlace { message_id: id, sum: 2, seq: 0 };
        refused += usize::from(reassembler.add(place, &megabyte, now).is_err());
    }
    assert_eq!(reassembler.held(), (64, 64 << 20));
    assert_eq!(refused, 300 - 64);
    reassembler.expire(now + std::time::Duration::from_secs(6));
    for id in &ids {
        let place = FragmentPlace { message_id: id, sum: 2, seq: 0 };
        // Empty fragments take a place but no bytes.
        drop(reassembler.add(place, &Bytes::new(), now));
    }
    assert_eq!(reassembler.held(), (256, 0));
    let mut reassembler = Reassembler::default();
    let large = (0..17).map(|seq| {
        let place = FragmentPlace { message_id: "m", sum: 18, seq };
        reassembler.add(place, &megabyte, now).map(|complete| complete.is_some())
    });
    assert_eq!(large.last(), Some(Err(FragmentError::TooLarge)));
    assert_eq!(reassembler.held(), (0, 0));
}

#[test]
fn a_repeated_fragment_is_known_until_a_thousand_messages_later() {
    let mut reassembler = Reassembler::default();
    let (now, part) = (Instant::now(), Bytes::from_static(b"part"));
    let ids: Vec<_> = (0..1025).map(|number| format!("m{number}")).collect();
    let mut add = |message_id: &str, seq| {
        let place = FragmentPlace { message_id, sum: 2, seq };
        let complete = reassembler.add(place, &part, now).unwrap();
        (complete.is_some(), reassembler.held().0)
    };
    for id in &ids {
        assert_eq!([add(id, 0), add(id, 1)], [(false, 1), (true, 0)]);
    }
    assert_eq!(add(&ids[1], 0), (false, 0), "it was complete once");
    assert_eq!(add(&ids[0], 0), (false, 1), "the oldest was forgotten");
}
