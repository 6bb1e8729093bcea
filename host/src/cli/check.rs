//! `aviary check`: says whether a host would take a file, as what, and what the file needs. For people and for build pipelines.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tracing::Level;

use crate::cli::desk::Desk;
use crate::cli::exit::EXIT_NOT_GRANTED;
use crate::cli::exit::EXIT_UNAVAILABLE;
use crate::cli::exit::EXIT_USAGE;
use crate::cli::exit::fail;
use crate::folder::alone::AloneError;
use crate::folder::alone::MAX_FILE_BYTES;
use crate::plugin::route::Route;
use crate::runtime::code::file_kind::FileKind;
use crate::runtime::code_cache::CachePath;
use crate::small_file;
use crate::small_file::off_thread;
use crate::telemetry::collector::Line;
use crate::terminal;

/// Check whether a host takes a file, and show what it handles and needs.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary check plugins/*.wasm\n\nNAME.toml and NAME.tests/ beside NAME.wasm count as they do in a host: a file has to answer its\ntests, and what it asks meanwhile is answered from CALLBACK.api.json or succeeds. What one of them\nimports and has no grant for is refused to it when it asks; a world in wit/ that does not import it does not need it.\nExit codes: 0 a host takes every one of them and grants what it imports, 1 it refuses one, 64 a file cannot be read,\n77 it takes every one, and one lacks a grant."
)]
pub(super) struct CheckArgs {
    /// Plugin files, as they would be put into the folder.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object for each file instead of text.
    #[arg(long)]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct CheckOutput<'a> {
    file: String,
    ok: bool,
    /// Reason why a host would not take the file.
    refused: Option<String>,
    form: Option<&'static str>,
    bytes: usize,
    #[serde(flatten)]
    taken: Option<Taken<'a>>,
    /// Imports that it has no grant for.
    not_granted: Vec<String>,
    /// Log lines from loading, without those of level INFO.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Taken<'a> {
    version: &'a str,
    handles: Vec<&'static str>,
    routes: &'a [Route],
    imports: Vec<String>,
    memory_bytes: Option<u64>,
    compile_ms: f64,
    load_ms: f64,
}

pub(super) async fn run(arguments: &CheckArgs) -> ExitCode {
    // No cache: the report says how long compiling takes.
    let desk = match Desk::new(CachePath::Off) {
        Ok(desk) => desk,
        Err(error) => return fail(EXIT_UNAVAILABLE, &error.to_string()),
    };
    let mut worst = CheckVerdict::Sound;
    for file in &arguments.files {
        match check(&desk, file, arguments.json).await {
            Ok(verdict) => worst = worst.max(verdict),
            Err(error) => return fail(EXIT_USAGE, &error.to_string()),
        }
    }
    match worst {
        CheckVerdict::Sound => ExitCode::SUCCESS,
        CheckVerdict::NotGranted => ExitCode::from(EXIT_NOT_GRANTED),
        CheckVerdict::Refused => ExitCode::FAILURE,
    }
}

/// Verdict on a file, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CheckVerdict {
    Sound,
    NotGranted,
    Refused,
}

async fn check(desk: &Desk, file: &Path, json: bool) -> Result<CheckVerdict, AloneError> {
    let path = file.to_owned();
    let bytes = off_thread(file, move || small_file::read(&path, MAX_FILE_BYTES)).await;
    let bytes = bytes.map_err(AloneError::Read)?;
    let loaded = match desk.load(file).await {
        Ok(alone) => Ok(alone),
        Err(AloneError::Refused(why)) => Err(why),
        Err(error) => return Err(error),
    };
    let taken = loaded.as_ref().ok().map(|alone| Taken {
        version: alone.plugin.version(),
        handles: alone.plugin.handlers().names(),
        routes: alone.plugin.routes(),
        imports: alone.plugin.unit().imports(),
        memory_bytes: alone.plugin.unit().initial_memory(),
        compile_ms: alone.plugin.provenance().code_load_time.as_secs_f64() * 1000.0,
        load_ms: alone.took.as_secs_f64() * 1000.0,
    });
    let mut warnings = desk.log.take();
    warnings.retain(|line| line.level != Level::INFO);
    let report = CheckOutput {
        file: file.display().to_string(),
        ok: loaded.is_ok(),
        refused: loaded.as_ref().err().cloned(),
        form: FileKind::of(&bytes).ok().map(FileKind::as_str),
        bytes: bytes.len(),
        taken,
        not_granted: loaded
            .as_ref()
            .map(|alone| alone.plugin.provenance().not_granted.to_vec())
            .unwrap_or_default(),
        warnings: warnings.iter().map(words).collect(),
    };
    if json {
        terminal::result!("{}", serde_json::json!(report));
    } else {
        print(&report);
    }
    Ok(match (report.ok, report.not_granted.is_empty()) {
        (false, _) => CheckVerdict::Refused,
        (true, false) => CheckVerdict::NotGranted,
        (true, true) => CheckVerdict::Sound,
    })
}

/// The text of a guest's line, or why the host wrote one.
fn words(line: &Line) -> String {
    let field = |name: &str| line.fields.get(name).and_then(Value::as_str);
    let more = field("reason").or_else(|| field("text"));
    more.map_or_else(|| line.message.clone(), |more| format!("{}: {more}", line.message))
}

/// Recognizes interfaces of WASI. Every program imports them, so that they are only counted.
fn is_standard(import: &str) -> bool {
    let package = import.split('/').next().unwrap_or_default();
    matches!(
        package,
        "wasi:cli"
            | "wasi:clocks"
            | "wasi:filesystem"
            | "wasi:io"
            | "wasi:random"
            | "wasi:sockets"
            | "wasi_snapshot_preview1"
    )
}

fn print(report: &CheckOutput<'_>) {
    let verdict = if report.ok { "a host takes it" } else { "a host refuses it" };
    terminal::result!("{}: {verdict}", report.file);
    if let Some(why) = &report.refused {
        terminal::result!("  because   {why}");
    }
    terminal::result!(
        "  is        {}, {} bytes",
        report.form.unwrap_or("not a plugin"),
        report.bytes
    );
    if let Some(taken) = &report.taken {
        terminal::result!("  handles   {}", taken.handles.join(", "));
        for route in taken.routes {
            let route = match route.is_unconditional() {
                true => "what no other plugin claims".to_owned(),
                false => serde_json::json!(route).to_string(),
            };
            terminal::result!("  takes     {route}");
        }
        let (standard, other): (Vec<_>, Vec<_>) =
            taken.imports.iter().partition(|import| is_standard(import));
        for import in other {
            terminal::result!("  needs     {import}");
        }
        if !standard.is_empty() {
            terminal::result!(
                "  needs     {} interfaces of WASI, which grant nothing",
                standard.len()
            );
        }
        if let Some(bytes) = taken.memory_bytes {
            terminal::result!("  memory    {bytes} bytes at the start of a call");
        }
        let (compile, load) = (taken.compile_ms, taken.load_ms);
        terminal::result!("  compiled  in {compile:.0} ms, loaded and tested in {load:.0} ms");
    }
    for missing in &report.not_granted {
        terminal::result!("  lacks     a grant: {missing}");
    }
    for warning in &report.warnings {
        terminal::result!("  warning   {warning}");
    }
}
