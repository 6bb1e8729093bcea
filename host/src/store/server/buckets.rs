//! Buckets on the server: each is a hash, with a counter of its bytes in a second key.

use redis::AsyncCommands as _;
use redis::Script;
use redis::aio::ConnectionManager;

use crate::store::bucket::BucketId;
use crate::store::bucket::KeyPage;
use crate::store::bucket::PAGE;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::store::error::StoreError;

/// Sets one field, unless that would exceed the quota. `ARGV`: key, value, bytes, keys.
const SET: &str = r"
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
local more = #ARGV[2] - redis.call('HSTRLEN', KEYS[1], ARGV[1])
if known == 0 then more = more + #ARGV[1] end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
if more > 0 and used + more > tonumber(ARGV[3]) then return {'bytes'} end
if known == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {'keys'} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('INCRBY', KEYS[2], more)
return {'0'}
";
/// Deletes one field. `ARGV`: key.
const DELETE: &str = r"
local less = redis.call('HSTRLEN', KEYS[1], ARGV[1]) + #ARGV[1]
if redis.call('HDEL', KEYS[1], ARGV[1]) == 1 then redis.call('DECRBY', KEYS[2], less) end
return {'0'}
";
/// Adds to one field. `ARGV`: key, number, bytes, keys. The sum is read as text, because a script's numbers are not exact.
const ADD: &str = r"
local old = redis.call('HGET', KEYS[1], ARGV[1])
local known = redis.call('HEXISTS', KEYS[1], ARGV[1])
if known == 1 and string.sub(old, 1, 1) == '-' then return {'number'} end
local used = tonumber(redis.call('GET', KEYS[2]) or '0')
if known == 0 then
  if used + #ARGV[1] + #ARGV[2] > tonumber(ARGV[3]) then return {'bytes'} end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {'keys'} end
end
local added = redis.pcall('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
if type(added) == 'table' then
  if string.find(added.err, 'overflow') then return {'overflow'} end
  return {'number'}
end
local sum = redis.call('HGET', KEYS[1], ARGV[1])
local more = #sum
if known == 1 then more = more - #old else more = more + #ARGV[1] end
redis.call('INCRBY', KEYS[2], more)
return {sum}
";
/// Lists some of the fields, without their values. `ARGV`: cursor, how many.
const KEYS: &str = r"
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local keys = {}
for i = 1, #found[2], 2 do keys[#keys + 1] = found[2][i] end
return {found[1], keys}
";

/// The scripts that work on buckets.
pub(super) struct ServerBuckets {
    set: Script,
    delete: Script,
    add: Script,
    keys: Script,
}

impl Default for ServerBuckets {
    fn default() -> Self {
        Self {
            set: Script::new(SET),
            delete: Script::new(DELETE),
            add: Script::new(ADD),
            keys: Script::new(KEYS),
        }
    }
}

/// Key of a bucket's hash. It hashes to the same slot as the key of the counter, so that a cluster keeps them together.
fn entries(bucket: &BucketId) -> String {
    format!("aviary:{{{}}}:entries", bucket.as_str())
}

fn bytes(bucket: &BucketId) -> String {
    format!("aviary:{{{}}}:bytes", bucket.as_str())
}

pub(super) async fn get(
    mut connection: ConnectionManager,
    bucket: &BucketId,
    key: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection.hget(entries(bucket), key).await?)
}

impl ServerBuckets {
    pub(super) async fn keys(
        &self,
        mut connection: ConnectionManager,
        bucket: &BucketId,
        from: u64,
    ) -> Result<KeyPage, StoreError> {
        let mut call = self.keys.key(entries(bucket));
        let (next, keys): (u64, Vec<String>) =
            call.arg(from).arg(PAGE).invoke_async(&mut connection).await?;
        Ok(KeyPage { keys, next: (next != 0).then_some(next) })
    }

    pub(super) async fn set(
        &self,
        mut connection: ConnectionManager,
        bucket: &BucketId,
        key: &str,
        value: Vec<u8>,
        quota: Quota,
    ) -> Result<(), WriteError> {
        let mut call = self.set.key(entries(bucket));
        call.key(bytes(bucket)).arg(key).arg(value).arg(quota.bytes).arg(quota.keys);
        accepted(call.invoke_async(&mut connection).await?, quota).map(drop)
    }

    pub(super) async fn delete(
        &self,
        mut connection: ConnectionManager,
        bucket: &BucketId,
        key: &str,
    ) -> Result<(), StoreError> {
        let mut call = self.delete.key(entries(bucket));
        let _: Vec<String> = call.key(bytes(bucket)).arg(key).invoke_async(&mut connection).await?;
        Ok(())
    }

    pub(super) async fn increment(
        &self,
        mut connection: ConnectionManager,
        bucket: &BucketId,
        key: &str,
        delta: u64,
        quota: Quota,
    ) -> Result<u64, WriteError> {
        let delta = i64::try_from(delta).map_err(|_too_large| WriteError::Overflow)?;
        let mut call = self.add.key(entries(bucket));
        call.key(bytes(bucket)).arg(key).arg(delta).arg(quota.bytes).arg(quota.keys);
        let sum = accepted(call.invoke_async(&mut connection).await?, quota)?;
        sum.parse().map_err(|_not_a_number| WriteError::NotANumber)
    }
}

/// Reads the answer of a script: the result of the change, or a word that names the reason for refusing it.
fn accepted(said: Vec<String>, quota: Quota) -> Result<String, WriteError> {
    let said = said.into_iter().next().ok_or(WriteError::NotANumber)?;
    match said.as_str() {
        "bytes" => Err(WriteError::Bytes(quota.bytes)),
        "keys" => Err(WriteError::Keys(quota.keys)),
        "overflow" => Err(WriteError::Overflow),
        "number" => Err(WriteError::NotANumber),
        _ => Ok(said),
    }
}
