//! The functions of the host that a guest may call: one file for each capability, and here the list of all of them.
//!
//! A capability is a view that borrows the [`CallContext`], and its own state of the call where it has some. It says which
//! interfaces it has and which grant it needs, and links itself.

pub mod access;
pub mod config;
pub mod context;
pub mod deferred;
pub mod http;
pub mod interface;
pub mod key_value;
pub mod logging;
pub mod open_api;
pub mod plugin_settings;
pub mod prepared;
pub mod request;
pub mod sealed_values;
pub mod stdio;

use wasmtime::component::Linker;
use wasmtime_wasi_http::WasiHttpHooks;
use wasmtime_wasi_http::WasiHttpView;

use crate::callback::model::Json;
use crate::capability::config::ConfigView;
use crate::capability::context::CallContext;
use crate::capability::deferred::DeferredCards;
use crate::capability::deferred::DeferredView;
use crate::capability::http::HttpCalls;
use crate::capability::interface::Interface;
use crate::capability::interface::RequiredGrant;
use crate::capability::key_value::KeyValueView;
use crate::capability::key_value::OpenBuckets;
use crate::capability::logging::LogShare;
use crate::capability::logging::LoggingView;
use crate::capability::open_api::OpenApiView;
use crate::capability::request::RawCallbackText;
use crate::capability::request::RequestView;
use crate::capability::sealed_values::SealedValuesView;

/// The services of the host for the guest of one call. No part of their state is on the heap until a guest needs it: most
/// guests need none.
pub struct Services {
    /// The subject of the call, and the means to serve it.
    pub context: CallContext,
    state: ServiceState,
}

/// The state that the capabilities keep during one call. No other call may see it.
#[derive(Default)]
struct ServiceState {
    request: RawCallbackText,
    deferred: DeferredCards,
    http: Option<Box<HttpCalls>>,
    key_value: OpenBuckets,
    logging: LogShare,
}

/// The data of a store whose guest runs in a call.
pub trait HasServices: WasiHttpView + 'static {
    /// The services of the call under way.
    fn services(&mut self) -> &mut Services;
}

/// One capability, for stores with that data.
pub struct Capability<T: 'static> {
    /// The interfaces that have exactly one version.
    pub interfaces: &'static [Interface],
    /// The grant without which the capability refuses everything.
    pub grant: Option<RequiredGrant>,
    /// Adds the interfaces to a linker.
    pub link: fn(&mut Linker<T>) -> wasmtime::Result<()>,
}

/// Returns every capability of this host.
pub fn all<T: HasServices>() -> [Capability<T>; 8] {
    [
        Capability {
            interfaces: request::INTERFACES,
            grant: None,
            link: |linker| {
                request::link(linker, |data| {
                    let Services { context, state } = data.services();
                    RequestView { context, state: &mut state.request }
                })
            },
        },
        Capability {
            interfaces: deferred::INTERFACES,
            grant: None,
            link: |linker| {
                deferred::link(linker, |data| {
                    let Services { context, state } = data.services();
                    DeferredView { context, state: &mut state.deferred }
                })
            },
        },
        Capability {
            interfaces: sealed_values::INTERFACES,
            grant: None,
            link: |linker| {
                sealed_values::link(linker, |data| SealedValuesView {
                    context: &data.services().context,
                })
            },
        },
        Capability {
            interfaces: open_api::INTERFACES,
            grant: Some(open_api::GRANT),
            link: |linker| {
                open_api::link(linker, |data| OpenApiView { context: &data.services().context })
            },
        },
        Capability {
            interfaces: config::INTERFACES,
            grant: None,
            link: |linker| {
                config::link(linker, |data| ConfigView {
                    settings: &data.services().context.access.settings,
                })
            },
        },
        Capability {
            interfaces: key_value::INTERFACES,
            grant: Some(key_value::GRANT),
            link: |linker| {
                key_value::link(linker, |data| {
                    let Services { context, state } = data.services();
                    KeyValueView { context, state: &mut state.key_value }
                })
            },
        },
        Capability {
            interfaces: logging::INTERFACES,
            grant: None,
            link: |linker| logging::link(linker, |data| data.services().log()),
        },
        // Any version of WASI 0.2 fits.
        Capability { interfaces: &[], grant: Some(http::GRANT), link: http::link },
    ]
}

impl Services {
    /// The services of a call that begins.
    pub fn new(context: CallContext) -> Self {
        Self { context, state: ServiceState::default() }
    }

    /// Sends the requests of `wasi:http`.
    pub fn http(&mut self) -> &mut dyn WasiHttpHooks {
        let Self { context, state } = self;
        &mut **state.http.get_or_insert_with(|| Box::new(HttpCalls::new(context.clone())))
    }

    /// Returns the last error that the guest wrote to the log.
    pub fn logged_error(&self) -> Option<&str> {
        self.state.logging.last_error()
    }

    /// Ends the call. Writes what its guest printed, and returns the cards to show once the answer is on the wire.
    pub fn finish(mut self, printed: &[u8], printed_beyond: u64) -> Vec<Json> {
        self.log().finish(printed, printed_beyond);
        self.state.deferred.into_vec()
    }

    fn log(&mut self) -> LoggingView<'_> {
        let Self { context, state } = self;
        LoggingView { context, state: &mut state.logging }
    }
}
