//! What the documents tell people to run can be run.

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::APP_SECRET;
use aviary_e2e::artifacts;
use aviary_e2e::host::HostProcess;
use serde_json::Value;
use serde_json::json;

/// The fenced blocks of that language in the README.
fn blocks(language: &str) -> anyhow::Result<Vec<String>> {
    let readme =
        std::fs::read_to_string(artifacts::source_root().join("README.md")).context("README.md")?;
    let fence = format!("```{language}\n");
    Ok(readme
        .split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect())
}

#[tokio::test]
async fn every_aviary_command_in_the_readme_exists() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut commands: Vec<String> = Vec::new();
    for language in ["sh", "console", "shell", "bash"] {
        let lines = blocks(language)?.concat();
        commands.extend(
            lines.lines().filter_map(|line| line.split("aviary ").nth(1)).map(str::to_owned),
        );
    }
    for command in commands {
        let subcommand = command.split_whitespace().next().unwrap_or_default();
        let mut host = HostProcess::start(&[subcommand, "--help"], folder.path(), &[])?;
        let exit = host.wait().await?;
        ensure!(exit.status.success(), "aviary {command}: {}", host.log().text());
        let help = host.stdout().text();
        for flag in command.split_whitespace().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap_or_default();
            ensure!(help.contains(flag), "aviary {command}: there is no {flag}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_configuration_in_the_readme_is_accepted() -> anyhow::Result<()> {
    for block in blocks("toml")?.into_iter().filter(|block| block.contains("[[app]]")) {
        let folder = tempfile::tempdir()?;
        let mut configuration: Value = toml::from_str(&block).with_context(|| block.clone())?;
        let mut environment = Vec::new();
        for app in configuration["app"].as_array_mut().context("apps")? {
            // Whatever it says there, a test talks to nobody outside this machine.
            app["domain"] = json!("http://127.0.0.1:1");
            std::fs::create_dir_all(
                folder.path().join(app["plugins"].as_str().context("plugins")?),
            )?;
            for key in ["secret", "verification_token", "encrypt_key"] {
                match (app[key]["env"].as_str(), app[key]["file"].as_str()) {
                    (Some(name), _) => environment.push((name.to_owned(), APP_SECRET.to_owned())),
                    (None, Some(_)) => app[key] = json!({ "env": "AVIARY_APP_SECRET" }),
                    (None, None) => {
                        app.as_object_mut().context("a table")?.remove(key);
                    }
                }
            }
        }
        environment.push(("AVIARY_APP_SECRET".to_owned(), APP_SECRET.to_owned()));
        if configuration.get("webhook").is_some() {
            configuration["webhook"]["listen"] = json!("127.0.0.1:0");
        }
        configuration["admin"] = json!({ "listen": "127.0.0.1:0" });
        configuration["log"]["format"] = json!("json");
        std::fs::write(folder.path().join("aviary.toml"), toml::to_string(&configuration)?)?;
        let host = HostProcess::start(&["run"], folder.path(), &environment)?;
        host.log().wait_for("listening", &[]).await?;
    }
    Ok(())
}
