//! The working folder of a plugin's author: each is below the build folder, and the tools that a plugin needs are installed into
//! it once and reused.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;

use crate::artifacts;
use crate::excuse;
use crate::host::HostProcess;
use crate::setup::App;
use crate::setup::Running;
use crate::setup::Setup;

/// Time limit for compiling a component of twenty megabytes. That takes fifteen seconds of a core, but compiler processes run at
/// a lower priority than everything else on the machine. Only a failing test ever waits this long.
pub const COMPILED: Duration = Duration::from_secs(900);
/// File in a desk's folder that holds the sources of its last build.
const STAMP: &str = "built";
/// Folders that building a plugin creates in the plugin's folder.
const INSTALLED: [&str; 3] = ["node_modules", ".venv", "build"];
/// Files that every plugin of a language shares: its tools, and the contract.
const FOUNDATION: [&str; 6] =
    ["package.json", "package-lock.json", "tsconfig.json", "requirements.txt", "go.mod", "wit"];
/// Files of the templates that the conformance plugins use as they are.
const SHARED: [(&str, &str); 6] = [
    ("typescript", "src/boundary.ts"),
    ("typescript", "src/host.d.ts"),
    ("javascript", "src/boundary.js"),
    ("python", "src/boundary.py"),
    ("c", "src/text.c"),
    ("c", "src/text.h"),
];

/// Waits until the plugin is live, however large it is.
pub async fn wait_until_live(plugin: &str, running: &Running) -> anyhow::Result<()> {
    let fields = [("plugin", plugin)];
    running
        .host
        .log()
        .wait_for_count_within(COMPILED, 1, events::PLUGIN_LIVE, &fields)
        .await
        .map(drop)
}

/// Returns the folder where hosts and commands keep compiled code of large components for the next run of the tests: a value for
/// `XDG_CACHE_HOME`.
pub fn caches() -> anyhow::Result<PathBuf> {
    Ok(artifacts::target_folder()?.join("desks/code"))
}

/// Sets up a host with that app which keeps compiled code in [`caches`].
pub fn patient(app: App) -> anyhow::Result<Setup> {
    let folder = caches()?.join("aviary");
    Ok(Setup::new(app).set("cache", "path", folder.display().to_string()))
}

/// Starts such a host without plugins.
pub async fn patient_host() -> anyhow::Result<Running> {
    patient(App::default())?.start().await
}

/// An author's folder, locked against other tests of this and other processes.
pub struct Desk {
    folder: PathBuf,
    _lock: File,
}

