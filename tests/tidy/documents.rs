//! Documents name tests, commands and files that exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts::source_root;

use crate::files;
use crate::read;
use crate::rust_files;

/// Subcommands of cargo that the documents may name; any other has to be an alias in `.cargo/config.toml`.
const CARGO_COMMANDS: [&str; 11] =
    ["build", "clippy", "doc", "fmt", "fuzz", "install", "new", "run", "test", "add", "component"];

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
