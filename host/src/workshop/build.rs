//! Builds a plugin from its source folder and puts the component where a host looks for it.

use std::io::ErrorKind;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::folder::alone::MAX_FILE_BYTES;
use crate::folder::self_test::AUTHORS;
use crate::folder::self_test::MAX_LIST_BYTES;
use crate::small_file;
use crate::small_file::ReadError;
use crate::workshop::need::Missing;
use crate::workshop::recipe::Install;
use crate::workshop::recipe::PluginName;
use crate::workshop::recipe::Recipe;
use crate::workshop::recipe::RecipeError;
use crate::workshop::tool;
use crate::workshop::tool::Follower;

/// Callbacks to send a plugin, in its source folder, and answers for what it asks meanwhile. Beside the component they are its
/// self-tests: a host takes it only if it answers all of them.
const CALLBACKS: &str = "callbacks";
/// The sidecar file that the author proposes to the operator.
const SIDECAR: &str = "sidecar.toml";
/// File in the folder that an installation makes. It holds what the installation was made from.
const STAMP: &str = ".aviary-installed";

/// Largest sidecar file and callback that a host takes, in bytes.
const MAX_SIDECAR_BYTES: u64 = 1 << 20;
const MAX_CALLBACK_BYTES: u64 = 1 << 20;
/// Largest pinned file, in bytes. The largest lock file of a package manager has a few megabytes.
const MAX_PIN_BYTES: u64 = 16 << 20;
/// Pinned files of the largest size that fit into a stamp, which holds all of an installation.
const MAX_PINS: u64 = 4;

/// A plugin that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// Name of the plugin.
    pub name: PluginName,
    /// Path of the component that the build left.
    pub component: PathBuf,
    source: PathBuf,
}

/// Reason why there is no component.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The plugin's folder does not say how to build it.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Tools that the build needs are missing.
    #[error("to build this plugin, install what is missing:\n{}", list(.0))]
    Missing(Vec<Missing>),
    /// One of the plugin's commands cannot be run.
    #[error("cannot run `{command}`: {error}")]
    Run {
        /// The command, with its arguments.
        command: String,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// One of the plugin's commands failed. It has said why on standard error.
    #[error("`{command}` failed with {status}; what it said is above")]
    Failed {
        /// The command, with its arguments.
        command: String,
        /// Exit status of the command.
        status: ExitStatus,
    },
    /// The commands succeeded and left no component.
    #[error("the build went well, but {} is not there; plugin.toml says so in build.output", .0.display())]
    NoOutput(PathBuf),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
}

fn list(missing: &[Missing]) -> String {
    missing.iter().map(|missing| format!("  {missing}")).collect::<Vec<_>>().join("\n")
}

/// Choice of running a plugin's own tests after the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tests {
    /// Run the tests, which have to pass.
    Run,
    /// Do not run the tests.
    Leave,
}

/// Builds the plugin in that folder with its own tools.
pub async fn build(
    folder: &Path,
    tests: Tests,
    follower: &Follower<'_>,
) -> Result<Built, BuildError> {
    let source = std::path::absolute(folder).map_err(at(folder))?;
    let recipe = Recipe::read(&source)?;
    let tools = have(&recipe).await?;
    if let Some(install) = &recipe.install {
        install_once(&source, install, &tools, follower).await?;
    }
    let tested = match tests {
        Tests::Run => recipe.test.run.as_slice(),
        Tests::Leave => &[],
    };
    for step in recipe.build.run.iter().chain(tested) {
        tool::run(&source, step, follower).await?;
    }
    let component = output(&source, &recipe.build.output)?;
    Ok(Built { name: recipe.name, component, source })
}

impl Built {
    /// Copies the component into a plugins folder, with the author's callbacks as self-tests, and with the proposed sidecar file
    /// unless the operator has one. The component is written last and atomically, so that a host that watches sees all of it or
    /// nothing.
    pub fn place(&self, out: &Path) -> Result<PathBuf, BuildError> {
        std::fs::create_dir_all(out).map_err(at(out))?;
        let sidecar = self.source.join(SIDECAR);
        let operators = out.join(format!("{}.toml", self.name));
        if sidecar.exists() && !operators.exists() {
            write_whole(&operators, &small_file::read(&sidecar, MAX_SIDECAR_BYTES)?)?;
        }
        self.place_callbacks(&out.join(format!("{}.tests", self.name)))?;
        let placed = out.join(format!("{}.wasm", self.name));
        write_whole(&placed, &small_file::read(&self.component, MAX_FILE_BYTES)?)?;
        Ok(placed)
    }

