//! The Rust side of `wit/`: the `bindgen!` calls and nothing else.

/// What a guest is asked. What it is told is borrowed: a callback is two dozen texts, and they are copied once, into the guest.
pub mod handlers {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "handlers",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// The types that both have in common. What a guest says is never borrowed.
pub mod said {
    pub use super::handlers::lark::callback::types::*;

    pub type Json = String;
}

wasmtime::component::bindgen!({
    path: "../wit",
    world: "host-services",
    imports: {
        "lark:callback/open-api.call": async,
        "wasi:keyvalue/store.[method]bucket.get": async,
        "wasi:keyvalue/store.[method]bucket.set": async,
        "wasi:keyvalue/store.[method]bucket.delete": async,
        "wasi:keyvalue/store.[method]bucket.exists": async,
        "wasi:keyvalue/store.[method]bucket.list-keys": async,
        "wasi:keyvalue/atomics.increment": async,
    },
    with: { "lark:callback/types": said },
    // What a guest asked and was told is kept, and told to another one.
    additional_derives: [serde::Deserialize, serde::Serialize],
});
