//! Caches link previews for a short time. Every viewer's client asks for the same link. If the operator allows it, the plugin is
//! asked once, other requests wait for that answer, and an older preview is served while a new one is made.
//!
//! The operator's setting says that a preview is the same for everybody of a tenant. A viewer of another tenant in the same chat
//! gets another preview, and a callback without a tenant is not cached. The platform does not say which language a viewer reads,
//! and a reply carries them all. Somebody who is still typing the link gets the cached preview too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::callback::model::Callback;
use crate::callback::reply::Reply;
use crate::dispatch::identity_key::Fields;
use crate::dispatch::identity_key::IdentityKey;
use crate::dispatch::made_by::MadeBy;
use crate::plugin::loaded::Plugin;

/// The most previews that are kept for one app. Each has some hundred bytes, or a card of 30 KiB.
const MOST: usize = 2048;
/// Memory budget of one app's previews, in bytes. The oldest one makes room.
const MOST_BYTES: usize = 16 << 20;

/// The key of a cached preview: the plugin that made it, and the link with the viewers' tenants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CacheKey {
    made_by: MadeBy,
    link: IdentityKey,
}

#[derive(Debug)]
struct Made {
    reply: Reply,
    at: Instant,
}

#[derive(Debug)]
struct CachedAnswer {
    made: Bounded<CacheKey, Made>,
    making: HashMap<CacheKey, watch::Receiver<Option<Reply>>>,
}

impl Default for CachedAnswer {
    fn default() -> Self {
        Self { made: Bounded::weighing(MOST, MOST_BYTES), making: HashMap::new() }
    }
}

/// The previews of one app.
#[derive(Clone, Debug, Default)]
pub(super) struct Cached(Arc<Mutex<CachedAnswer>>);

/// The result of looking for a cached preview.
#[derive(Debug)]
pub(super) enum CacheLookup {
    /// The preview is young enough.
    Fresh(Reply),
    /// The preview may be used, but is due for renewal by the holder of the slot. `None` if another request renews it already.
    Stale(Reply, Option<CacheSlot>),
    /// There is no preview, and no other request is making one.
    Nothing(CacheSlot),
    /// Another request is making the preview.
    Pending(watch::Receiver<Option<Reply>>),
}

/// The right to make a preview. Dropping it without one wakes the requests that wait for it.
#[derive(Debug)]
pub(super) struct CacheSlot {
    cached: Cached,
    key: CacheKey,
    done: watch::Sender<Option<Reply>>,
}

impl Cached {
    /// Looks for the preview of a callback. `None` if the plugin's previews are not cached, or the tenant is unknown.
    pub(super) fn find(&self, plugin: &Arc<Plugin>, callback: &Callback) -> Option<CacheLookup> {
        let keep = plugin.policy().keep_previews()?;
        let key = CacheKey { made_by: MadeBy::plugin(plugin), link: link(callback)? };
        Some(self.look(key, keep.fresh, keep.stale, Instant::now()))
    }

    fn look(&self, key: CacheKey, fresh: Duration, stale: Duration, now: Instant) -> CacheLookup {
        let mut kept = self.0.lock();
        let made = kept.made.get(&key).map(|made| (made.reply.clone(), now - made.at));
        let making = kept.making.get(&key).cloned();
        match (made, making) {
            (Some((reply, age)), _) if age < fresh => CacheLookup::Fresh(reply),
            (Some((reply, age)), Some(_)) if age < stale => CacheLookup::Stale(reply, None),
            (Some((reply, age)), None) if age < stale => {
                CacheLookup::Stale(reply, Some(self.slot(&mut kept, key)))
            }
            (_, Some(making)) => CacheLookup::Pending(making),
            (_, None) => CacheLookup::Nothing(self.slot(&mut kept, key)),
        }
    }

    fn slot(&self, kept: &mut CachedAnswer, key: CacheKey) -> CacheSlot {
        let (done, making) = watch::channel(None);
        kept.making.insert(key.clone(), making);
        CacheSlot { cached: self.clone(), key, done }
    }
}

/// Returns the key of the link for viewers of one tenant; `None` if the callback names no tenant.
fn link(callback: &Callback) -> Option<IdentityKey> {
    let url = callback.url()?;
    let tenants = callback.tenants();
    let is_known = !tenants.addressed.is_empty() || !tenants.operator.is_empty();
    is_known.then(|| Fields::of("preview", callback).text(url).key())
}

/// Waits for the preview until `until`. `None` if it was not made by then, or its maker gave up.
pub(super) async fn made(
    mut making: watch::Receiver<Option<Reply>>,
    until: Instant,
) -> Option<Reply> {
    let made = making.wait_for(Option::is_some);
    // Waiting fails if the maker dropped its slot.
    tokio::time::timeout_at(until, made).await.ok()?.ok()?.clone()
}

impl CacheSlot {
    /// Stores the preview and hands it to everybody who waits for it.
    pub(super) fn fill(self, reply: &Reply) {
        let made = Made { reply: reply.clone(), at: Instant::now() };
        let bytes = reply.to_remember().map_or(0, |bytes| bytes.len()) + size_of::<CacheKey>();
        self.cached.0.lock().made.insert_weighing(self.key.clone(), made, bytes);
        // Sending fails if nobody waits.
        let _ = self.done.send(Some(reply.clone()));
    }
}

