//! The data of a store: the instance's, and that of its current call.

use std::sync::Arc;

use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::WasiCtxView;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi_http::WasiHttpCtx;
use wasmtime_wasi_http::WasiHttpCtxView;
use wasmtime_wasi_http::WasiHttpView;

use crate::capability::HasServices;
use crate::capability::Services;
use crate::capability::http;
use crate::capability::stdio::Printed;
use crate::runtime::call::CallData;
use crate::runtime::call::command_input::CommandInput;
use crate::runtime::call::command_input::REMAINING;
use crate::runtime::call::taped::Taped;
use crate::runtime::limits::MAX_HANDLES;
use crate::runtime::machine::Machine;
use crate::runtime::machine::StaleMemory;
use crate::runtime::memory::InstanceLimiter;
use crate::tape::Tape;

/// Random bytes that a guest gets at once. A key needs 32. The host makes them in one go, during which no other guest runs on
/// the thread.
const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// The data of one store.
pub(in crate::runtime) struct GuestState {
    pub(in crate::runtime) wasi: Wasi,
    pub(in crate::runtime) limiter: InstanceLimiter,
    /// `None` between two calls.
    pub(in crate::runtime) call: Option<CallData>,
    pub(in crate::runtime) machine: Arc<Machine>,
}

impl GuestState {
    /// Called before guest code runs. If memory or a table was taken from the pool since the last check, fails unless the
    /// machine wipes them reliably.
    pub(in crate::runtime) fn check_memory(&mut self) -> Result<(), StaleMemory> {
        let is_new = self.limiter.take_news();
        if is_new && self.machine.may_leak() { Err(StaleMemory) } else { Ok(()) }
    }

    /// Returns the current call.
    pub(in crate::runtime) fn call(&mut self) -> &mut CallData {
        under_way(&mut self.call)
    }
}

fn under_way(call: &mut Option<CallData>) -> &mut CallData {
    call.as_mut().unwrap_or_else(|| unreachable!("a guest runs only in a call"))
}

/// WASI without grants: clocks, random numbers, and output to the log; no files and no sockets. Arguments, environment and
/// standard input are for commands.
pub(in crate::runtime) struct Wasi {
    /// For components and for programs of WASI preview 1. Made when the guest first uses it, because seeding its random
    /// numbers costs the most.
    ctx: Option<WasiP1Ctx>,
    http: WasiHttpCtx,
    pub(in crate::runtime) printed: Printed,
    /// The standard output of a command, which is its reply.
    pub(in crate::runtime) answer: Option<Printed>,
    taped: Option<Taped>,
}

impl Wasi {
    /// Keeps at most `log_bytes` of the guest's output.
    pub(in crate::runtime) fn new(log_bytes: usize, tape: &Tape) -> Self {
        let (printed, taped) = (Printed::new(log_bytes), Taped::of(tape));
        Self { ctx: None, http: http::limits(), printed, answer: None, taped }
    }

    /// Makes the WASI of a command, whose standard output is its reply instead of log lines.
    pub(in crate::runtime) fn command(
        log_bytes: usize,
        given: CommandInput<'_>,
        tape: &Tape,
    ) -> Self {
        let (printed, answer) = (Printed::new(log_bytes), Printed::new(given.reply_bytes));
        let taped = Taped::of(tape);
        let mut builder = nothing_granted(&printed, taped.as_ref());
        builder
            .arg(given.name)
            .envs(&given.environment)
            .env(REMAINING, given.remaining_ms.to_string())
            .stdin(MemoryInputPipe::new(given.input))
            .stdout(answer.clone());
        let ctx = Some(built(&mut builder));
        Self { ctx, http: http::limits(), printed, answer: Some(answer), taped }
    }

    /// Switches to the tape of another call.
    pub(in crate::runtime) fn begin_call(&self, tape: &Tape) {
        if let Some(taped) = &self.taped {
            taped.change(tape);
        }
    }

    pub(in crate::runtime) fn ctx(&mut self) -> &mut WasiP1Ctx {
        let Self { ctx, printed, taped, .. } = self;
        made(ctx, printed, taped.as_ref())
    }
}

/// Returns the guest's WASI, and makes it if necessary.
fn made<'a>(
    ctx: &'a mut Option<WasiP1Ctx>,
    printed: &Printed,
    taped: Option<&Taped>,
) -> &'a mut WasiP1Ctx {
    ctx.get_or_insert_with(|| built(nothing_granted(printed, taped).stdout(printed.clone())))
}

/// Calls that are not recorded use the system's clocks and random numbers directly, which costs nothing more.
fn nothing_granted(printed: &Printed, taped: Option<&Taped>) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder.max_random_size(MAX_RANDOM_BYTES).stderr(printed.errors());
    builder.allow_tcp(false).allow_udp(false);
    if let Some(taped) = taped {
        taped.give_to(&mut builder);
    }
    builder
}

fn built(builder: &mut WasiCtxBuilder) -> WasiP1Ctx {
    let mut ctx = builder.build_p1();
    ctx.ctx().table.set_max_capacity(MAX_HANDLES);
    ctx
}

impl HasServices for GuestState {
    fn services(&mut self) -> &mut Services {
        &mut self.call().services
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx().ctx()
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { wasi, call, .. } = self;
        let Wasi { ctx, http, printed, taped, .. } = wasi;
        let table = made(ctx, printed, taped.as_ref()).ctx().table;
        WasiHttpCtxView { hooks: under_way(call).services.http(), table, ctx: http }
    }
}
