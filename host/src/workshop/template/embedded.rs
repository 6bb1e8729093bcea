//! Files that are compiled into the program. The source tree has the only copy of them; `tests/tidy.rs` checks that none is left
//! out.

use crate::workshop::template::Language;

/// Path of a file inside its folder, and its content.
type Embedded = (&'static str, &'static [u8]);

/// An example plugin of `plugins/`.
pub(super) struct Example {
    /// Name that the new plugin's name replaces.
    pub(super) name: &'static str,
    pub(super) files: &'static [Embedded],
}

/// The files below a folder at the root of the source tree.
macro_rules! folder {
    ($folder:literal: $($file:literal)+) => {
        &[$(($file, include_bytes!(concat!("../../../../", $folder, "/", $file)))),+]
    };
}

/// Manifest of the workspace. The SDK's manifest inherits its `[workspace.package]`.
pub(super) const WORKSPACE: &[u8] = include_bytes!("../../../../Cargo.toml");

pub(super) const CONTRACT: &[Embedded] = folder!("wit":
    "deps/config/config.wit" "deps/keyvalue/keyvalue.wit" "deps/logging/logging.wit" "handlers.wit" "host.wit" "types.wit" "world.wit"
);

pub(super) const SDK: &[Embedded] = folder!("plugin-sdk":
    "Cargo.toml" "README.md" "src/action.rs" "src/bindings.rs" "src/card.rs" "src/card/button.rs"
    "src/card/element.rs" "src/card/header.rs" "src/card/text.rs" "src/config.rs" "src/deferred.rs" "src/event.rs"
    "src/export.rs" "src/failure.rs" "src/http.rs" "src/info.rs" "src/json.rs" "src/key_value.rs" "src/lib.rs" "src/log.rs" "src/message.rs" "src/open_api.rs"
    "src/preview.rs" "src/reply.rs" "src/request.rs" "src/sealed.rs" "src/template.rs" "src/toast.rs" "src/translation.rs"
);

const RUST: &[Embedded] = folder!("plugins/hello-rust":
    ".gitignore" "Cargo.lock" "Cargo.toml" "README.md" "callbacks/click.json" "callbacks/form.json"
    "callbacks/link.json" "plugin.toml" "src/lib.rs"
);

const TYPESCRIPT: &[Embedded] = folder!("plugins/hello-typescript":
    ".gitignore" "README.md" "callbacks/click.json" "callbacks/form.json" "callbacks/link.json" "package-lock.json"
    "package.json" "plugin.toml" "src/boundary.ts" "src/contract.d.ts" "src/handlers.ts" "src/host.d.ts" "src/plugin.ts"
    "test/handlers.test.js" "tsconfig.json" "wit/world.wit"
);

const JAVASCRIPT: &[Embedded] = folder!("plugins/hello-javascript":
    ".gitignore" "README.md" "build.js" "callbacks/click.json" "callbacks/form.json" "callbacks/link.json"
    "package-lock.json" "package.json" "plugin.toml" "src/boundary.js" "src/handlers.js" "src/plugin.js"
    "test/handlers.test.js" "wit/world.wit"
);

const PYTHON: &[Embedded] = folder!("plugins/hello-python":
    ".gitignore" "README.md" "callbacks/click.json" "callbacks/form.json" "callbacks/link.json" "plugin.toml"
    "requirements.txt" "src/app.py" "src/boundary.py" "src/handlers.py" "tests/test_handlers.py" "wit/world.wit"
);

const C: &[Embedded] = folder!("plugins/hello-c":
    ".gitignore" "README.md" "bindings/hello.c" "bindings/hello.h" "bindings/hello_component_type.o"
    "callbacks/click.json" "callbacks/form.json" "callbacks/link.json" "plugin.toml" "requirements.txt"
    "src/plugin.c" "src/text.c" "src/text.h" "tests/text.c" "wit/world.wit"
);

const GO: &[Embedded] = folder!("plugins/hello-go":
    ".gitignore" "README.md" "callback.go" "callbacks/click.json" "callbacks/form.json" "callbacks/link.json"
    "go.mod" "handlers.go" "handlers_test.go" "main.go" "plugin.toml" "requirements.txt"
);

const ZIG: &[Embedded] = folder!("plugins/hello-zig":
    ".gitignore" "README.md" "callbacks/click.json" "callbacks/form.json" "callbacks/link.json" "plugin.toml"
    "requirements.txt" "src/handlers.zig" "src/main.zig"
);

pub(super) fn example(language: Language) -> Example {
    let (name, files) = match language {
        Language::Rust => ("hello-rust", RUST),
        Language::Typescript => ("hello-typescript", TYPESCRIPT),
        Language::Javascript => ("hello-javascript", JAVASCRIPT),
        Language::Python => ("hello-python", PYTHON),
        Language::C => ("hello-c", C),
        Language::Go => ("hello-go", GO),
        Language::Zig => ("hello-zig", ZIG),
    };
    Example { name, files }
}
