//! `wit/frozen.toml`: a released version of the contract never changes, because plugins were built against it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use anyhow::bail;
use anyhow::ensure;
use aviary_e2e::artifacts::source_root;
use serde::Deserialize;
use sha2::Digest as _;
use sha2::Sha256;

#[derive(Deserialize)]
struct Release {
    sha256: String,
}

#[test]
fn a_released_version_does_not_change() -> anyhow::Result<()> {
    let text = std::fs::read_to_string(source_root().join("wit/frozen.toml"))?;
    let released: BTreeMap<String, Release> = toml::from_str(&text)?;
    let mut found = 0;
    for package in packages()? {
        // A version that is missing from the file is not released and may change.
        let Some(Release { sha256 }) = released.get(&package.id) else { continue };
        found += 1;
        ensure!(
            package.sha256 == *sha256,
            "the files of {} have changed since it was released, and plugins were built against it. Undo the change, or begin \
             a new version as wit/README.md says. The files have the hash {}, and wit/frozen.toml says {sha256}.",
            package.id,
            package.sha256,
        );
    }
    ensure!(found > 0, "wit/frozen.toml names no package of wit/");
    Ok(())
}

#[test]
fn comments_and_white_space_are_free_to_change_and_nothing_else_is() {
    let before = "package a:b@0.1.0;\n\n/// One.\nrecord r {\n    x: u32, // two\n}\n";
    let of = |text: &str| hash([("a.wit", text)]);
    assert_eq!(of(before), of("package a:b@0.1.0;\nrecord r {\n  x: u32,\n}"));
    assert_ne!(of(before), of(&before.replace("u32", "u64")));
    assert_ne!(of(before), hash([("a.wit", before), ("b.wit", "interface i {}")]));
}

/// A folder of `.wit` files.
struct Package {
    /// Package name with version, such as `lark:callback@0.1.0`.
    id: String,
    sha256: String,
}

fn packages() -> anyhow::Result<Vec<Package>> {
    let contract = source_root().join("wit");
    let mut packages = vec![package(&contract)?];
    for folder in std::fs::read_dir(contract.join("deps"))? {
        packages.push(package(&folder?.path())?);
    }
    Ok(packages)
}

fn package(folder: &Path) -> anyhow::Result<Package> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, std::fs::read_to_string(&path)?);
        }
    }
    let mut ids = Vec::new();
    for text in files.values() {
        let id = text.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
        ids.push(id.with_context(|| format!("a file in {} names no package", folder.display()))?);
    }
    ids.dedup();
    let [id] = ids[..] else {
        bail!("{} holds not one version of one package: {ids:?}", folder.display())
    };
    let sha256 = hash(files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    Ok(Package { id: id.to_owned(), sha256 })
}

/// Hashes the declarations of the files, without comments and layout.
fn hash<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        let code = text.lines().filter_map(|line| line.split("//").next());
        let words = code.flat_map(str::split_whitespace).collect::<Vec<_>>();
        hash.update(format!("{name}\n{}\n", words.join(" ")));
    }
    hex::encode(hash.finalize())
}
