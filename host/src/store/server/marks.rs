//! Marks on the server: one key each, which expires by itself.

use std::time::Duration;

use redis::AsyncCommands as _;
use redis::Script;
use redis::aio::ConnectionManager;

use crate::store::error::StoreError;
use crate::store::marks::Ended;
use crate::store::marks::Mark;
use crate::store::marks::MarkState;

/// First byte of a finished mark, before the answer. A mark that is only begun holds `b` and the id of its host.
const DONE: u8 = b'd';

/// Returns the value of the mark, or begins it. `ARGV`: the host that begins, milliseconds.
const BEGIN: &str = r"
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
";
/// Deletes the mark if this host still holds it. `ARGV`: the host that has begun it.
const GIVE_UP: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
";

/// The marks that one host begins and ends.
pub(super) struct ServerMarks {
    begun: String,
    begin: Script,
    give_up: Script,
}

impl ServerMarks {
    pub(super) fn new(host: &str) -> Self {
        Self { begun: format!("b{host}"), begin: Script::new(BEGIN), give_up: Script::new(GIVE_UP) }
    }

    /// Begins the mark, unless a host has begun it. A mark that is not ended within `lease` counts as not begun.
    pub(super) async fn begin(
        &self,
        mut connection: ConnectionManager,
        mark: &Mark,
        lease: Duration,
    ) -> Result<MarkState, StoreError> {
        let mut call = self.begin.key(name(mark));
        call.arg(&self.begun).arg(lease.as_millis() as u64);
        let found: Option<Vec<u8>> = call.invoke_async(&mut connection).await?;
        Ok(match found.as_deref() {
            None => MarkState::Now,
            Some([DONE, answer @ ..]) => MarkState::Done(answer.to_vec()),
            Some(_) => MarkState::Elsewhere,
        })
    }

    /// Records the end of work that this host has begun.
    pub(super) async fn end(
        &self,
        mut connection: ConnectionManager,
        mark: &Mark,
        ended: Ended,
    ) -> Result<(), StoreError> {
        match ended {
            Ended::Done { answer, keep } => {
                let value = [&[DONE], answer.as_slice()].concat();
                let () = connection.pset_ex(name(mark), value, keep.as_millis() as u64).await?;
            }
            Ended::Failed => {
                let mut call = self.give_up.key(name(mark));
                let _: u8 = call.arg(&self.begun).invoke_async(&mut connection).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn name(mark: &Mark) -> String {
    format!("aviary:mark:{}", mark.as_str())
}
