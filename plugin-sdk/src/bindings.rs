//! The bindings generated from `../wit`, and nothing else: no type of this crate is written here.
//!
//! One block for what a plugin may import and the types everything shares, then one block per
//! interface a plugin may export. They are apart because a component must export exactly what its
//! author named: `pub_export_macro` moves the description of an export into the macro that makes it,
//! so an interface that nobody named leaves no trace in the finished component.

#![allow(missing_docs, unsafe_code, reason = "generated code")]

wit_bindgen::generate!({
    path: "../wit",
    world: "lark:callback/host-services",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq, Eq],
});

pub mod card_action {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world card-action { export lark:callback/card-action-handler@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        pub_export_macro: true,
    });
}

pub mod link_preview {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world link-preview { export lark:callback/link-preview-handler@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        pub_export_macro: true,
    });
}

pub mod legacy_card {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world legacy-card { export lark:callback/legacy-card-handler@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        pub_export_macro: true,
    });
}

pub mod event {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world event { export lark:callback/event-handler@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        pub_export_macro: true,
    });
}

pub mod callback {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world callback { export lark:callback/callback-handler@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        pub_export_macro: true,
    });
}

pub mod info {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package aviary:exports; world info { export lark:callback/plugin-info@0.1.0; }",
        with: { "lark:callback/types@0.1.0": crate::bindings::lark::callback::types },
        additional_derives: [PartialEq, Eq, Default],
        pub_export_macro: true,
    });
}
