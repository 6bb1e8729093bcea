//! Charges a guest for its calls of the host, and makes it yield after them.
//!
//! Fuel counts a guest's own instructions. A loop that does nothing but call the host uses almost none, and because yields are
//! counted in fuel too, it would hold its thread for seconds. So each call has a price, and the guest yields at its return if
//! the time slice is over.

use std::future::ready;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use wasmtime::CallHook;
use wasmtime::CallHookHandler;
use wasmtime::StoreContextMut;
use wasmtime::Trap;

use crate::runtime::call::state::GuestState;
use crate::runtime::call::time_slice::TimeSlice;

/// Fuel that a call of the host costs: about the price of the shortest, which takes a third of a microsecond.
pub const HOST_CALL_FUEL: u64 = 5_000;
/// Bytes that a guest may pass in one call of the host. The largest arguments are cards and requests.
const HOST_CALL_BYTES: usize = 8 << 20;
/// Limit of the bytes that the host reads of a reply, as a multiple of the text that is allowed: the reply's size is not known
/// before it is read, and the records around the text count too.
const REPLY_FACTOR: usize = 2;
/// An addition to that limit for plugins with a small one, where the records outweigh the text.
const REPLY_BASE: usize = 16 << 10;

/// Called whenever control passes between a guest and the host.
pub(in crate::runtime) struct HostCallHook {
    reply_bytes: usize,
}

impl HostCallHook {
    /// Makes the hook of a plugin whose replies have at most `reply_limit` bytes of text. A longer reply is not even copied
    /// out of the guest.
    pub(in crate::runtime) fn new(reply_limit: usize) -> Self {
        Self { reply_bytes: reply_limit * REPLY_FACTOR + REPLY_BASE }
    }
}

/// A future that is always ready: most crossings have nothing to wait for. Boxing it allocates nothing, which counts because
/// each string that is passed to a guest takes two crossings, in and out of its allocator.
struct Passed;

impl Future for Passed {
    type Output = wasmtime::Result<()>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

/// Written as `async_trait` would expand it, but without a future where the work is done at once.
impl CallHookHandler<GuestState> for HostCallHook {
    fn handle_call_event<'hook, 'store, 'event>(
        &'hook self,
        mut store: StoreContextMut<'store, GuestState>,
        event: CallHook,
    ) -> Crossing<'event>
    where
        'hook: 'event,
        'store: 'event,
        Self: 'event,
    {
        match event {
            CallHook::CallingWasm => {
                if let Err(stale) = store.data_mut().check_memory() {
                    return Box::pin(ready(Err(stale.into())));
                }
            }
            CallHook::CallingHost => {
                if let Err(error) = charge(&mut store) {
                    return Box::pin(ready(Err(error)));
                }
                store.set_hostcall_fuel(HOST_CALL_BYTES);
            }
            // The next read is a reply, unless the guest calls the host before.
            CallHook::ReturningFromWasm => store.set_hostcall_fuel(self.reply_bytes),
            CallHook::ReturningFromHost if store.data_mut().call().slice.is_over() => {
                return Box::pin(async move {
                    tokio::task::yield_now().await;
                    store.data_mut().call().slice = TimeSlice::begin();
                    Ok(())
                });
            }
            CallHook::ReturningFromHost => {}
        }
        Box::pin(Passed)
    }
}

type Crossing<'event> = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send + 'event>>;

fn charge(store: &mut StoreContextMut<'_, GuestState>) -> wasmtime::Result<()> {
    let left = store.get_fuel()?;
    store.set_fuel(left.checked_sub(HOST_CALL_FUEL).ok_or(Trap::OutOfFuel)?)
}
