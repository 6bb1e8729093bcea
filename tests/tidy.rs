//! Checks the source tree's own rules: layers, sizes, names, and documents that match the code.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/structs.rs"]
mod structs;
#[path = "tidy/words.rs"]
mod words;

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