impl Drop for CacheSlot {
    fn drop(&mut self) {
        let mut kept = self.cached.0.lock();
        kept.making.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::model::Body;
    use crate::callback::model::Operator;
    use crate::callback::model::PreviewRequest;
    use crate::callback::reply_check::card_as_preview;

    const FRESH: Duration = Duration::from_secs(10);
    const STALE: Duration = Duration::from_secs(100);

    fn request(addressed: &str, operator: Option<&str>, url: &str) -> Callback {
        let operator = Operator { tenant_key: operator.map(str::to_owned), ..Operator::default() };
        let preview = PreviewRequest { operator, url: url.to_owned(), ..PreviewRequest::default() };
        let mut callback = Callback::default();
        callback.header.tenant_key = addressed.to_owned();
        callback.body = Body::LinkPreview(preview);
        callback
    }

    fn key(url: &str) -> CacheKey {
        CacheKey { made_by: MadeBy::nobody(), link: link(&request("t", None, url)).unwrap() }
    }

    #[test]
    fn a_viewer_of_another_tenant_has_a_link_of_its_own() {
        let of = |addressed, operator| link(&request(addressed, operator, "u"));
        assert_eq!(of("t", None), of("t", Some("t")));
        assert_ne!(of("t", Some("t")), of("t", Some("visitor")));
        assert_ne!(of("t", Some("visitor")), of("visitor", Some("t")));
        assert_ne!(of("t", None), of("", Some("t")));
        assert_eq!(of("", None), None, "nobody knows whose it is");
        assert_ne!(link(&request("t", None, "u")), link(&request("t", None, "v")));
    }

    fn look(cached: &Cached, url: &str, after: u64) -> CacheLookup {
        cached.look(key(url), FRESH, STALE, Instant::now() + Duration::from_secs(after))
    }

    #[tokio::test]
    async fn one_makes_it_and_the_others_wait() {
        let cached = Cached::default();
        let CacheLookup::Nothing(slot) = look(&cached, "u", 0) else {
            panic!("nobody has made it")
        };
        let CacheLookup::Pending(making) = look(&cached, "u", 0) else {
            panic!("it is being made")
        };
        slot.fill(&Reply::accepted());
        let later = Instant::now() + Duration::from_secs(60);
        assert!(made(making, later).await.is_some());
        assert!(matches!(look(&cached, "u", 0), CacheLookup::Fresh(_)));
        assert!(matches!(look(&cached, "v", 0), CacheLookup::Nothing(_)));
    }

    #[tokio::test]
    async fn an_old_one_serves_while_one_makes_another() {
        let cached = Cached::default();
        let CacheLookup::Nothing(slot) = look(&cached, "u", 0) else {
            panic!("nobody has made it")
        };
        slot.fill(&Reply::accepted());
        let CacheLookup::Stale(_, Some(slot)) = look(&cached, "u", 11) else {
            panic!("it is stale")
        };
        assert!(matches!(look(&cached, "u", 11), CacheLookup::Stale(_, None)));
        drop(slot);
        assert!(
            matches!(look(&cached, "u", 11), CacheLookup::Stale(_, Some(_))),
            "nothing came of it"
        );
        assert!(matches!(look(&cached, "u", 101), CacheLookup::Nothing(_)), "it is too old");
    }

    #[tokio::test]
    async fn those_who_wait_for_nothing_are_told() {
        let cached = Cached::default();
        let CacheLookup::Nothing(slot) = look(&cached, "u", 0) else {
            panic!("nobody has made it")
        };
        let CacheLookup::Pending(making) = look(&cached, "u", 0) else {
            panic!("it is being made")
        };
        drop(slot);
        assert!(made(making, Instant::now() + Duration::from_secs(60)).await.is_none());
    }

    #[test]
    fn many_bytes_make_room_too() {
        let cached = Cached::default();
        let large = card_as_preview(&format!("\"{}\"", "a".repeat(1 << 20)));
        for number in 0..20 {
            let CacheLookup::Nothing(slot) = look(&cached, &number.to_string(), 0) else {
                panic!()
            };
            slot.fill(&large);
        }
        assert!(cached.0.lock().made.weight() <= MOST_BYTES);
        assert!(matches!(look(&cached, "4", 0), CacheLookup::Nothing(_)));
        assert!(matches!(look(&cached, "5", 0), CacheLookup::Fresh(_)));
    }

    #[test]
    fn the_oldest_make_room() {
        let cached = Cached::default();
        for number in 0..MOST + 10 {
            let CacheLookup::Nothing(slot) = look(&cached, &number.to_string(), 0) else {
                panic!()
            };
            slot.fill(&Reply::accepted());
        }
        assert!(matches!(look(&cached, "0", 0), CacheLookup::Nothing(_)));
        assert!(matches!(look(&cached, "15", 0), CacheLookup::Fresh(_)));
    }
}
