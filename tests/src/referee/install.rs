//! Installs the pinned SDKs into the build folder, and reuses them while the pins and the interpreter stay the same.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;

use crate::artifacts;
use crate::excuse;
use crate::excuse::SKIP;
use crate::referee::Sdk;

/// An installed SDK that can run a script.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Program that runs the script.
    pub interpreter: PathBuf,
    /// Folder of the SDK.
    pub folder: PathBuf,
}

/// Installs the SDK unless it is already there; `None` if this machine is excused from having it, which is printed.
pub fn installed(sdk: Sdk) -> anyhow::Result<Option<Installed>> {
    static PYTHON: OnceLock<Result<Installed, String>> = OnceLock::new();
    static NODE: OnceLock<Result<Installed, String>> = OnceLock::new();
    if excuse::accepted(sdk.name(), &format!("the comparison with the {} SDK", sdk.name())) {
        return Ok(None);
    }
    let cell = match sdk {
        Sdk::Python => &PYTHON,
        Sdk::Node => &NODE,
    };
    // The error is kept as text because every test that needs the SDK reports it again.
    match cell.get_or_init(|| install(sdk).map_err(|error| format!("{error:#}"))) {
        Ok(installed) => Ok(Some(installed.clone())),
        Err(error) => bail!("{error}"),
    }
}

fn install(sdk: Sdk) -> anyhow::Result<Installed> {
    let source = sdk.source();
    let all = artifacts::target_folder()?.join("referees");
    let folder = all.join(sdk.name());
    std::fs::create_dir_all(&all)?;
    let lock = File::create(all.join(format!("{}.lock", sdk.name())))?;
    lock.lock().context("cannot wait for another test that installs the same")?;
    match sdk {
        Sdk::Python => install_python(&source, &folder),
        Sdk::Node => install_node(&source, &folder),
    }
}

fn install_python(source: &Path, folder: &Path) -> anyhow::Result<Installed> {
    let version = run(Command::new("python3").arg("--version"), "python3", Sdk::Python)?;
    let requirements = source.join("requirements.txt");
    let interpreter = folder.join("bin/python");
    let stamp = Stamp::new(folder, &[&requirements], &version)?;
    // The environment's interpreter is a link, whose target may have been removed.
    if !stamp.is_current() || !interpreter.is_file() {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv", "--clear"]).arg(folder), "python3 with venv", Sdk::Python)?;
        let mut pip = Command::new(&interpreter);
        // Every package is pinned, so pip must not resolve dependencies.
        pip.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
        ]);
        run(pip.arg("--requirement").arg(&requirements), "pip", Sdk::Python)?;
        stamp.write()?;
    }
    Ok(Installed { interpreter, folder: folder.to_path_buf() })
}

fn install_node(source: &Path, folder: &Path) -> anyhow::Result<Installed> {
    npm(source, folder)?;
    Ok(Installed { interpreter: "node".into(), folder: folder.to_path_buf() })
}

/// Installs the packages of the lock file in `source` into `folder`, unless they are there.
pub(crate) fn npm(source: &Path, folder: &Path) -> anyhow::Result<()> {
    let version = run(Command::new("node").arg("--version"), "node", Sdk::Node)?;
    let (package, lock) = (source.join("package.json"), source.join("package-lock.json"));
    let stamp = Stamp::new(folder, &[&package, &lock], &version)?;
    if !stamp.is_current() {
        std::fs::create_dir_all(folder)?;
        for file in [&package, &lock] {
            std::fs::copy(file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        run(&mut npm, "npm", Sdk::Node)?;
        stamp.write()?;
    }
    Ok(())
}

/// A copy of the pins, kept beside the installation.
struct Stamp {
    path: PathBuf,
    content: String,
}

impl Stamp {
    fn new(folder: &Path, pins: &[&PathBuf], version: &str) -> anyhow::Result<Self> {
        let mut content = version.to_owned();
        for file in pins {
            content += &std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
        }
        Ok(Self { path: folder.join("installed"), content })
    }

    fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|content| content == self.content)
    }

    /// Writes the stamp; called last, so that an interrupted installation is repeated.
    fn write(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(&self.path, &self.content)?)
    }
}

fn run(command: &mut Command, what: &str, sdk: Sdk) -> anyhow::Result<String> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "{what} is missing on this machine: install it, or set {SKIP}={} to go without the comparison",
            sdk.name()
        ),
        Err(error) => return Err(error).with_context(|| format!("cannot run {command:?}")),
    };
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{what} failed: {command:?}\n{said}\n{complained}");
    Ok(said.into_owned())
}
