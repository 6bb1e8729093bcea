//! A type's name is unique in its crate, so that a name that is read alone says which type is meant.

use std::collections::BTreeMap;

use anyhow::ensure;

use crate::CRATES;
use crate::Source;
use crate::read;

/// Keywords that declare a type at the start of a line. Types inside functions and implementations are indented.
const KEYWORDS: [&str; 4] = ["struct ", "enum ", "trait ", "type "];

#[test]
fn type_names_are_unique_in_a_crate() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in Source::of(folder)?.files()? {
            let path = file.display().to_string();
            if path.ends_with("tests.rs") {
                continue;
            }
            for name in types(&read(&file)?) {
                declared.entry(name.to_owned()).or_default().push(path.clone());
            }
        }
        for (name, places) in declared {
            if places.len() > 1 {
                wrong.push(format!("{name} is declared in {}", places.join(", ")));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Returns the names of the types that a file declares at its top level.
fn types(text: &str) -> Vec<&str> {
    text.lines().filter_map(type_name).collect()
}

fn type_name(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let rest = KEYWORDS.iter().find_map(|keyword| rest.strip_prefix(keyword))?;
    rest.split(|character: char| !character.is_alphanumeric()).next()
}

#[test]
fn types_are_found_by_their_declaration() {
    let text = "pub(in crate::runtime) struct One<'a> {\nenum Two {\npub trait Three {}\n    type Inside = u8;\n\
                type Four = u8;\nmod tests {\n    struct Five;\n}\n";
    assert_eq!(types(text), ["One", "Two", "Three", "Four"]);
}
