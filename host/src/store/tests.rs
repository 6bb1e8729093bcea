//! Tests of the store in a file. `tests/e2e/key_value.rs` shows, where there is a server, that a server does the same.

mod inbox;

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use super::*;

const ROOM: Quota = Quota { bytes: 1 << 20, keys: 1000 };

fn place(path: &Path) -> StorePlace {
    StorePlace::File(path.to_owned())
}

async fn open(path: &Path) -> Store {
    Store::open(&place(path)).await.unwrap()
}

fn update(card: &str) -> PendingUpdate {
    PendingUpdate {
        tenant: "t".to_owned(),
        app: "cli_a".to_owned(),
        event_id: None,
        token: "c-1".to_owned(),
        card: card.to_owned(),
        received_ms: 1,
    }
}

#[tokio::test]
async fn what_is_not_done_is_there_after_a_restart_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::open(&place(&path)).await.unwrap();
    assert!(store.take_pending_updates().is_empty());
    let ids = [store.next_id(), store.next_id(), store.next_id()];
    for (id, card) in ids.iter().zip(["1", "2", "3"]) {
        store.put(*id, &update(card)).await.unwrap();
    }
    store.done(ids[1]).await.unwrap();
    store.attempted(ids[0]).await.unwrap();
    store.not_taken(ids[0]).await.unwrap();
    store.attempted(ids[2]).await.unwrap();
    assert!(Store::open(&place(&path)).await.is_err(), "one host has it");
    drop(store);
    let store = reopen(&path).await;
    let left = store.take_pending_updates();
    assert!(store.take_pending_updates().is_empty(), "they are taken once");
    let seen: Vec<_> =
        left.iter().map(|left| (left.update.card.as_str(), left.attempted)).collect();
    assert_eq!(seen, [("1", false), ("3", true)]);
    assert!(store.next_id() > ids[2]);
}

/// Opens the store again. The thread releases the file shortly after the last handle is gone.
async fn reopen(path: &Path) -> Store {
    loop {
        match Store::open(&place(path)).await {
            Ok(store) => return store,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let error = Store::open(&place(Path::new("/nowhere/store.redb"))).await.unwrap_err();
    assert!(error.to_string().starts_with("store.path: /nowhere/store.redb"), "{error}");
}

struct Bucket {
    store: Store,
    id: BucketId,
    quota: Quota,
}

impl Bucket {
    async fn set(&self, key: &str, value: &str) -> Result<(), WriteError> {
        self.store.set(self.id.clone(), key.to_owned(), value.into(), self.quota).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.store.delete(self.id.clone(), key.to_owned()).await
    }

    async fn increment(&self, key: &str, delta: u64) -> Result<u64, WriteError> {
        self.store.increment(self.id.clone(), key.to_owned(), delta, self.quota).await
    }

    async fn get(&self, key: &str) -> Option<String> {
        let value = self.store.get(self.id.clone(), key.to_owned()).await.unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    }
}

#[tokio::test]
async fn a_bucket_keeps_to_its_quota_and_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb")).await;
    let (id, other) = (BucketId::own("cli_a", "p"), BucketId::shared("cli_a", "p"));
    let quota = Quota { bytes: 10, keys: 2 };
    let bucket = Bucket { store: store.clone(), id, quota };
    bucket.set("a", "1234").await.unwrap();
    bucket.set("b", "1234").await.unwrap();
    assert!(matches!(bucket.set("b", "12345").await, Err(WriteError::Bytes(10))));
    bucket.set("b", "").await.unwrap();
    assert!(matches!(bucket.set("c", "").await, Err(WriteError::Keys(2))));
    bucket.delete("a").await.unwrap();
    bucket.delete("a").await.unwrap();
    bucket.set("cc", "1234567").await.unwrap();
    assert!(matches!(bucket.set("b", "1").await, Err(WriteError::Bytes(10))));
    assert_eq!(bucket.get("cc").await.as_deref(), Some("1234567"));
    assert_eq!(bucket.get("a").await, None);
    assert_eq!(store.get(other, "cc".to_owned()).await.unwrap(), None);
}

#[tokio::test]
async fn a_counter_counts_digits_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb")).await;
    let bucket = Bucket { store, id: BucketId::own("cli_a", "p"), quota: ROOM };
    assert_eq!(bucket.increment("n", 3).await.unwrap(), 3);
    assert_eq!(bucket.increment("n", 4).await.unwrap(), 7);
    assert_eq!(bucket.get("n").await.as_deref(), Some("7"));
    assert!(matches!(bucket.increment("n", u64::MAX).await, Err(WriteError::Overflow)));
    let most = i64::MAX as u64;
    assert!(matches!(bucket.increment("n", most).await, Err(WriteError::Overflow)));
    for text in ["x", "", "+1", "01", " 1", "-1"] {
        bucket.set("t", text).await.unwrap();
        let added = bucket.increment("t", 1).await;
        assert!(matches!(added, Err(WriteError::NotANumber)), "{text:?}: {added:?}");
    }
}

#[tokio::test]
async fn a_listing_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.redb")).await;
    let bucket = Bucket { store, id: BucketId::own("cli_a", "p"), quota: ROOM };
    let writes = (0..250).map(|number| {
        let (bucket, key) = (&bucket, format!("k{number}"));
        async move { bucket.set(&key, "v").await.unwrap() }
    });
    futures_util::future::join_all(writes).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut from = 0;
    loop {
        let page = bucket.store.keys(bucket.id.clone(), from).await.unwrap();
        // Deletes the listed keys, as a plugin that cleans up would.
        for key in &page.keys {
            bucket.delete(key).await.unwrap();
        }
        seen.extend(page.keys);
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(seen.len(), 250);
    assert_eq!(bucket.store.keys(bucket.id, 0).await.unwrap(), KeyPage::default());
}

/// Environment variable that tells the child of the next test the path of the file.
const KILLED: &str = "AVIARY_TEST_KILLED_STORE";
/// How often a writing process is killed. After each kill the next process opens the file again.
const KILLS: usize = 25;

/// Not a test but the process that is killed: writes one number after the other and prints those that are kept.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(KILLED) else { return };
    let store = open(Path::new(&path)).await;
    let bucket =
        Bucket { store, id: BucketId::own("cli_a", "p"), quota: Quota { keys: 1 << 20, ..ROOM } };
    loop {
        let number = bucket.increment("count", 1).await.unwrap();
        let key = format!("k{number}");
        bucket.set(&key, &number.to_string()).await.unwrap();
        #[expect(clippy::print_stdout, reason = "the parent reads it")]
        {
            println!("kept {number}");
        }
    }
}

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_its_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::writes_until_it_is_killed", "--nocapture"])
            .env(KILLED, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Kills between two writes, after a different number of them each time.
        let kept_before = acknowledged.len();
        while acknowledged.len() < kept_before + 1 + round % 7 {
            let line = lines.next().expect("the child writes until it is killed").unwrap();
            if let Some((_, number)) = line.split_once("kept ") {
                acknowledged.push(number.parse::<u64>().unwrap());
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let said = lines.map_while(Result::ok);
        acknowledged
            .extend(said.filter_map(|line| line.strip_prefix("kept ")?.parse::<u64>().ok()));
    }
    let store = open(&path).await;
    let bucket = Bucket { store, id: BucketId::own("cli_a", "p"), quota: ROOM };
    for number in &acknowledged {
        assert_eq!(bucket.get(&format!("k{number}")).await, Some(number.to_string()));
    }
    let count: u64 = bucket.get("count").await.unwrap().parse().unwrap();
    assert!(count >= *acknowledged.last().unwrap(), "{count} {acknowledged:?}");
}
