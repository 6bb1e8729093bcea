//! `lark:callback/request`: the raw callback for plugins that need it, and the remaining time.

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::lark::callback::request;
use crate::capability::context::CallContext;
use crate::capability::interface::CONTRACT_VERSION;
use crate::capability::interface::Interface;

pub const INTERFACES: &[Interface] = &[Interface {
    name: "lark:callback/request",
    version: CONTRACT_VERSION,
    functions: &["raw", "remaining-ms"],
}];

/// The callback without its secrets, after a guest has asked for it: it is parsed once in a call, however often a guest asks.
#[derive(Debug, Default)]
pub struct RawCallbackText(Option<String>);

/// Shows a guest the callback that it answers.
pub struct RequestView<'a> {
    pub context: &'a CallContext,
    pub state: &'a mut RawCallbackText,
}

impl HasData for RequestView<'static> {
    type Data<'a> = RequestView<'a>;
}

pub fn link<T>(
    linker: &mut Linker<T>,
    view: fn(&mut T) -> RequestView<'_>,
) -> wasmtime::Result<()> {
    request::add_to_linker::<T, RequestView<'static>>(linker, view)
}

impl request::Host for RequestView<'_> {
    fn raw(&mut self) -> String {
        let RawCallbackText(text) = &mut *self.state;
        text.get_or_insert_with(|| self.context.callback.raw().without_secrets()).clone()
    }

    fn remaining_ms(&mut self) -> u32 {
        self.context.remaining_ms()
    }
}
