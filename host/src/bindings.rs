//! The Rust side of `wit/`: the `bindgen!` call and nothing else.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: {
        "lark:callback/open-api.call": async,
        "wasi:keyvalue/store.[method]bucket.get": async,
        "wasi:keyvalue/store.[method]bucket.set": async,
        "wasi:keyvalue/store.[method]bucket.delete": async,
        "wasi:keyvalue/store.[method]bucket.exists": async,
        "wasi:keyvalue/store.[method]bucket.list-keys": async,
        "wasi:keyvalue/atomics.increment": async,
    },
    exports: { default: async },
    // What a guest asked and was told is kept, and told to another one.
    additional_derives: [serde::Deserialize, serde::Serialize],
});
