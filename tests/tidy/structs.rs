//! Limits the number of fields, because a struct with many fields is several concepts.

use std::collections::BTreeMap;

use anyhow::ensure;

/// Maximum number of fields in one struct.
const MOST_FIELDS: usize = 10;

/// Exceptions: a larger struct and its number of fields. Lower the number or remove the line when a struct has lost fields.
const LARGER_STRUCTS: [(&str, usize); 13] = [
    ("host/lark-simulator/src/control.rs SendRequest", 22),
    ("host/lark-simulator/src/sample.rs CardAction", 12),
    ("host/lark-simulator/src/state.rs State", 11),
    ("host/src/cli/bench.rs BenchOutput", 11),
    ("host/src/cli/call.rs CallOutput", 18),
    ("host/src/config.rs Config", 15),
    ("host/src/config.rs ConfigFile", 13),
    ("host/src/ingress/webhook/config.rs WebhookConfig", 11),
    ("host/src/journal/draft.rs Facts", 12),
    ("host/src/journal/entry.rs Entry", 18),
    ("host/src/plugin/manifest.rs Manifest", 15),
    ("host/src/telemetry/history/recent.rs Recent", 13),
    ("host/src/record.rs CallbackRecord", 12),
];

#[test]
fn no_struct_has_too_many_fields() -> anyhow::Result<()> {
    let mut found = BTreeMap::new();
    let mut files = crate::rust_files("host")?;
    files.retain(|file| file.iter().any(|part| part == "src"));
    for file in files {
        let root = aviary_e2e::artifacts::source_root();
        let name = file.strip_prefix(&root)?.to_string_lossy().into_owned();
        for (structure, fields) in structs(&crate::read(&file)?) {
            if fields > MOST_FIELDS {
                found.insert(format!("{name} {structure}"), fields);
            }
        }
    }
    let known: BTreeMap<_, _> =
        LARGER_STRUCTS.into_iter().map(|(name, fields)| (name.to_owned(), fields)).collect();
    let mut wrong = Vec::new();
    for (name, fields) in &found {
        match known.get(name) {
            Some(known) if known == fields => {}
            Some(known) => {
                wrong.push(format!("{name} has {fields} fields, and LARGER_STRUCTS says {known}"));
            }
            None => wrong.push(format!("{name} has {fields} fields, {MOST_FIELDS} at most")),
        }
    }
    for name in known.keys().filter(|name| !found.contains_key(*name)) {
        wrong.push(format!("{name} has no more than {MOST_FIELDS} fields: delete the entry"));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Finds the structs with named fields in a file that rustfmt has formatted, with their number of fields.
fn structs(text: &str) -> Vec<(&str, usize)> {
    let mut structs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = struct_name(line) else { continue };
        let (mut fields, mut body) = (0, line.ends_with('{'));
        for line in lines.by_ref() {
            let own = line.len() - line.trim_start().len();
            match line.trim() {
                "}" if own == indent => break,
                "{" if own == indent => body = true,
                text if body && own == indent + 4 && is_field(text) => fields += 1,
                _ => {}
            }
        }
        structs.push((name, fields));
    }
    structs
}

fn struct_name(line: &str) -> Option<&str> {
    let line = line.trim();
    let (visibility, rest) = line.split_once("struct ")?;
    let has_fields = !line.ends_with(';') && !rest.contains('(');
    let is_item = visibility.is_empty() || visibility.starts_with("pub");
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (has_fields && is_item).then_some(name)
}

fn is_field(line: &str) -> bool {
    let name = line.strip_prefix("pub").map_or(line, |rest| match rest.split_once(") ") {
        Some((scope, rest)) if scope.starts_with('(') => rest,
        _ => rest.trim_start(),
    });
    let name = name.strip_prefix("r#").unwrap_or(name);
    name.split_once(':').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn fields_are_counted() {
    let text = "\
/// About it.
pub struct Three<'a> {
    /// One: not a field.
    pub(super) one: Vec<(u8, &'a str)>,
    #[serde(default)]
    pub two: u8,
    pub(in crate::runtime) r#three: Option<
        u8,
    >,
}

struct Nothing;
pub(super) struct Tuple(u8, u16);

fn local() {
    struct Inner<T>
    where
        T: Copy,
    {
        one: T,
    }
}
";
    assert_eq!(structs(text), [("Three", 3), ("Inner", 1)]);
}
