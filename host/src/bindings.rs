//! The Rust side of `wit/`: the `bindgen!` call and nothing else.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: { "lark:callback/open-api.call": async },
    exports: { default: async },
});
