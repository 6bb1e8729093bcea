//! Marks on the server: a key each, which the server forgets in time.

use std::time::Duration;

use redis::AsyncCommands as _;
use redis::Script;
use redis::aio::ConnectionManager;

use crate::store::error::StoreError;
use crate::store::marks::Begun;
use crate::store::marks::Ended;
use crate::store::marks::Mark;

/// Before the answer of what is done; what is only begun has `b` and who has begun it.
const DONE: u8 = b'd';

/// What is there, or begins it. `ARGV`: who begins, milliseconds.
const BEGIN: &str = r"
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
";
/// Gives up what is still this host's. `ARGV`: who has begun.
const GIVE_UP: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
";

/// One host's part.
pub(super) struct Marks {
    begun: String,
    begin: Script,
    give_up: Script,
}

impl Marks {
    pub(super) fn new(host: &str) -> Self {
        Self { begun: format!("b{host}"), begin: Script::new(BEGIN), give_up: Script::new(GIVE_UP) }
    }

    /// Begins, unless somebody has. Who does not end it within `lease` has not begun it.
    pub(super) async fn begin(
        &self,
        mut connection: ConnectionManager,
        mark: &Mark,
        lease: Duration,
    ) -> Result<Begun, StoreError> {
        let mut call = self.begin.key(name(mark));
        call.arg(&self.begun).arg(lease.as_millis() as u64);
        let found: Option<Vec<u8>> = call.invoke_async(&mut connection).await?;
        Ok(match found.as_deref() {
            None => Begun::Now,
            Some([DONE, answer @ ..]) => Begun::Done(answer.to_vec()),
            Some(_) => Begun::Elsewhere,
        })
    }

    /// Whoever has begun says how it ended.
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

fn name(mark: &Mark) -> String {
    format!("aviary:mark:{}", mark.as_str())
}
