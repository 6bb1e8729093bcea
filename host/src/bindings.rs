//! The Rust side of `wit/`: the `bindgen!` calls and nothing else.

/// The interfaces that a plugin exports. Arguments are borrowed: a callback has about two dozen strings, and each is copied
/// once, into the guest.
pub mod handlers {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "handlers",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

/// The types that both worlds share. Strings that come from a guest are owned.
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
    // Requests and answers are recorded in the journal, and replayed to another guest.
    additional_derives: [serde::Deserialize, serde::Serialize],
});
