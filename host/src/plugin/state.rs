//! What a store holds: one context for each capability, and nothing that outlives the call.

use wasmtime_wasi::ResourceTable;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::WasiCtxView;
use wasmtime_wasi::WasiView;

use crate::capability::config::ConfigCtx;
use crate::capability::deferred::DeferredCtx;
use crate::capability::logging::LoggingCtx;
use crate::capability::open_api::OpenApiCtx;
use crate::capability::request::RequestCtx;
use crate::capability::stdio::Printed;
use crate::plugin::limits::InstanceLimiter;
use crate::plugin::limits::MAX_HANDLES;
use crate::plugin::meter::Turn;

/// Random bytes a guest gets at once. A key needs 32; the host makes them in one go, and nobody else runs meanwhile.
const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// The data of one store.
pub(super) struct GuestState {
    pub(super) wasi: Wasi,
    pub(super) limiter: InstanceLimiter,
    pub(super) turn: Turn,
    pub(super) request: RequestCtx,
    pub(super) deferred: DeferredCtx,
    pub(super) open_api: OpenApiCtx,
    pub(super) config: ConfigCtx,
    pub(super) logging: LoggingCtx,
}

/// WASI with nothing granted: clocks and randomness, output to the log; no arguments, no environment, no files, no
/// sockets.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    pub(super) printed: Printed,
}

impl Wasi {
    /// Keeps at most `log_bytes` of what the guest prints.
    pub(super) fn new(log_bytes: usize) -> Self {
        let printed = Printed::new(log_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let ctx = WasiCtxBuilder::new()
            .max_random_size(MAX_RANDOM_BYTES)
            .stdout(printed.clone())
            .stderr(printed.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self { ctx, table, printed }
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.ctx, table: &mut self.wasi.table }
    }
}
