//! A headless Chromium from npm, for pages that people use. It is installed into the build folder.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use tokio::process::Command;

use crate::artifacts;
use crate::referee::install::npm;

/// Time limit of one script. Each of its steps has a limit of one minute; all of them together take seconds.
const LONGEST: Duration = Duration::from_secs(300);

/// A browser that runs scripts of people's steps.
pub struct Browser {
    folder: PathBuf,
    source: PathBuf,
}

/// Installs the browser unless it is already there.
pub fn installed() -> anyhow::Result<Browser> {
    let source = artifacts::source_root().join("tests/browser");
    let folder = artifacts::target_folder()?.join("browser");
    npm(&source, &folder)?;
    Ok(Browser { folder, source })
}

impl Browser {
    /// Folder of the scripts and of the pictures that documents show.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Runs a script until all of its steps are done. The folder for screenshots is its last argument.
    pub async fn person(
        &self,
        script: &str,
        arguments: &[&str],
        screenshots: &Path,
    ) -> anyhow::Result<()> {
        std::fs::create_dir_all(screenshots)?;
        let script = self.source.join(script);
        let steps = std::fs::read_to_string(&script)?.matches("await step(").count();
        let mut person = Command::new("node");
        person.arg(&script).args(arguments).arg(screenshots).current_dir(&self.folder);
        // The package unpacks the browser into `TMPDIR`. It unpacks the needed libraries only where it believes to run on AWS
        // Lambda, which has none of them.
        person.env("TMPDIR", &self.folder).env("AWS_LAMBDA_JS_RUNTIME", "nodejs22.x");
        person.env("FONTCONFIG_FILE", self.fonts()?);
        person.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LONGEST, person.output()).await;
        let output = output.context("the browser takes too long")??;
        let (done, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "after {done}: {complaint}");
        ensure!(steps > 0 && done.lines().count() == steps, "of {steps} steps: {done}");
        Ok(())
    }

    /// Writes a font configuration with the package's fonts, which Chromium does not find by itself, and the machine's. Without
    /// any font Chromium crashes at the first drop-down list.
    fn fonts(&self) -> anyhow::Result<PathBuf> {
        let (file, folder) = (self.folder.join("fonts.conf"), self.folder.display());
        let text = format!(
            r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fonts-cache</cachedir>
</fontconfig>
"#
        );
        std::fs::write(&file, text)?;
        Ok(file)
    }
}
