//! Promised updates on the server. Each host has its own, and renews a lease to say that it is alive; another host takes over
//! the updates of a host whose lease has ended, all of an app's together.

use std::collections::BTreeSet;
use std::time::Duration;

use aviary_state::Mutex;
use redis::AsyncCommands as _;
use redis::Script;
use redis::aio::ConnectionManager;

use crate::store::error::StoreError;
use crate::store::update::StoredUpdate;
use crate::store::update::TOKEN_LIFETIME;
use crate::store::update::UpdateChange;
use crate::store::update::UpdateId;

/// Interval at which a host renews its lease and looks for hosts whose lease has ended.
pub const ADOPTION: Duration = Duration::from_secs(1);
/// Length of a lease. A host that is held up for longer loses its updates to another, and notices.
const LEASE: Duration = Duration::from_secs(6);
/// Updates that are taken over in one step. The next step takes the rest.
const AT_ONCE: usize = 256;
/// Prefix of every key that belongs to promises; the braces make a cluster keep them together.
const PREFIX: &str = "aviary:{promises}";

/// Marks an update as attempted, if this host still has it. `ARGV`: id.
const ATTEMPTED: &str = r"
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
return 1
";
/// Takes over the updates that a host has left of one app, unless its lease still runs. An id that this host already uses waits
/// until it is free. `KEYS`: lease, updates and marks of the other, updates and marks of this one, hosts. `ARGV`: the other,
/// the app and a line break, how many, seconds.
const ADOPT: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then return {} end
local taken = {}
local left = redis.call('HGETALL', KEYS[2])
for i = 1, #left, 2 do
  local id, update = left[i], left[i + 1]
  if #taken < 3 * tonumber(ARGV[3]) and string.sub(update, 1, #ARGV[2]) == ARGV[2]
    and redis.call('HSETNX', KEYS[4], id, update) == 1 then
    redis.call('HDEL', KEYS[2], id)
    local attempted = redis.call('SREM', KEYS[3], id)
    if attempted == 1 then redis.call('SADD', KEYS[5], id) end
    taken[#taken + 1] = id
    taken[#taken + 1] = string.sub(update, #ARGV[2] + 1)
    taken[#taken + 1] = tostring(attempted)
  end
end
if redis.call('HLEN', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('SREM', KEYS[6], ARGV[1])
end
if #taken > 0 then
  redis.call('EXPIRE', KEYS[4], ARGV[4])
  redis.call('EXPIRE', KEYS[5], ARGV[4])
end
return taken
";

/// The promised updates of one host.
pub(super) struct Promises {
    host: String,
    attempted: Script,
    adopt: Script,
    /// Ids of the updates that the server has acknowledged. Only for these does their absence mean that another host has them.
    kept: Mutex<BTreeSet<u64>>,
}

impl Promises {
    pub(super) fn new(host: String) -> Self {
        Self {
            host,
            attempted: Script::new(ATTEMPTED),
            adopt: Script::new(ADOPT),
            kept: Mutex::default(),
        }
    }

    pub(super) async fn change(
        &self,
        mut connection: ConnectionManager,
        UpdateId(id): UpdateId,
        change: UpdateChange,
    ) -> Result<(), StoreError> {
        let (updates, marks) = (updates(&self.host), marks(&self.host));
        match change {
            UpdateChange::Put { app, bytes } => {
                let update = [app.as_bytes(), b"\n", &bytes].concat();
                let mut put = redis::pipe();
                put.atomic().hset(&updates, id, update).ignore();
                put.pset_ex(lease(&self.host), "", LEASE.as_millis() as u64).ignore();
                put.sadd(hosts(), &self.host).ignore();
                put.expire(&updates, forgotten()).ignore();
                let () = put.query_async(&mut connection).await?;
                self.kept.lock().insert(id);
            }
            UpdateChange::Attempted => {
                let mut call = self.attempted.key(updates);
                let is_ours: bool = call.key(marks).arg(id).invoke_async(&mut connection).await?;
                let was_kept = self.kept.lock().contains(&id);
                if was_kept && !is_ours {
                    return Err(StoreError::TakenOver);
                }
            }
            UpdateChange::NotTaken => {
                let () = connection.srem(marks, id).await?;
            }
            UpdateChange::Done => {
                self.kept.lock().remove(&id);
                let mut done = redis::pipe();
                done.hdel(&updates, id).ignore().srem(marks, id).ignore();
                let () = done.query_async(&mut connection).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn adopt(
        &self,
        mut connection: ConnectionManager,
        app: &str,
    ) -> Result<Vec<StoredUpdate>, StoreError> {
        let milliseconds = LEASE.as_millis() as u64;
        let () = connection.pset_ex(lease(&self.host), "", milliseconds).await?;
        let hosts_known: Vec<String> = connection.smembers(hosts()).await?;
        let mut adopted = Vec::new();
        for other in hosts_known.iter().filter(|other| **other != self.host) {
            let mut call = self.adopt.key(lease(other));
            call.key(updates(other)).key(marks(other));
            call.key(updates(&self.host)).key(marks(&self.host)).key(hosts());
            call.arg(other).arg(format!("{app}\n")).arg(AT_ONCE).arg(forgotten());
            let taken: Vec<(u64, Vec<u8>, bool)> = call.invoke_async(&mut connection).await?;
            adopted.extend(taken.into_iter().filter_map(|(id, bytes, attempted)| {
                match named_fields::from_slice(&bytes) {
                    Ok(update) => Some(StoredUpdate { id: UpdateId(id), update, attempted }),
                    Err(error) => {
                        tracing::error!(id, %error, "store: unreadable card update left alone");
                        None
                    }
                }
            }));
        }
        if !adopted.is_empty() {
            let () = connection.sadd(hosts(), &self.host).await?;
            self.kept.lock().extend(adopted.iter().map(|adopted| adopted.id.0));
            // The ids of one host are in the order of its promises.
            adopted.sort_by_key(|adopted| adopted.id);
        }
        Ok(adopted)
    }
}

/// Expiry of updates that no host has taken over, in seconds: twice the lifetime of a token.
fn forgotten() -> i64 {
    TOKEN_LIFETIME.as_secs() as i64 * 2
}

fn hosts() -> String {
    format!("{PREFIX}:hosts")
}

fn lease(host: &str) -> String {
    format!("{PREFIX}:lease:{host}")
}

fn updates(host: &str) -> String {
    format!("{PREFIX}:updates:{host}")
}

fn marks(host: &str) -> String {
    format!("{PREFIX}:attempted:{host}")
}
