//! Keeps import cycles small, because files that import each other can only be read together.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts::source_root;

/// Maximum number of files in one cycle: two halves of one concept and what they share are acceptable.
const LARGEST_CIRCLE: usize = 4;

/// Exceptions: the first file of a larger cycle, and its number of files. Lower the number or remove the line when a cycle has
/// become smaller.
const LARGER_CIRCLES: [(&str, usize); 0] = [];

#[test]
fn files_do_not_import_each_other_in_large_circles() -> anyhow::Result<()> {
    let mut found = Vec::new();
    let mut sources = crate::rust_files("host")?;
    sources.retain(|file| file.iter().any(|part| part == "src"));
    ensure!(sources.len() > 100, "the sources of the host are in host/src");
    for circle in circles(&imports(&sources)?) {
        let names: Vec<_> = circle.iter().map(|file| relative(file)).collect();
        if names.len() > LARGEST_CIRCLE {
            found.push((names[0].clone(), names));
        }
    }
    let known: BTreeMap<_, _> = LARGER_CIRCLES.into();
    let mut wrong = Vec::new();
    for (first, files) in &found {
        match known.get(first.as_str()) {
            Some(size) if *size == files.len() => {}
            Some(size) => wrong.push(format!(
                "the circle of {first} has {} files, and LARGER_CIRCLES says {size}",
                files.len()
            )),
            None => wrong.push(format!(
                "{} files import each other in a circle, {LARGEST_CIRCLE} may: {}",
                files.len(),
                files.join(" ")
            )),
        }
    }
    for first in known.keys() {
        if !found.iter().any(|(found, _)| found == first) {
            wrong.push(format!("no larger circle begins with {first} any more: delete the entry"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// The files that each file imports from.
type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Reads the `use` lines of all files. An import of a re-exported item counts for the file that declares it.
fn imports(files: &[PathBuf]) -> anyhow::Result<Imports> {
    let mut modules = BTreeMap::new();
    for file in files {
        modules.insert(Module::of(file)?, Parsed::read(file)?);
    }
    let mut imports = Imports::new();
    for (module, parsed) in &modules {
        let targets = parsed.imports.iter().filter_map(|path| {
            let target = declared_in(&modules, &module.absolute(path)?)?;
            Some(target.file()).filter(|_| target != module)
        });
        imports.insert(module.file(), targets.collect());
    }
    Ok(imports)
}

/// A module with a file of its own: the `src` folder of its crate, and the path of names to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Module {
    source: PathBuf,
    path: Vec<String>,
}

impl Module {
    fn of(file: &Path) -> anyhow::Result<Self> {
        let source = file
            .ancestors()
            .find(|folder| folder.ends_with("src"))
            .with_context(|| format!("{} is in no src folder", file.display()))?;
        let inside = file.strip_prefix(source)?.with_extension("");
        let mut path: Vec<_> =
            inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if path == ["lib"] {
            path.clear();
        }
        Ok(Self { source: source.to_owned(), path })
    }

    fn file(&self) -> PathBuf {
        let inside = if self.path.is_empty() { "lib".to_owned() } else { self.path.join("/") };
        self.source.join(inside + ".rs")
    }

    /// Resolves an import of this module to a path from the crate's root; `None` for another crate.
    fn absolute(&self, import: &str) -> Option<Self> {
        let mut names = import.split("::");
        let mut path = match names.next()? {
            "crate" => Vec::new(),
            "super" => self.path[..self.path.len().checked_sub(1)?].to_vec(),
            "self" => self.path.clone(),
            _ => return None,
        };
        path.extend(names.map(str::to_owned));
        Some(Self { source: self.source.clone(), path })
    }
}

/// The `use` lines of one file, except those of its tests.
#[derive(Debug, Default)]
struct Parsed {
    imports: Vec<String>,
    /// Names that the file re-exports, each with its original path.
    re_exports: BTreeMap<String, String>,
}

impl Parsed {
    fn read(file: &Path) -> anyhow::Result<Self> {
        if file.ends_with("tests.rs") {
            return Ok(Self::default());
        }
        Ok(Self::of(&crate::read(file)?))
    }

    fn of(text: &str) -> Self {
        let mut parsed = Self::default();
        // Tests stand at the end of a file.
        for line in text.lines().take_while(|line| !line.starts_with("mod tests")) {
            let Some((visibility, path)) = line.split_once("use ") else { continue };
            let Some(path) = path.strip_suffix(';') else { continue };
            let path = path.split(" as ").next().unwrap_or(path);
            match visibility {
                "" => parsed.imports.push(path.to_owned()),
                _ if visibility.starts_with("pub") => {
                    let name = path.rsplit("::").next().unwrap_or(path);
                    parsed.re_exports.insert(name.to_owned(), path.to_owned());
                }
                _ => {}
            }
        }
        parsed
    }
}

/// Finds the module that declares an item: the longest prefix of its path that has a file, or the module that this file
/// re-exports it from.
fn declared_in<'a>(modules: &'a BTreeMap<Module, Parsed>, named: &Module) -> Option<&'a Module> {
    let mut module = named.clone();
    loop {
        if let Some((found, parsed)) = modules.get_key_value(&module) {
            let name = named.path.get(module.path.len());
            let re_exported = name.and_then(|name| parsed.re_exports.get(name));
            let elsewhere = re_exported.and_then(|path| found.absolute(path));
            return elsewhere
                .filter(|elsewhere| elsewhere != named)
                .and_then(|elsewhere| declared_in(modules, &elsewhere))
                .or(Some(found));
        }
        module.path.pop()?;
    }
}

/// Groups files that import each other, directly or through others. Only groups of two or more are returned.
fn circles(imports: &Imports) -> Vec<BTreeSet<&Path>> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        imports.keys().map(|file| (file.as_path(), reached_from(imports, file))).collect();
    let mut circles: Vec<BTreeSet<&Path>> = Vec::new();
    for (file, others) in &reached {
        if circles.iter().any(|circle| circle.contains(file)) {
            continue;
        }
        let reaches_back =
            |other: &&&Path| reached.get(**other).is_some_and(|back| back.contains(file));
        let circle: BTreeSet<_> = others.iter().filter(reaches_back).copied().collect();
        if circle.len() > 1 {
            circles.push(circle);
        }
    }
    circles
}

/// Collects every file that a file imports from, directly or through others. It contains the file itself if the file is in a
/// cycle.
fn reached_from<'a>(imports: &'a Imports, file: &Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![file];
    while let Some(next) = ahead.pop() {
        for target in imports.get(next).into_iter().flatten() {
            if reached.insert(target.as_path()) {
                ahead.push(target);
            }
        }
    }
    reached
}