impl Desk {
    /// Opens the desk of that purpose; `None` if this machine is excused from having the language's tools.
    pub fn open(purpose: &str, language: &str) -> anyhow::Result<Option<Self>> {
        let needed = match language {
            "typescript" | "javascript" => Some("node"),
            "python" | "c" | "go" | "zig" => Some("python"),
            _ => None,
        };
        let left_out = format!("{purpose} in {language}");
        if needed.is_some_and(|tool| excuse::accepted(tool, &left_out)) {
            return Ok(None);
        }
        let all = artifacts::target_folder()?.join("desks");
        std::fs::create_dir_all(&all)?;
        let name = format!("{purpose}-{language}");
        let lock = File::create(all.join(format!("{name}.lock")))?;
        lock.lock().context("cannot wait for another test at the same desk")?;
        let folder = all.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Some(Self { folder, _lock: lock }))
    }

    /// Opens a desk and builds the conformance plugin of that language into its `plugins/`.
    pub fn conformance(language: &str) -> anyhow::Result<Option<Self>> {
        const PLUGIN: &str = "conformance";
        let Some(desk) = Self::open(PLUGIN, language)? else { return Ok(None) };
        let source = artifacts::source_root().join("tests/conformance");
        desk.begin(PLUGIN, language, &[source.join(language), source.join("any")])?;
        for (_, file) in SHARED.iter().filter(|(of, _)| *of == language) {
            let template = artifacts::source_root().join(format!("plugins/hello-{language}"));
            std::fs::copy(template.join(file), desk.folder.join(PLUGIN).join(file))?;
        }
        desk.build(PLUGIN, &format!("aviary build {PLUGIN} --out plugins"))?;
        Ok(Some(desk))
    }

    /// Returns the desk's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes everything from the plugin's folder except the installed tools.
    pub fn clear(&self, plugin: &str) -> anyhow::Result<()> {
        self.remove_all_but(plugin, &INSTALLED)
    }

    fn remove_all_but(&self, plugin: &str, kept: &[&str]) -> anyhow::Result<()> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(plugin)) else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            if kept.iter().any(|kept| entry.file_name() == *kept) {
                continue;
            }
            let path = entry.path();
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Creates a plugin with `aviary new`, and replaces its sources by the content of these folders.
    pub fn begin(&self, plugin: &str, language: &str, over: &[PathBuf]) -> anyhow::Result<()> {
        self.clear(plugin)?;
        self.types(&format!("aviary new {plugin} --lang {language}"))?;
        self.remove_all_but(plugin, &[&INSTALLED[..], &FOUNDATION[..]].concat())?;
        over.iter().try_for_each(|folder| copy_all(folder, &self.folder.join(plugin)))
    }

    /// Runs the command that builds the plugin into `plugins/`, unless the existing build is of the same sources and the same
    /// program: the slowest of the tools takes fifteen seconds. Returns the command's output, or `None` if nothing had to be
    /// built.
    pub fn build(&self, plugin: &str, line: &str) -> anyhow::Result<Option<String>> {
        let stamp = self.folder.join(STAMP);
        let mut sources = sources(&self.folder.join(plugin))?;
        sources.append(&mut self::sources(&artifacts::source_root().join("host/src/workshop"))?);
        let component = self.folder.join(format!("plugins/{plugin}.wasm"));
        if component.is_file() && std::fs::read(&stamp).is_ok_and(|built| built == sources) {
            return Ok(None);
        }
        let said = self.types(line)?;
        std::fs::write(stamp, sources)?;
        Ok(Some(said))
    }

    /// Copies the built plugin into a host's folder, the component last.
    pub fn drop_in(&self, plugin: &str, running: &Running) -> anyhow::Result<()> {
        let built = self.folder.join("plugins");
        let tests = format!("{plugin}.tests");
        if built.join(&tests).exists() {
            copy_all(&built.join(&tests), &running.plugin_file(&tests))?;
        }
        for file in [format!("{plugin}.toml"), format!("{plugin}.wasm")] {
            if built.join(&file).exists() {
                std::fs::copy(built.join(&file), running.plugin_file(&file))?;
            }
        }
        Ok(())
    }

    /// Runs a command line in a shell, with `aviary` on its path, and returns its standard output.
    pub fn types(&self, line: &str) -> anyhow::Result<String> {
        // Tests that measure time run at the same moment, hence the low priority.
        let mut command = Command::new("nice");
        command.args(["-n", "15", "sh", "-ec", line]).current_dir(&self.folder);
        let output = command.envs(environment()?).output().context("cannot run nice and sh")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "`{line}` ended with {}: {said}\n{complained}",
            output.status
        );
        Ok(said)
    }

    /// Starts `aviary dev` on the plugin's source, as in a terminal that stays open.
    pub fn develops(&self, plugin: &str) -> anyhow::Result<HostProcess> {
        let mut environment = environment()?;
        environment.push(("XDG_CACHE_HOME".to_owned(), caches()?.display().to_string()));
        HostProcess::start(&["dev", plugin], &self.folder, &environment)
    }

    /// Replaces a word by another one everywhere in the plugin's source.
    pub fn edits(&self, plugin: &str, word: &str, other: &str) -> anyhow::Result<()> {
        let mut folders = vec![self.folder.join(plugin)];
        let mut edited = 0;
        while let Some(folder) = folders.pop() {
            for path in source_entries(&folder)? {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let Ok(text) = std::fs::read_to_string(&path) else { continue };
                if text.contains(word) {
                    std::fs::write(path, text.replace(word, other))?;
                    edited += 1;
                }
            }
        }
        ensure!(edited > 0, "{word} is nowhere");
        Ok(())
    }
}

/// Returns the environment of a desk's shell.
fn environment() -> anyhow::Result<Vec<(String, String)>> {
    let target = artifacts::target_folder()?;
    let aviary = artifacts::host_binary()?;
    let program_folder = aviary.parent().context("the binary is in a folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let path = ("PATH".to_owned(), format!("{}:{path}", program_folder.display()));
    // Caches of the tools stay in the build folder too.
    let kept = [
        ("CARGO_TARGET_DIR", "guests"),
        ("npm_config_cache", "caches/npm"),
        ("PIP_CACHE_DIR", "caches/pip"),
        ("GOCACHE", "caches/go"),
        ("GOPATH", "caches/go-path"),
        ("ZIG_GLOBAL_CACHE_DIR", "caches/zig"),
    ]
    .map(|(name, folder)| (name.to_owned(), target.join(folder).display().to_string()));
    Ok(std::iter::once(path).chain(kept).collect())
}

fn copy_all(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (path, copy) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_all(&path, &copy)?;
        } else {
            std::fs::copy(&path, &copy).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Lists the entries of a folder that were neither installed nor built.
fn source_entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !INSTALLED.iter().any(|installed| entry.file_name() == *installed) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns the names and contents of all files below a folder that were neither installed nor built.
fn sources(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut all = Vec::new();
    for path in source_entries(folder)? {
        all.extend_from_slice(path.file_name().unwrap_or_default().as_encoded_bytes());
        all.push(b'\n');
        all.append(&mut if path.is_dir() { sources(&path)? } else { std::fs::read(&path)? });
    }
    Ok(all)
}
