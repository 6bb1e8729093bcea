//! Commands in the documents can be run, and examples in them are accepted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::APP_SECRET;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::command::aviary;
use aviary_e2e::host::HostProcess;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Setup;
use serde_json::Value;
use serde_json::json;

/// Pages with calls of `aviary`. A page fails if it has no such calls any more, or if they are not found.
const WITH_COMMANDS: [&str; 11] = [
    "README.md",
    "plugins/README.md",
    "plugins/hello-c/README.md",
    "plugins/hello-go/README.md",
    "plugins/hello-javascript/README.md",
    "plugins/hello-python/README.md",
    "plugins/hello-rust/README.md",
    "plugins/hello-typescript/README.md",
    "plugins/hello-zig/README.md",
    "plugins/leave-approval/README.md",
    "tests/README.md",
];
/// Pages that show a whole `aviary.toml`, and pages that show a sidecar.
const WITH_CONFIGURATIONS: [&str; 1] = ["README.md"];
const WITH_SIDECARS: [&str; 1] = ["plugins/http-preview/README.md"];

/// Folders with pages of others.
const NOT_OURS: [&str; 4] = ["target", ".git", "node_modules", "deps"];

/// The page about earlier versions.
const HISTORY: &str = "CHANGELOG.md";

/// A page with its path from the root.
struct Page {
    name: String,
    text: String,
}

fn pages() -> anyhow::Result<Vec<Page>> {
    let root = source_root();
    let (mut pages, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !NOT_OURS.contains(&name) {
                folders.push(path);
            } else if name.ends_with(".md") && name != HISTORY {
                let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                pages.push(Page { name, text: std::fs::read_to_string(&path)? });
            }
        }
    }
    Ok(pages)
}

impl Page {
    /// Returns the fenced blocks in one of these languages, without the indentation of a list.
    fn blocks(&self, languages: &[&str]) -> Vec<String> {
        let (mut blocks, mut inside) = (Vec::new(), None);
        for line in self.text.lines() {
            let fence = line.trim_start().strip_prefix("```");
            match (&mut inside, fence) {
                (None, Some(language)) => {
                    inside = Some((languages.contains(&language), String::new()));
                }
                (Some((true, block)), Some(_)) => {
                    blocks.push(std::mem::take(block));
                    inside = None;
                }
                (Some(_), Some(_)) => inside = None,
                (Some((_, block)), None) => *block += &format!("{}\n", line.trim_start()),
                (None, None) => {}
            }
        }
        blocks
    }

    /// Returns every call of `aviary`, in shell blocks and in the text: the words behind the program's name.
    fn commands(&self) -> Vec<Vec<String>> {
        let shell = self.blocks(&["sh", "console", "shell", "bash"]).concat();
        let spans = self.text.split('`').skip(1).step_by(2).filter(|span| !span.contains('\n'));
        shell.lines().chain(spans).filter_map(called).collect()
    }
}

/// Returns the words behind `aviary` if the line of a shell calls it.
fn called(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let mut words = line.split_whitespace().skip_while(|word| *word != "aviary");
    words.next()?;
    let words: Vec<_> = words
        .take_while(|word| !matches!(*word, "|" | ">" | "&&" | "&" | ";"))
        .map(str::to_owned)
        .collect();
    words.first()?.starts_with(|c: char| c.is_ascii_lowercase()).then_some(words)
}

/// The commands and options that `--help` lists for one command.
#[derive(Default)]
struct Help {
    commands: BTreeSet<String>,
    options: BTreeSet<String>,
}

impl Help {
    /// Parses the short help, which has one line for each command and option.
    fn of(path: &[String]) -> anyhow::Result<Self> {
        let arguments: Vec<_> = path.iter().map(String::as_str).chain(["-h"]).collect();
        let said = aviary(&source_root(), &arguments)?;
        ensure!(said.code == Some(0), "aviary {}: {}", path.join(" "), said.stderr);
        let (mut help, mut section) = (Self::default(), "");
        for line in said.stdout.lines() {
            match line.strip_prefix("  ") {
                None => section = line.trim_end_matches(':'),
                Some(entry) if section.ends_with("Commands") => {
                    help.commands.extend(entry.split_whitespace().next().map(str::to_owned));
                }
                Some(entry) => {
                    let names = entry.split_whitespace().take_while(|word| word.starts_with('-'));
                    let names = names.map(|name| name.trim_end_matches(','));
                    help.options.extend(
                        names.map(|name| {
                            name.split(['=', '[']).next().unwrap_or_default().to_owned()
                        }),
                    );
                }
            }
        }
        ensure!(help.options.contains("--help"), "no options in {}", said.stdout);
        Ok(help)
    }
}