fn relative(file: &Path) -> String {
    file.strip_prefix(source_root()).unwrap_or(file).to_string_lossy().into_owned()
}

#[test]
fn a_circle_is_found_by_way_of_others() {
    let graph = |arrows: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in arrows {
            imports.entry(to.into()).or_default();
            imports.entry(from.into()).or_default().insert(to.into());
        }
        imports
    };
    let in_line = graph(&[("a", "b"), ("b", "c"), ("a", "c")]);
    assert!(circles(&in_line).is_empty());
    let two = graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d")]);
    let files =
        |names: &[&'static str]| names.iter().map(|name| Path::new(*name)).collect::<BTreeSet<_>>();
    assert_eq!(circles(&two), [files(&["a", "b", "c"]), files(&["d", "e"])]);
}

#[test]
fn an_import_is_of_the_file_that_declares_the_name() {
    let module = |path: &str| {
        Module::of(Path::new(&format!("/x/src/{path}.rs"))).expect("it is in a src folder")
    };
    let of = |path: &str, text: &str| (module(path), Parsed::of(text));
    let modules: BTreeMap<_, _> = [
        of("lib", "pub use crate::log::Line;"),
        of("log", "mod line;\npub(super) use crate::log::line::Line;\npub struct Log;"),
        of("log/line", "use super::Log;\nuse std::fs::File;\n"),
    ]
    .into();
    let import = |from: &str, path: &str| {
        let named = module(from).absolute(path)?;
        declared_in(&modules, &named).cloned()
    };
    assert_eq!(import("log/line", "super::Log"), Some(module("log")));
    assert_eq!(import("log/line", "crate::log::Log"), Some(module("log")));
    assert_eq!(import("main", "crate::Line"), Some(module("log/line")), "through two re-exports");
    assert_eq!(import("main", "crate::log::line"), Some(module("log/line")), "a module");
    assert_eq!(import("main", "std::fs::File"), None);
}

#[test]
fn imports_of_tests_do_not_count() {
    let text = "use crate::a::A;\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::b::B;\n}\n";
    assert_eq!(Parsed::of(text).imports, ["crate::a::A"]);
}
