//! Checks the program's dependencies: no lock file of this tree has a version with a known vulnerability, or a package from
//! anywhere but crates.io. It needs no network; `cargo deny`, which knows more, is part of `.ci/run`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts::source_root;
use serde::Deserialize;

/// Source of every package that is not in this tree.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Folders without a lock file of ours.
const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];
/// The workspaces of this tree, each with a lock file: the main one, the example plugins, the template of a Rust plugin,
/// the guests of the tests, and the fuzz targets.
const LOCK_FILES: [&str; 5] = [
    "Cargo.lock",
    "plugins/Cargo.lock",
    "plugins/hello-rust/Cargo.lock",
    "tests/fuzz/Cargo.lock",
    "tests/guests/Cargo.lock",
];

#[derive(Deserialize)]
struct LockFile {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

#[derive(Deserialize)]
struct Floor {
    version: String,
    reason: String,
}

#[test]
fn no_package_is_older_than_its_floor() -> anyhow::Result<()> {
    let floors = floors()?;
    let mut found = 0;
    for (path, lock) in lock_files()? {
        for package in lock.package {
            let Some(floor) = floors.get(&package.name) else { continue };
            found += 1;
            ensure!(
                numbers(&package.version)? >= numbers(&floor.version)?,
                "{path} holds {} {}, and {} is the oldest that may be used: {}. Run `cargo update -p {}` there.",
                package.name,
                package.version,
                floor.version,
                floor.reason,
                package.name
            );
        }
    }
    ensure!(found >= floors.len(), "{found} packages of {} floors were found", floors.len());
    Ok(())
}

#[test]
fn every_floor_is_of_a_package_that_is_used() -> anyhow::Result<()> {
    let used: Vec<_> = lock_files()?.into_values().flat_map(|lock| lock.package).collect();
    for (name, floor) in floors()? {
        let is_used = used.iter().any(|package| package.name == name);
        ensure!(is_used, "tests/floors.toml: no lock file holds {name} any more: take it out");
        ensure!(!floor.reason.is_empty(), "tests/floors.toml: {name} has no reason");
    }
    Ok(())
}

#[test]
fn every_package_comes_from_crates_io_with_a_checksum() -> anyhow::Result<()> {
    for (path, lock) in lock_files()? {
        for package in lock.package {
            // A package without a source is one of this tree.
            let Some(source) = package.source else { continue };
            ensure!(source == CRATES_IO, "{path}: {} comes from {source}", package.name);
            ensure!(package.checksum.is_some(), "{path}: {} has no checksum", package.name);
        }
    }
    Ok(())
}

#[test]
fn every_lock_file_is_looked_at() -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut folders = vec![source_root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !NOT_OURS.contains(&name) {
                folders.push(path);
            } else if name == "Cargo.lock" {
                found.push(path);
            }
        }
    }
    let mut known: Vec<_> = LOCK_FILES.map(|path| source_root().join(path)).into();
    known.sort();
    found.sort();
    ensure!(
        found == known,
        "the lock files are {found:#?}, and those that are looked at {known:#?}"
    );
    Ok(())
}

fn floors() -> anyhow::Result<BTreeMap<String, Floor>> {
    let text = read(&source_root().join("tests/floors.toml"))?;
    toml::from_str(&text).context("tests/floors.toml")
}

/// The tests build the program themselves, with `cargo build`. Under `cargo test`, packages also get the features that
/// dev-dependencies ask for; where that makes a difference, the host and what stands between are compiled twice.
#[test]
fn the_program_is_made_of_the_same_packages_as_its_tests() -> anyhow::Result<()> {
    let program = packages_with_features("normal,build")?;
    let tests = packages_with_features("normal,build,dev")?;
    let twice: Vec<_> = program.difference(&tests).collect();
    ensure!(
        twice.is_empty(),
        "a dev-dependency asks for more features of {twice:?}. Name that package, with these features, under [dependencies] in \
         tests/Cargo.toml."
    );
    Ok(())
}

fn packages_with_features(edges: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none"]);
    let output = cargo
        .args(["--format", "{p} {f}", "--edges", edges])
        .current_dir(source_root())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packages: BTreeSet<_> = String::from_utf8(output.stdout)?
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect();
    ensure!(packages.len() > 100, "cargo tree lists {} packages", packages.len());
    Ok(packages)
}

fn lock_files() -> anyhow::Result<BTreeMap<&'static str, LockFile>> {
    LOCK_FILES
        .into_iter()
        .map(|path| {
            let text = read(&source_root().join(path))?;
            Ok((path, toml::from_str(&text).context(path)?))
        })
        .collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Parses a version such as `0.23.46` into numbers that can be compared. A part behind a plus sign has no order and is dropped.
fn numbers(version: &str) -> anyhow::Result<Vec<u64>> {
    let release = version.split(['+', '-']).next().unwrap_or_default();
    let numbers = release.split('.').map(str::parse).collect::<Result<_, _>>();
    numbers.with_context(|| format!("{version:?} is not a version"))
}
