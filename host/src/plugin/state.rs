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
use crate::plugin::limits::MemoryLimiter;

/// The data of one store.
pub(super) struct GuestState {
    pub(super) wasi: Wasi,
    pub(super) memory: MemoryLimiter,
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
    pub(super) fn new() -> Self {
        let printed = Printed::default();
        let ctx = WasiCtxBuilder::new()
            .stdout(printed.clone())
            .stderr(printed.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self { ctx, table: ResourceTable::new(), printed }
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.ctx, table: &mut self.wasi.table }
    }
}
