//! Builds the programs that the tests run: the host binary, the hostile guests and the example plugins. Each is built once per
//! test process; cargo decides what is stale and locks its own folders.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Context as _;
use anyhow::bail;

/// The target that every guest and example plugin is compiled for.
const GUEST_TARGET: &str = "wasm32-wasip2";

/// Variables that cargo or a coverage tool sets for the test process. They would make a nested build compile everything anew, or
/// for the wrong target.
const NOT_FOR_NESTED_BUILDS: [&str; 6] = [
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "LLVM_PROFILE_FILE",
];
/// Prefixes of variables that cargo sets for the package under test. The build script of a dependency that reads one of them
/// would run again in every nested build, and once more in the next build of these tests.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_MANIFEST_", "CARGO_PKG_"];

/// Returns the binary `aviary`, built with the profile of these tests.
pub fn host_binary() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || build_binary("aviary"))
}

/// Returns the binary `versus-native`, built with the same profile: the host's own functions without a sandbox, for comparison.
pub fn native_ceiling() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, || build_binary("versus-native"))
}

/// Returns the example `embed` of the host's library, built with the same profile.
pub fn embedding_server() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&BUILT, build_example)
}

/// Returns the compiled guest of a folder in `tests/guests/`.
pub fn guest(name: &str) -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = once(&BUILT, || build_components("tests/guests"))?;
    component(&folder, name, "tests/guests")
}

/// Returns a guest compiled for another target: `wasm32-wasip1` for a command of WASI preview 1, `wasm32-unknown-unknown` for a
/// core module with a component's types in it.
pub fn guest_for(target: &str, name: &str) -> anyhow::Result<PathBuf> {
    // Cargo locks its folder, so tests that ask at the same time only wait for each other.
    require_guest_target(target)?;
    let folder = compile_guests(target, "tests/guests", &["--package", name])?;
    component(&folder, name, "tests/guests")
}

/// Returns the compiled example of a folder in `plugins/`.
pub fn plugin(name: &str) -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = once(&BUILT, || build_components("plugins"))?;
    component(&folder, name, "plugins")
}

/// The root of the source tree.
pub fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Returns cargo's target folder of these tests, which also holds everything they build.
pub fn target_folder() -> anyhow::Result<PathBuf> {
    Ok(BuildLayout::of_this_test()?.target)
}

/// Lists the folders below `folder` that are packages.
pub fn package_names(folder: &str) -> anyhow::Result<Vec<String>> {
    let path = source_root().join(folder);
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?
    {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn once(
    cell: &OnceLock<Result<PathBuf, String>>,
    build: impl FnOnce() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<PathBuf> {
    // The error is kept as text because every test that needs the artifact reports it again.
    match cell.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path.clone()),
        Err(error) => bail!("{error}"),
    }
}

fn build_binary(name: &str) -> anyhow::Result<PathBuf> {
    let layout = BuildLayout::of_this_test()?;
    let mut command = cargo(&layout.target);
    // The whole workspace is named so that features resolve as they did for the tests themselves.
    command.args(["build", "--workspace", "--bin", name, "--profile", layout.profile_name()]);
    run(command.current_dir(source_root()), &format!("the program {name}"))?;
    Ok(layout.target.join(&layout.profile_folder).join(name))
}

fn build_example() -> anyhow::Result<PathBuf> {
    let layout = BuildLayout::of_this_test()?;
    let mut command = cargo(&layout.target);
    command.args(["build", "--workspace", "--example", "embed"]);
    command.args(["--profile", layout.profile_name()]);
    run(command.current_dir(source_root()), "the embedding example")?;
    Ok(layout.target.join(&layout.profile_folder).join("examples/embed"))
}

fn build_components(workspace: &str) -> anyhow::Result<PathBuf> {
    require_guest_target(GUEST_TARGET)?;
    compile_guests(GUEST_TARGET, workspace, &[])
}

fn compile_guests(target: &str, workspace: &str, which: &[&str]) -> anyhow::Result<PathBuf> {
    let built = BuildLayout::of_this_test()?.target.join("guests");
    let manifest = source_root().join(workspace).join("Cargo.toml");
    let mut command = cargo(&built);
    command.args(["build", "--release", "--target", target, "--manifest-path"]).arg(&manifest);
    run(command.args(which).current_dir(source_root()), workspace)?;
    Ok(built.join(target).join("release"))
}

fn component(folder: &Path, name: &str, workspace: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{}.wasm", name.replace('-', "_")));
    if !path.is_file() {
        bail!("{workspace}/{name} did not build a component: {} is missing", path.display());
    }
    Ok(path)
}

/// Installs the target if the toolchain lacks it, as a person would do by hand; the error says which command to run.
fn require_guest_target(target: &str) -> anyhow::Result<()> {
    let printed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(source_root())
        .output()
        .context("cannot run rustc")?;
    if Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir() {
        return Ok(());
    }
    let mut command = Command::new("rustup");
    command.args(["target", "add", target]).current_dir(source_root());
    run(&mut command, &format!("a Rust target of the guests; run `rustup target add {target}`"))
}

fn cargo(target: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in NOT_FOR_NESTED_BUILDS {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|beginning| text.starts_with(beginning)) {
            command.env_remove(name);
        }
    }
    command.env("CARGO_TARGET_DIR", target);
    command
}

fn run(command: &mut Command, what: &str) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start the build of {what}: {command:?}"))?;
    if !output.status.success() {
        bail!("cannot build {what}: {command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Location of this test's executable, from which the folders of all other builds follow.
struct BuildLayout {
    target: PathBuf,
    profile_folder: PathBuf,
}

impl BuildLayout {
    fn of_this_test() -> anyhow::Result<Self> {
        // <target>/<profile>/deps/e2e-0123456789abcdef, or <target>/<profile>/soak
        let test = std::env::current_exe().context("a test knows its own path")?;
        let mut folders = test.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
        let profile = folders.next().context("tests run from cargo's target folder")?;
        let target = profile.parent().context("tests run from cargo's target folder")?;
        let profile_folder = profile.file_name().context("the profile folder has a name")?;
        Ok(Self { target: target.to_path_buf(), profile_folder: profile_folder.into() })
    }

    fn profile_name(&self) -> &str {
        match self.profile_folder.to_str() {
            Some("debug") | None => "dev",
            Some(name) => name,
        }
    }
}
