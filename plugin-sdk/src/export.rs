//! `export!`, which turns plain functions into the interfaces a component exports.

/// Exports the named functions as this plugin's handlers. A component answers exactly what is named
/// here: the host routes by what a component exports.
///
/// | name | function | answers |
/// |---|---|---|
/// | `card_action` | `fn(CardAction) -> Result<CardReply, Failure>` | `card.action.trigger` |
/// | `link_preview` | `fn(PreviewRequest) -> Result<PreviewReply, Failure>` | `url.preview.get` |
/// | `legacy_card` | `fn(CardAction) -> Result<LegacyReply, Failure>` | `card.action.trigger_v1` |
/// | `event` | `fn(Event) -> Result<(), Failure>` | any event |
/// | `callback` | `fn(Header, String) -> Result<String, Failure>` | any callback, JSON in and JSON out |
/// | `info` | `fn() -> Info` | nothing: the plugin's name and routes, asked for when it is loaded |
///
/// Names may come in any order and any combination, each at most once, in one `export!` per plugin.
/// A handler is any expression that is such a function: a path, or a closure that captures nothing.
///
/// ```
/// use aviary_sdk::{CardAction, CardReply, Event, Failure, Info, Toast};
///
/// aviary_sdk::export!(card_action: on_click, event: |_event| Ok(()), info: describe);
///
/// fn on_click(action: CardAction) -> Result<CardReply, Failure> {
///     Ok(Toast::info(action.action.tag).into())
/// }
///
/// fn describe() -> Info {
///     Info::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
/// }
/// ```
///
/// The entry points themselves exist only in a WebAssembly build, so the same crate's unit tests
/// build and run natively. They are unmangled functions, which is `unsafe` in Rust's eyes: the
/// expansion carries its own `allow(unsafe_code)`, so a plugin may *deny* unsafe code but not
/// *forbid* it.
#[macro_export]
macro_rules! export {
    ($($interface:ident: $handler:expr),+ $(,)?) => {
        $($crate::__export_one!($interface: $handler);)+
    };
}

/// One interface of [`export!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __export_one {
    (card_action: $handler:expr) => {
        $crate::__export_as!(
            card_action, card_action_handler, $handler,
            handle(action: $crate::CardAction)
                -> ::core::result::Result<$crate::CardReply, $crate::Failure>
        );
    };
    (link_preview: $handler:expr) => {
        $crate::__export_as!(
            link_preview, link_preview_handler, $handler,
            handle(request: $crate::PreviewRequest)
                -> ::core::result::Result<$crate::PreviewReply, $crate::Failure>
        );
    };
    (legacy_card: $handler:expr) => {
        $crate::__export_as!(
            legacy_card, legacy_card_handler, $handler,
            handle(action: $crate::CardAction)
                -> ::core::result::Result<$crate::LegacyReply, $crate::Failure>
        );
    };
    (event: $handler:expr) => {
        $crate::__export_as!(
            event, event_handler, $handler,
            handle(event: $crate::Event) -> ::core::result::Result<(), $crate::Failure>
        );
    };
    (callback: $handler:expr) => {
        $crate::__export_as!(
            callback, callback_handler, $handler,
            handle(header: $crate::Header, event: $crate::Json)
                -> ::core::result::Result<$crate::Json, $crate::Failure>
        );
    };
    (info: $handler:expr) => {
        $crate::__export_as!(info, plugin_info, $handler, describe() -> $crate::Info);
    };
    ($unknown:ident: $handler:expr) => {
        ::core::compile_error!(::core::concat!(
            "a plugin cannot export `",
            ::core::stringify!($unknown),
            "`: the names are card_action, link_preview, legacy_card, event, callback and info"
        ));
    };
}

/// Implements one generated trait with one function and, in a component, makes its entry points.
// NB: the type's name is one that no plugin uses, because items are not hygienic: a plugin that passes
// `Plugin::on_click` must not have its own `Plugin` hidden by this one.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_as {
    (
        $world:ident, $interface:ident, $handler:expr,
        $function:ident($($argument:ident: $kind:ty),*) -> $reply:ty
    ) => {
        #[allow(unsafe_code, reason = "a component's entry points are unmangled functions")]
        #[allow(dead_code, reason = "only a WebAssembly build has the entry points that use it")]
        const _: () = {
            struct __AviaryPlugin;

            impl $crate::bindings::$world::exports::lark::callback::$interface::Guest
                for __AviaryPlugin
            {
                fn $function($($argument: $kind),*) -> $reply {
                    let handler: fn($($kind),*) -> $reply = $handler;
                    handler($($argument),*)
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::$world::export!(
                __AviaryPlugin with_types_in $crate::bindings::$world
            );
        };
    };
}

/// Compiles every interface at once, closures and paths mixed, in a module that denies unsafe code and
/// has a `Plugin` of its own. The traits behind the macro would refuse any other type than the shared ones.
#[cfg(test)]
#[deny(unsafe_code)]
mod every_interface {
    use crate::Info;
    use crate::PreviewReply;
    use crate::Toast;

    struct Plugin;

    impl Plugin {
        fn describe() -> Info {
            Info::default()
        }
    }

    crate::export!(
        info: Plugin::describe,
        callback: |_header, event| Ok(event),
        event: |_event| Ok(()),
        legacy_card: |_action| Ok(Toast::info("old").into()),
        link_preview: |request| Ok(PreviewReply::titled(request.url)),
        card_action: |_action| Ok(Toast::info("new").into()),
    );
}
