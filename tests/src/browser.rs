//! A headless Chromium that comes by npm, for pages that people use. It is installed into the build folder.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::ensure;
use tokio::process::Command;

use crate::artifacts;
use crate::referee::install::npm;

/// Every step of a person has a minute of its own; all of them together take seconds.
const LONGEST: Duration = Duration::from_secs(300);

/// A browser, and what people do with it.
pub struct Browser {
    folder: PathBuf,
    source: PathBuf,
}

/// Installs it unless it is there.
pub fn installed() -> anyhow::Result<Browser> {
    let source = artifacts::source_root().join("tests/browser");
    let folder = artifacts::target_folder()?.join("browser");
    npm(&source, &folder)?;
    Ok(Browser { folder, source })
}

impl Browser {
    /// Where the scripts are, and the pictures that documents show.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Lets the person of that script do all of its steps. Its last argument is the folder for screenshots.
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
        // The browser is unpacked there, with the libraries it needs: the package does that where it takes the machine
        // for one of those it was made for, which have none.
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

    /// The fonts that the package brings, which it looks for elsewhere, and those of the machine. Without one Chromium ends at the
    /// first drop-down list.
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
