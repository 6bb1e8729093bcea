//! What a call of the host costs its guest, and whose turn it is afterwards.
//!
//! Fuel counts a guest's own instructions. A loop that does nothing but call the host uses almost none, and as yields are
//! counted in fuel too, it would keep its thread for seconds. So each call has a price, and time counts where it ends.

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

/// Fuel that a call of the host costs: about what the shortest of them takes, a third of a microsecond.
pub const HOST_CALL_FUEL: u64 = 5_000;
/// What a guest may hand over in one call of the host. The longest things it has to say are cards and requests.
const HOST_CALL_BYTES: usize = 8 << 20;
/// What the host reads at most before it knows how large a reply is, as a multiple of the text that is allowed:
/// the records around the text count too.
const REPLY_FACTOR: usize = 2;
/// The same for the shortest of limits, in which the records weigh more than the text.
const REPLY_BASE: usize = 16 << 10;

/// Sees every crossing between one call's guest and the host.
pub(in crate::runtime) struct HostCallHook {
    reply_bytes: usize,
}

impl HostCallHook {
    /// For a plugin that may answer with that much text. A longer reply is not even copied out of the guest.
    pub(in crate::runtime) fn new(reply_limit: usize) -> Self {
        Self { reply_bytes: reply_limit * REPLY_FACTOR + REPLY_BASE }
    }
}

/// What a crossing has to wait for: nothing, mostly. This takes no memory where it is boxed, and each text that is handed to a
/// guest is two crossings, in and out of its allocator.
struct Passed;

impl Future for Passed {
    type Output = wasmtime::Result<()>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(()))
    }
}

/// As `async_trait` writes it, without a future for what is done at once.
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
            // What is read next is a reply, unless the host is called again before.
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