/// Checks that these words call a command that exists, with options that it has.
fn exists(words: &[String], known: &mut BTreeMap<Vec<String>, Help>) -> anyhow::Result<()> {
    let mut path = Vec::new();
    let mut rest = words.iter();
    loop {
        if !known.contains_key(&path) {
            known.insert(path.clone(), Help::of(&path)?);
        }
        let help = &known[&path];
        match rest.clone().next() {
            Some(word) if help.commands.contains(word) => {
                path.push(word.clone());
                rest.next();
            }
            Some(word) if path.is_empty() => bail!("there is no command `{word}`"),
            _ => break,
        }
    }
    let help = &known[&path];
    for word in rest.filter(|word| word.len() > 1 && word.starts_with('-')) {
        let option = word.split('=').next().unwrap_or_default();
        ensure!(help.options.contains(option), "`aviary {}` has no {option}", path.join(" "));
    }
    Ok(())
}

/// Fails for a page of the list without anything to check.
fn all_found(expected: &[&str], found: &BTreeSet<String>, what: &str) -> anyhow::Result<()> {
    for page in expected {
        ensure!(found.contains(*page), "{page}: no {what} was found");
    }
    Ok(())
}

#[test]
fn every_command_of_aviary_exists_with_its_options() -> anyhow::Result<()> {
    let (mut known, mut found) = (BTreeMap::new(), BTreeSet::new());
    for page in pages()? {
        for words in page.commands() {
            let call = words.join(" ");
            exists(&words, &mut known).with_context(|| format!("{}: aviary {call}", page.name))?;
            found.insert(page.name.clone());
        }
    }
    all_found(&WITH_COMMANDS, &found, "call of aviary")
}

/// A TOML block by its kind.
enum Toml {
    Configuration(Value),
    Sidecar(Value),
    /// `Cargo.toml`, which only cargo can check.
    Manifest,
}

impl Toml {
    fn read(block: &str) -> anyhow::Result<Self> {
        let value: Value = toml::from_str(block).context("this is not TOML")?;
        let has = |keys: &[&str]| keys.iter().any(|key| value.get(key).is_some());
        if has(&["app"]) {
            Ok(Self::Configuration(value))
        } else if has(&["package", "lib", "dependencies"]) {
            Ok(Self::Manifest)
        } else if has(&["route", "grants", "limits", "settings", "promote", "breaker"]) {
            Ok(Self::Sidecar(value))
        } else {
            bail!("this is no whole aviary.toml and no sidecar, so that nothing can be checked")
        }
    }
}

#[tokio::test]
async fn every_configuration_is_accepted() -> anyhow::Result<()> {
    let (mut configurations, mut sidecars) = (BTreeSet::new(), BTreeSet::new());
    for page in pages()? {
        for block in page.blocks(&["toml"]) {
            let where_it_is = || format!("{}:\n{block}", page.name);
            match Toml::read(&block).with_context(where_it_is)? {
                Toml::Configuration(configuration) => {
                    runs(configuration).await.with_context(where_it_is)?;
                    configurations.insert(page.name.clone());
                }
                Toml::Sidecar(sidecar) => {
                    let app = App::default().webhook_only().guest_with("version-a", sidecar)?;
                    Setup::new(app).start().await.with_context(where_it_is)?;
                    sidecars.insert(page.name.clone());
                }
                Toml::Manifest => {}
            }
        }
    }
    all_found(&WITH_CONFIGURATIONS, &configurations, "configuration")?;
    all_found(&WITH_SIDECARS, &sidecars, "sidecar")
}

/// Checks that a host with this configuration opens its doors.
async fn runs(mut configuration: Value) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut environment = Vec::new();
    for app in configuration["app"].as_array_mut().context("apps")? {
        // Replaces the page's domain, because a test must not contact anything outside this machine.
        app["domain"] = json!("http://127.0.0.1:1");
        let plugins = app["plugins"].as_str().context("plugins")?;
        std::fs::create_dir_all(folder.path().join(plugins))?;
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
    host.log().wait_for(events::LISTENING, &[]).await.map(drop)
}