    fn place_callbacks(&self, tests: &Path) -> Result<(), BuildError> {
        // Files that the author has taken away go with the next build; an operator's stay.
        let list = tests.join(AUTHORS);
        // Without a list, no file is known to be the author's.
        let before = small_file::read_text(&list, MAX_LIST_BYTES).unwrap_or_default();
        let callbacks = json_files(&self.source.join(CALLBACKS))?;
        if callbacks.is_empty() && before.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(tests).map_err(at(tests))?;
        // Only the file name of a line is used, so that no line leads to another folder.
        for name in before.lines().filter_map(|line| Path::new(line).file_name()) {
            let old = tests.join(name);
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&old)(error)),
                _ => {}
            }
        }
        let mut names = String::new();
        for callback in callbacks {
            let name = callback.file_name().unwrap_or_default();
            let copy = tests.join(name);
            write_whole(&copy, &small_file::read(&callback, MAX_CALLBACK_BYTES)?)?;
            // The whole path, so that a host can name the file that the author knows.
            names += &format!("{}\n", callback.display());
        }
        write_whole(&list, names.as_bytes())
    }
}

/// Writes a file atomically. Anything of that name, a FIFO or a link for example, is replaced and not written to.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // A temporary file can be read by its owner only; a plugin can be read by everybody.
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut whole =
        tempfile::Builder::new().permissions(readable).tempfile_in(folder).map_err(at(folder))?;
    whole.write_all(bytes).map_err(at(whole.path()))?;
    whole.persist(path).map_err(|error| at(path)(error.error))?;
    Ok(())
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>, BuildError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Returns what every tool says about itself, or all tools that are missing: a person who has to install two wants to know at
/// once.
async fn have(recipe: &Recipe) -> Result<String, BuildError> {
    let (mut said, mut missing) = (String::new(), Vec::new());
    for need in &recipe.needs {
        match need.check().await {
            Ok(text) => said += &format!("{text}\n"),
            Err(lack) => missing.push(lack),
        }
    }
    if missing.is_empty() { Ok(said) } else { Err(BuildError::Missing(missing)) }
}

async fn install_once(
    source: &Path,
    install: &Install,
    tools: &str,
    follower: &Follower<'_>,
) -> Result<(), BuildError> {
    let mut wanted = format!("{}\n{tools}", source.display());
    for pin in &install.pins {
        let path = source.join(pin);
        wanted += &small_file::read_text(&path, MAX_PIN_BYTES)?;
    }
    let stamp = source.join(&install.makes).join(STAMP);
    let installed = small_file::read_text(&stamp, MAX_PIN_BYTES * MAX_PINS);
    if installed.is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    for step in &install.run {
        tool::run(source, step, follower).await?;
    }
    // Written last, so that an installation that was cut short begins again.
    std::fs::write(&stamp, wanted).map_err(at(&stamp))
}

