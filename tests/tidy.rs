//! Checks the source tree's own rules: layers, sizes, names, and documents that match the code.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/structs.rs"]
mod structs;

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::excuse;

/// The host and the crates that it consists of. Cargo enforces the dependencies between them; the modules of each are in layers.
const CRATES: [&str; 7] = [
    "host",
    "host/guarded-http",
    "host/lark-card",
    "host/lark-simulator",
    "host/lark-wire",
    "host/named-fields",
    "host/state",
];

/// Maximum lines of a Rust file. A longer file has more than one purpose.
const LONGEST_FILE: usize = 600;

/// Names that say nothing about their content.
const BANNED_NAMES: [&str; 8] =
    ["mod", "util", "utils", "helper", "helpers", "common", "misc", "manager"];

/// Folders with files of others.
const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "deps"];

/// Subcommands of cargo that the documents may name; any other has to be an alias in `.cargo/config.toml`.
const CARGO_COMMANDS: [&str; 11] =
    ["build", "clippy", "doc", "fmt", "fuzz", "install", "new", "run", "test", "add", "component"];

#[test]
fn a_layer_uses_only_lower_layers() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let source = Source::of(folder)?;
        for file in source.files()? {
            let Some(layer) = source.layer_of(&file)? else { continue };
            for (number, line) in code_lines(&file)? {
                for used in source.uses(&line) {
                    if !source.may_use(&layer, &used)? {
                        wrong.push(format!(
                            "{}:{number}: `{layer}` must not use `{used}`",
                            file.display()
                        ));
                    }
                }
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_module_has_a_layer() -> anyhow::Result<()> {
    for folder in CRATES {
        let source = Source::of(folder)?;
        for file in source.files()? {
            if let Some(layer) = source.layer_of(&file)? {
                ensure!(
                    source.layers.contains(&layer),
                    "{}: `{layer}` is not listed in lib.rs",
                    file.display()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn every_crate_of_the_host_is_looked_at() -> anyhow::Result<()> {
    let mut found = Vec::new();
    for manifest in files("host", "toml")? {
        if manifest.ends_with("Cargo.toml") {
            let folder = manifest.parent().context("a manifest is in a folder")?;
            found.push(folder.strip_prefix(source_root())?.to_string_lossy().into_owned());
        }
    }
    found.sort();
    ensure!(found == CRATES, "CRATES lists {CRATES:?}, and there are {found:?}");
    Ok(())
}

#[test]
fn paths_can_be_checked_as_text() -> anyhow::Result<()> {
    for file in host_files()? {
        for (number, line) in code_lines(&file)? {
            let at = format!("{}:{number}", file.display());
            ensure!(
                !line.contains("crate::{"),
                "{at}: one `use` for each path, so that layers can be checked"
            );
            ensure!(!line.contains("super::super"), "{at}: write the path from `crate::`");
        }
    }
    Ok(())
}

#[test]
fn every_rust_file_says_what_it_is() -> anyhow::Result<()> {
    for file in all_rust_files()? {
        let text = read(&file)?;
        ensure!(text.starts_with("//!"), "{}: the first line is not `//!`", file.display());
    }
    Ok(())
}

#[test]
fn no_file_is_too_long() -> anyhow::Result<()> {
    for file in all_rust_files()? {
        let lines = read(&file)?.lines().count();
        ensure!(lines <= LONGEST_FILE, "{}: {lines} lines, {LONGEST_FILE} at most", file.display());
    }
    Ok(())
}

#[test]
fn file_names_say_what_is_inside() -> anyhow::Result<()> {
    for file in all_rust_files()? {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        ensure!(!BANNED_NAMES.contains(&stem), "{}: a name that says nothing", file.display());
    }
    Ok(())
}

/// Calls that open a file for reading, other than by `small_file`.
const READS: [&str; 12] = [
    "fs::read(",
    "fs::read_to_string(",
    "fs::copy(",
    "File::open(",
    "File::options(",
    "OpenOptions::new(",
    "fs::open(",
    "fs::openat(",
    "fs::openat2(",
    "tokio::fs::",
    "from_pem_file(",
    "pem_file_iter(",
];

/// Modules that may open files themselves, with the reason.
const OPENS_FILES: [(&str, &str); 6] = [
    ("small_file", "it is the one way"),
    ("runtime/code_cache", "it verifies who owns what it opens, below a folder that is held open"),
    ("runtime/compiler", "the file is one of the kernel"),
    ("runtime/machine/swap", "the files are the kernel's"),
    ("journal/ring", "it creates the file that it writes"),
    ("store/file", "the database reads and writes, and the file is checked by `small_file`"),
];

#[test]
fn files_are_read_in_one_way() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for file in host_files()? {
        let inside = file.strip_prefix(source_root().join("host"))?.to_string_lossy();
        let is_exempt = OPENS_FILES.iter().any(|(module, _)| {
            inside.strip_prefix("src/").is_some_and(|path| path.starts_with(module))
        });
        if is_exempt || inside.ends_with("tests.rs") {
            continue;
        }
        for (number, line) in code_lines(&file)? {
            // Tests stand at the end of a file.
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            // Only the kernel creates files in its own file systems.
            let is_the_kernels = line.contains("\"/proc/") || line.contains("\"/sys/");
            if READS.iter().any(|read| line.contains(read)) && !is_the_kernels {
                wrong.push(format!(
                    "{inside}:{number}: read files by `small_file`: {}",
                    line.trim()
                ));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Layers that know the engine. All others see plugins, calls and replies.
const KNOW_WASMTIME: [&str; 3] = ["bindings", "capability", "runtime"];

#[test]
fn few_layers_name_wasmtime() -> anyhow::Result<()> {
    let mut named_by = BTreeSet::new();
    let source = Source::of("host")?;
    for file in source.files()? {
        let Some(layer) = source.layer_of(&file)? else { continue };
        for (number, line) in code_lines(&file)? {
            let names = ["wasmtime::", "wasmtime_"].iter().any(|name| line.contains(name));
            ensure!(
                !names || KNOW_WASMTIME.contains(&layer.as_str()),
                "{}:{number}: `{layer}` must not name wasmtime",
                file.display()
            );
            if names {
                named_by.insert(layer.clone());
            }
        }
    }
    ensure!(
        KNOW_WASMTIME.iter().all(|layer| named_by.contains(*layer)),
        "KNOW_WASMTIME lists {KNOW_WASMTIME:?}, and wasmtime is named by {named_by:?} alone"
    );
    Ok(())
}

/// Printed text passes through the one function that removes control characters.
#[test]
fn commands_print_in_one_way() -> anyhow::Result<()> {
    for file in host_files()? {
        if file.ends_with("terminal.rs") || file.ends_with("tests.rs") {
            continue;
        }
        for (number, line) in code_lines(&file)? {
            let prints = ["println!(", "print!("].iter().any(|print| line.contains(print));
            ensure!(!prints, "{}:{number}: print by `terminal`", file.display());
        }
    }
    Ok(())
}

/// Modules that look up members of foreign JSON, headers and files by name, because that is their input. Data of the host itself
/// has a type: no line may be added for it, and an unused line is removed.
const READS_BY_NAME: [(&str, &str); 11] = [
    ("callback/", "cards and callbacks are the platform's and the plugins'"),
    ("demo/leave.rs", "the card is the plugin's"),
    ("demo/scenario.rs", "the card is the plugin's"),
    ("doctor/", "the answers are the platform's"),
    ("inbox/lane.rs", "the path is the operator's, and the value the platform's"),
    ("ingress/long_connection/endpoint.rs", "the answer is the platform's"),
    ("ingress/webhook.rs", "the headers are the platform's"),
    ("open_api/wire.rs", "the headers are the platform's"),
    ("plugin/route.rs", "the path is the operator's, and the value the plugin's"),
    ("simulator/", "it plays the platform, and reads what the host sent"),
    ("workshop/template.rs", "the file is Cargo's"),
];

/// Log messages, reports and outcomes are for outside readers. The host makes its own decisions by types, never by comparing
/// these texts.
#[test]
fn nothing_is_decided_by_the_host_s_own_words() -> anyhow::Result<()> {
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for file in rust_files("host/src")? {
        let inside = file.strip_prefix(source_root().join("host/src"))?.to_string_lossy();
        if inside.ends_with("tests.rs") || inside.contains("fuzzing") {
            continue;
        }
        let reads_by_name = READS_BY_NAME.iter().find(|(module, _)| inside.starts_with(module));
        for (number, line) in code_lines(&file)? {
            // Tests stand at the end of a file.
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            match reads_by_name {
                _ if !decides_by_words(&line) => {}
                Some((module, _)) => drop(needed.insert(*module)),
                None => wrong.push(format!("{inside}:{number}: decide by a type: {}", line.trim())),
            }
        }
    }
    let listed = READS_BY_NAME.iter().map(|(module, _)| *module);
    let idle = listed.filter(|module| !needed.contains(module)).collect::<Vec<_>>();
    ensure!(idle.is_empty(), "READS_BY_NAME: no longer needed: {}", idle.join(", "));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Code that compares a message or a variant's word, or finds a member by its name.
const DECIDES_BY_WORDS: [&str; 8] = [
    ".message ==",
    ".message !=",
    ".what() ==",
    ".what() !=",
    ".as_str() == \"",
    ".as_str() != \"",
    ".get(\"",
    ".pointer(",
];

fn decides_by_words(line: &str) -> bool {
    let indexes = line.match_indices("[\"").any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | ')' | ']'))
    });
    indexes || DECIDES_BY_WORDS.iter().any(|words| line.contains(words))
}

#[test]
fn what_decides_by_words_is_found() {
    for line in [
        "if said.message != SAID[0] {",
        "self.message == GUEST_LINE",
        r#"line.message.as_str() == "plugin live""#,
        r#"difference.what() == "asked""#,
        r#"if plugin["live"] == true {"#,
        r#"self.host.plugins().pointer("/apps/0/plugins")"#,
        r#"if outcome.as_str() == "trap" {"#,
    ] {
        assert!(decides_by_words(line), "{line}");
    }
    for line in [
        r#"Offer { functions: &["call"] }"#,
        "if entry.outcome != outcome {",
        r#"json!({ "message": message })"#,
        "same(&self.app, entry.app.as_str())",
    ] {
        assert!(!decides_by_words(line), "{line}");
    }
}

#[test]
fn no_compiled_plugin_is_tracked() -> anyhow::Result<()> {
    if !source_root().join(".git").exists() {
        excuse::skipped("no repository, as in a source archive, so nothing is tracked");
        return Ok(());
    }
    let listed = Command::new("git")
        .args(["ls-files", "*.wasm", "*.cwasm"])
        .current_dir(source_root())
        .output()
        .context("cannot run git")?;
    ensure!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    ensure!(listed.is_empty(), "compiled plugins are built, not kept: {listed}");
    Ok(())
}

#[test]
fn every_guest_is_used_by_a_test() -> anyhow::Result<()> {
    let mut users = String::new();
    for folder in ["tests/e2e", "tests/soak", "tests/versus"] {
        for file in rust_files(folder)? {
            users += &read(&file)?;
        }
    }
    for file in files("tests/cases", "toml")? {
        users += &read(&file)?;
    }
    let guests = aviary_e2e::artifacts::package_names("tests/guests")?;
    ensure!(!guests.is_empty(), "no guest was found");
    for guest in guests {
        ensure!(users.contains(&format!("\"{guest}\"")), "tests/guests/{guest} is used by no test");
    }
    Ok(())
}

#[test]
fn every_file_of_a_template_is_in_the_program() -> anyhow::Result<()> {
    let listed = read(&source_root().join("host/src/workshop/template/embedded.rs"))?;
    let mut folders = vec!["wit".to_owned(), "plugin-sdk".to_owned()];
    for entry in std::fs::read_dir(source_root().join("plugins"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("hello-") {
            folders.push(format!("plugins/{name}"));
        }
    }
    for folder in folders {
        let (_, list) = listed
            .split_once(&format!("folder!(\"{folder}\":"))
            .with_context(|| format!("{folder} is no template"))?;
        let (list, _) = list.split_once(");").context("the list ends")?;
        for file in tracked(&folder)? {
            // The list need not have the WASI interfaces in `wit/deps`, nor files of `wit` other than `.wit`.
            let own = !file.starts_with("wit/deps") && (folder != "wit" || file.ends_with(".wit"));
            ensure!(!own || list.contains(&format!("\"{file}\"")), "{folder}/{file} is not listed");
        }
    }
    Ok(())
}

/// `cargo test` gives the committed corpus of each fuzz target to its function, in the crate that has the function.
#[test]
fn every_fuzz_target_is_replayed() -> anyhow::Result<()> {
    let mut replayed = String::new();
    for file in host_files()? {
        if file.ends_with("fuzzing.rs") {
            replayed += &read(&file)?;
        }
    }
    let targets = rust_files("tests/fuzz/targets")?;
    ensure!(!targets.is_empty(), "there are no fuzz targets");
    for target in targets {
        let name = target.file_stem().and_then(|stem| stem.to_str()).context("a name")?;
        ensure!(replayed.contains(&format!("(\"{name}\", {name})")), "{name} is not replayed");
    }
    Ok(())
}

#[test]
fn every_promise_names_a_test_that_exists() -> anyhow::Result<()> {
    let known = known_tests()?;
    for document in ["ARCHITECTURE.md", "SECURITY.md"] {
        let text = read(&source_root().join(document))?;
        let named: Vec<_> = backticked(&text)
            .filter(|text| text.starts_with("e2e::") || text.starts_with("tidy::"))
            .collect();
        ensure!(!named.is_empty(), "{document} names no test");
        for name in named {
            ensure!(known.contains(name), "{document} names `{name}`, and there is no such test");
        }
    }
    Ok(())
}

/// Every promise in `ARCHITECTURE.md` names an end-to-end test.
#[test]
fn every_promise_names_a_test() -> anyhow::Result<()> {
    let text = read(&source_root().join("ARCHITECTURE.md"))?;
    let (_, promises) = text.split_once("\n## Promises").context("no promises")?;
    let promises = promises.split("\n## ").next().unwrap_or_default();
    let mut count = 0;
    for promise in promises.split("\n").collect::<Vec<_>>().chunk_by(|_, next| !is_numbered(next)) {
        let promise = promise.join("\n");
        if is_numbered(&promise) {
            count += 1;
            let names_a_test = backticked(&promise).any(|name| name.starts_with("e2e::"));
            ensure!(names_a_test, "no test is named for: {promise}");
        }
    }
    ensure!(count > 0, "no promise was found");
    Ok(())
}

/// Returns true if the line begins an entry of a numbered list.
fn is_numbered(line: &str) -> bool {
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < line.len() && digits.starts_with(". ")
}

#[test]
fn every_command_in_the_documents_exists() -> anyhow::Result<()> {
    let aliases = read(&source_root().join(".cargo/config.toml")).unwrap_or_default();
    let aliases: toml::Table = aliases.parse()?;
    let aliases = aliases.get("alias").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let mut seen = 0;
    for document in documents()? {
        for command in shell_commands(&read(&document)?) {
            seen += 1;
            let mut words = command
                .split_whitespace()
                .filter(|word| !word.contains('='))
                .skip_while(|word| *word == "$");
            let (program, subcommand) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let exists = program != "cargo"
                || CARGO_COMMANDS.contains(&subcommand)
                || aliases.contains_key(subcommand);
            ensure!(
                exists,
                "{}: `{command}`: there is no `cargo {subcommand}`",
                document.display()
            );
        }
    }
    ensure!(seen > 0, "no document has a command");
    Ok(())
}

#[test]
fn every_link_in_the_documents_leads_somewhere() -> anyhow::Result<()> {
    let mut seen = 0;
    for document in documents()? {
        let text = read(&document)?;
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.contains(' ') {
                continue;
            }
            let resolved = document.parent().unwrap_or(Path::new("")).join(path);
            ensure!(resolved.exists(), "{}: {target} is not there", document.display());
            seen += 1;
        }
    }
    ensure!(seen > 0, "no document has a link");
    Ok(())
}

/// Source files of one crate.
struct Source {
    folder: PathBuf,
    /// Prefixes of paths to a module of this crate: in the library, and in the program beside it.
    roots: [String; 2],
    /// The modules as `lib.rs` lists them, lowest first; the program itself is above them all.
    layers: Vec<String>,
}

impl Source {
    fn of(folder: &str) -> anyhow::Result<Self> {
        let folder = source_root().join(folder);
        let manifest: toml::Table = read(&folder.join("Cargo.toml"))?.parse()?;
        let name = manifest["package"]["name"].as_str().context("a package has a name")?;
        let roots = ["crate::".to_owned(), format!("{}::", name.replace('-', "_"))];
        let folder = folder.join("src");
        let lib = read(&folder.join("lib.rs"))?;
        let modules = lib.lines().filter_map(|line| {
            line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')
        });
        let layers: Vec<_> = modules.chain(["main"]).map(str::to_owned).collect();
        ensure!(layers.len() > 1, "{}: lib.rs lists the layers", folder.display());
        Ok(Self { folder, roots, layers })
    }

    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        files_below(&self.folder, "rs")
    }

    /// Returns the layer of a file: `plugin` for `host/src/plugin/engine.rs`, `None` for `lib.rs`, which lists the layers.
    fn layer_of(&self, file: &Path) -> anyhow::Result<Option<String>> {
        let inside = file.strip_prefix(&self.folder)?;
        let first = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        let layer = first.trim_end_matches(".rs").to_owned();
        Ok(if layer == "lib" { None } else { Some(layer) })
    }

    fn may_use(&self, layer: &str, used: &str) -> anyhow::Result<bool> {
        let first = used.split("::").next().unwrap_or_default();
        let rank = |name: &str| self.layers.iter().position(|layer| layer == name);
        let own = rank(layer).with_context(|| format!("`{layer}` is not listed in lib.rs"))?;
        // A macro or an item at the crate's root belongs to no layer.
        Ok(rank(first).is_none_or(|other| other <= own))
    }

    /// Returns the paths in a line that start at the crate's root: `callback::reply::Reply` for `crate::callback::reply::Reply`.
    fn uses(&self, line: &str) -> Vec<String> {
        let path = |rest: &str| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                .collect::<String>()
        };
        self.roots.iter().flat_map(|root| line.split(root.as_str()).skip(1)).map(path).collect()
    }
}

/// Lists the source files of the host and of the crates that it consists of.
fn host_files() -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in CRATES {
        found.extend(rust_files(&format!("{folder}/src"))?);
    }
    Ok(found)
}

/// Returns the lines of a file that are code, with their numbers.
fn code_lines(file: &Path) -> anyhow::Result<Vec<(usize, String)>> {
    let text = read(file)?;
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    Ok(code.map(|(index, line)| (index + 1, line.to_owned())).collect())
}

/// Collects the names of all tests from the sources, such as `e2e::reload::a_swap_loses_no_callback`.
fn known_tests() -> anyhow::Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    let mut sources: Vec<_> =
        rust_files("tests/e2e")?.into_iter().map(|file| ("e2e::", file)).collect();
    sources.push(("", source_root().join("tests/tidy.rs")));
    for (prefix, file) in sources {
        let module = module_path(&file);
        let text = read(&file)?;
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("async fn ").or(line.strip_prefix("fn ")) {
                if is_test && let Some(name) = rest.split('(').next() {
                    known.insert(format!("{prefix}{module}::{name}"));
                }
                is_test = false;
            } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if line.starts_with("#[ignore") {
                // An ignored test keeps no promise.
                is_test = false;
            }
        }
    }
    Ok(known)
}

/// Returns the module of a test file: `attacks::swap` for `tests/e2e/attacks/swap.rs`, `tidy` for `tests/tidy.rs`.
fn module_path(file: &Path) -> String {
    let tests = source_root().join("tests");
    let inside = file.strip_prefix(tests.join("e2e")).or(file.strip_prefix(&tests)).unwrap_or(file);
    let names = inside.iter().filter_map(|part| part.to_str());
    names.map(|name| name.trim_end_matches(".rs")).collect::<Vec<_>>().join("::")
}

/// Lists the files below a folder that git tracks; empty without a repository.
fn tracked(folder: &str) -> anyhow::Result<Vec<String>> {
    if !source_root().join(".git").exists() {
        excuse::skipped("no repository, as in a source archive, so nothing is tracked");
        return Ok(Vec::new());
    }
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "."])
        .current_dir(source_root().join(folder))
        .output()
        .context("cannot run git")?;
    Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
}

fn backticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the lines of the fenced shell blocks, without the commands' output.
fn shell_commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (inside, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                inside = Some(matches!(language, "sh" | "shell" | "console" | "bash"))
            }
            (Some(_), Some(_)) => inside = None,
            (Some(true), None) => commands.push(line.trim().trim_start_matches("$ ").to_owned()),
            (None | Some(false), None) => {}
        }
    }
    commands
}

fn documents() -> anyhow::Result<Vec<PathBuf>> {
    files(".", "md")
}

fn all_rust_files() -> anyhow::Result<Vec<PathBuf>> {
    rust_files(".")
}

fn rust_files(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    files(folder, "rs")
}

fn files(folder: &str, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = if folder == "." { source_root() } else { source_root().join(folder) };
    files_below(&folder, extension)
}

fn files_below(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !NOT_OURS.contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    ensure!(!found.is_empty(), "{} holds no file that ends in .{extension}", folder.display());
    found.sort();
    Ok(found)
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
