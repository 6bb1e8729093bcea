//! Tests of the inbox in a file. `tests/e2e/inbox.rs` shows that hosts that share a server keep to the same rules.

use std::time::Duration;

use super::open;
use super::reopen;
use crate::record::Door;
use crate::store::Store;
use crate::store::inbox::Bounds;
use crate::store::inbox::Changed;
use crate::store::inbox::EntryHead;
use crate::store::inbox::EntrySource;
use crate::store::inbox::NewEntry;
use crate::store::inbox::PluginQueue;
use crate::store::inbox::Put;
use crate::store::inbox::Room;
use crate::store::inbox::Settle;
use crate::store::inbox::TakenEntry;
use crate::store::inbox::Verdict;
use crate::store::inbox::Want;
use crate::store::inbox::Whose;
use crate::store::marks::Mark;

const WIDE: Bounds = bounds(100, 100);

const fn bounds(app: u64, plugin: u64) -> Bounds {
    let bytes = 1 << 20;
    Bounds { app: Room { entries: app, bytes }, plugin: Room { entries: plugin, bytes } }
}

async fn put(store: &Store, lane: &str, name: &str, bounds: Bounds) -> Put {
    let entry = NewEntry {
        queue: PluginQueue { app: "cli_a".to_owned(), plugin: "p".to_owned() },
        lane: lane.to_owned(),
        head: EntryHead {
            source: EntrySource::Event,
            door: Door::Webhook,
            event_id: Some(name.to_owned()),
            event_type: "message".to_owned(),
            received_ms: 1,
        },
        body: name.to_owned().into(),
        marks: vec![Mark::new("cli_a", "event", name)],
        remembered: Duration::from_secs(60),
    };
    store.put_entry(entry, bounds).await.unwrap()
}

async fn claim(store: &Store) -> Vec<TakenEntry> {
    let wants = vec![Want { plugin: "p".to_owned(), most: 10 }];
    store.claim("cli_a", wants).await.unwrap().taken
}

fn names(taken: &[TakenEntry]) -> Vec<(String, u32)> {
    let name = |taken: &TakenEntry| String::from_utf8(taken.body.clone()).unwrap();
    taken.iter().map(|taken| (name(taken), taken.attempt)).collect()
}

fn named(expected: &[(&str, u32)]) -> Vec<(String, u32)> {
    expected.iter().map(|(name, attempt)| ((*name).to_owned(), *attempt)).collect()
}

#[tokio::test]
async fn a_lane_goes_on_one_entry_at_a_time_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&path).await;
    for (lane, name) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        assert_eq!(put(&store, lane, name, WIDE).await, Put::Stored);
    }
    assert_eq!(put(&store, "c", "a2", WIDE).await, Put::Repeated);
    let first = claim(&store).await;
    assert_eq!(names(&first), named(&[("a1", 1), ("b1", 1)]));
    assert!(claim(&store).await.is_empty(), "both lanes are claimed");
    store.settle(&first[0].claim, Settle::Done).await.unwrap();
    let second = claim(&store).await;
    assert_eq!(names(&second), named(&[("a2", 1)]));
    let again = Settle::Again { after: Duration::ZERO, reason: "x".to_owned() };
    store.settle(&second[0].claim, again).await.unwrap();
    let third = claim(&store).await;
    assert_eq!((names(&third), third[0].failures), (named(&[("a2", 2)]), 1));
    drop(store);
    let store = reopen(&path).await;
    assert_eq!(names(&claim(&store).await), named(&[("a2", 3), ("b1", 2)]), "begun once more");
    assert_eq!(put(&store, "c", "a1", WIDE).await, Put::Repeated, "it is done, and remembered");
    let figures = store.inbox_figures("cli_a").await.unwrap().remove(0);
    assert_eq!((figures.waiting, figures.working, figures.bytes), (3, 2, 6), "{figures:?}");
}

#[tokio::test]
async fn what_is_set_aside_takes_room_until_somebody_decides() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb")).await;
    assert_eq!(put(&store, "a", "a1", bounds(2, 1)).await, Put::Stored);
    assert_eq!(put(&store, "a", "a2", bounds(2, 1)).await, Put::Full(Whose::Plugin));
    assert_eq!(put(&store, "a", "a2", bounds(1, 2)).await, Put::Full(Whose::App));
    assert_eq!(put(&store, "a", "a2", WIDE).await, Put::Stored, "it was not remembered");
    let change = |id, verdict| store.inbox_change("cli_a", id, verdict);
    let first = claim(&store).await;
    let id = first[0].claim.id;
    assert_eq!(change(id, Verdict::Drop).await.unwrap(), Changed::UnderWay);
    let aside = Settle::Aside { reason: "x".to_owned() };
    store.settle(&first[0].claim, aside).await.unwrap();
    let listed = store.inbox_list("cli_a").await.unwrap();
    let seen: Vec<_> = listed.iter().map(|entry| (entry.aside, entry.failures)).collect();
    assert_eq!(seen, [(true, 1), (false, 0)]);
    assert_eq!(put(&store, "a", "a3", bounds(2, 2)).await, Put::Full(Whose::Plugin));
    assert_eq!(change(id, Verdict::Retry).await.unwrap(), Changed::Yes);
    let second = claim(&store).await;
    assert_eq!(names(&second), named(&[("a2", 1)]), "it goes behind the others of its lane");
    assert_eq!(change(id, Verdict::Drop).await.unwrap(), Changed::Yes);
    assert_eq!(change(id, Verdict::Drop).await.unwrap(), Changed::Unknown);
    store.settle(&second[0].claim, Settle::Done).await.unwrap();
    assert!(claim(&store).await.is_empty());
    assert!(store.inbox_figures("cli_a").await.unwrap().is_empty());
}