/// Finds the file that the build left. Cargo's target folder is where its variable says, or in the root of its workspace.
fn output(source: &Path, output: &Path) -> Result<PathBuf, BuildError> {
    let shared = std::env::var_os("CARGO_TARGET_DIR");
    let inside = output.strip_prefix("target").ok();
    if let (Some(shared), Some(inside)) = (shared, inside) {
        let path = source.join(shared).join(inside);
        return if path.is_file() { Ok(path) } else { Err(BuildError::NoOutput(path)) };
    }
    let above = if inside.is_some() { usize::MAX } else { 1 };
    source
        .ancestors()
        .take(above)
        .map(|folder| folder.join(output))
        .find(|path| path.is_file())
        .ok_or_else(|| BuildError::NoOutput(source.join(output)))
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    |error| BuildError::File { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNHEARD: Follower<'_> = Follower { begins: &|_| {}, hears: None };

    fn plugin(recipe: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plugin.toml"), format!("name = \"p\"\n{recipe}"))
            .unwrap();
        folder
    }

    const COUNTS: &str = r#"
        [install]
        run = [["sh", "-c", "mkdir -p tools; echo once >> installs"]]
        makes = "tools"
        pins = ["pins"]
        [build]
        run = [["sh", "-c", "printf wasm > out.wasm"]]
        output = "out.wasm"
        [test]
        run = [["test", "-f", "out.wasm"]]
    "#;

    #[tokio::test]
    async fn what_is_pinned_is_installed_once_for_each_pin() {
        let folder = plugin(COUNTS);
        let installs = || std::fs::read_to_string(folder.path().join("installs")).unwrap();
        std::fs::write(folder.path().join("pins"), "one").unwrap();
        for _ in 0..2 {
            build(folder.path(), Tests::Run, &UNHEARD).await.unwrap();
            assert_eq!(installs().lines().count(), 1);
        }
        std::fs::write(folder.path().join("pins"), "two").unwrap();
        build(folder.path(), Tests::Run, &UNHEARD).await.unwrap();
        assert_eq!(installs().lines().count(), 2);
    }

    #[tokio::test]
    async fn what_the_tools_say_is_heard_in_order() {
        let folder = plugin(
            "[build]\nrun = [[\"sh\", \"-c\", \"echo one; echo two >&2; echo three; sleep 60 & exit 3\"]]\noutput = \"o\"",
        );
        let heard = std::cell::RefCell::new(Vec::new());
        let hears = |said: &[u8]| heard.borrow_mut().extend_from_slice(said);
        let follower = Follower { begins: &|_| {}, hears: Some(&hears) };
        // The command has left a process running that could still write.
        let built = tokio::time::timeout(
            std::time::Duration::from_secs(30),
            build(folder.path(), Tests::Run, &follower),
        );
        let error = built.await.unwrap().unwrap_err();
        assert!(matches!(error, BuildError::Failed { .. }), "{error}");
        assert_eq!(heard.into_inner(), b"one\ntwo\nthree\n");
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_named_at_once() {
        let need = |name: &str| {
            format!(
                "[[needs]]\nwhat = \"{name}\"\ncheck = [\"no-such-{name}\"]\ninstall = \"get {name}\"\n"
            )
        };
        let folder =
            plugin(&format!("{}{}[build]\nrun = []\noutput = \"o\"\n", need("one"), need("other")));
        let said = build(folder.path(), Tests::Run, &UNHEARD).await.unwrap_err().to_string();
        assert!(said.contains("get one") && said.contains("get other"), "{said}");
    }

    #[tokio::test]
    async fn the_operators_sidecar_stays_as_it_is() {
        let folder = plugin(
            "[build]\nrun = [[\"sh\", \"-c\", \"printf wasm > out.wasm\"]]\noutput = \"out.wasm\"",
        );
        let out = folder.path().join("plugins");
        std::fs::write(folder.path().join("sidecar.toml"), "proposed").unwrap();
        std::fs::create_dir(folder.path().join("callbacks")).unwrap();
        std::fs::write(folder.path().join("callbacks/click.json"), "{}").unwrap();
        let built = build(folder.path(), Tests::Run, &UNHEARD).await.unwrap();
        built.place(&out).unwrap();
        let sidecar = || std::fs::read_to_string(out.join("p.toml")).unwrap();
        assert_eq!(sidecar(), "proposed");
        std::fs::write(out.join("p.toml"), "decided").unwrap();
        assert_eq!(built.place(&out).unwrap(), out.join("p.wasm"));
        assert_eq!(sidecar(), "decided");
        assert!(out.join("p.tests/click.json").is_file());
        assert_eq!(std::fs::read_to_string(out.join("p.wasm")).unwrap(), "wasm");
    }

    #[tokio::test]
    async fn a_callback_that_was_taken_away_is_no_self_test_any_more() {
        let folder = plugin(
            "[build]\nrun = [[\"sh\", \"-c\", \"printf wasm > out.wasm\"]]\noutput = \"out.wasm\"",
        );
        let (callbacks, out) = (folder.path().join("callbacks"), folder.path().join("plugins"));
        std::fs::create_dir(&callbacks).unwrap();
        for name in ["click.json", "link.json"] {
            std::fs::write(callbacks.join(name), "{}").unwrap();
        }
        let built = build(folder.path(), Tests::Leave, &UNHEARD).await.unwrap();
        built.place(&out).unwrap();
        std::fs::write(out.join("p.tests/of-the-operator.json"), "{}").unwrap();
        for (name, left) in [
            ("link.json", vec!["click", "of-the-operator"]),
            ("click.json", vec!["of-the-operator"]),
        ] {
            std::fs::remove_file(callbacks.join(name)).unwrap();
            built.place(&out).unwrap();
            let tests = json_files(&out.join("p.tests")).unwrap();
            let mut found: Vec<_> =
                tests.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
            found.sort_unstable();
            assert_eq!(found, left);
        }
    }
}
