//! The host decides by types, not by comparing texts that it writes itself.

use std::collections::BTreeSet;

use anyhow::ensure;
use aviary_e2e::artifacts::source_root;

use crate::code_lines;
use crate::rust_files;

/// Modules that look up members of foreign JSON, headers and files by name, because that is their input. Data of the host itself
/// has a type: no line may be added for it, and an unused line is removed.
const READS_BY_NAME: [(&str, &str); 10] = [
    ("callback/", "cards and callbacks are the platform's and the plugins'"),
    ("demo/leave.rs", "the card is the plugin's"),
    ("demo/scenario.rs", "the card is the plugin's"),
    ("doctor/", "the answers are the platform's"),
    ("inbox/lane.rs", "the path is the operator's, and the value the platform's"),
    ("ingress/long_connection/endpoint.rs", "the answer is the platform's"),
    ("ingress/webhook.rs", "the headers are the platform's"),
    ("open_api/wire.rs", "the headers are the platform's"),
    ("plugin/route.rs", "the path is the operator's, and the value the plugin's"),
    ("workshop/template.rs", "the file is Cargo's"),
];

/// Log messages, reports and outcomes are for outside readers. The host makes its own decisions by types, never by comparing
/// these texts.
#[test]
fn nothing_is_decided_by_the_host_s_own_words() -> anyhow::Result<()> {
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for file in rust_files("host/src")? {
        let inside = file.strip_prefix(source_root().join("host/src"))?.to_string_lossy();
        if inside.ends_with("tests.rs") || inside.contains("fuzzing") {
            continue;
        }
        let reads_by_name = READS_BY_NAME.iter().find(|(module, _)| inside.starts_with(module));
        for (number, line) in code_lines(&file)? {
            // Tests stand at the end of a file.
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            match reads_by_name {
                _ if !decides_by_words(&line) => {}
                Some((module, _)) => drop(needed.insert(*module)),
                None => wrong.push(format!("{inside}:{number}: decide by a type: {}", line.trim())),
            }
        }
    }
    let listed = READS_BY_NAME.iter().map(|(module, _)| *module);
    let idle = listed.filter(|module| !needed.contains(module)).collect::<Vec<_>>();
    ensure!(idle.is_empty(), "READS_BY_NAME: no longer needed: {}", idle.join(", "));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Code that compares a message or a variant's word, or finds a member by its name.
const DECIDES_BY_WORDS: [&str; 8] = [
    ".message ==",
    ".message !=",
    ".what() ==",
    ".what() !=",
    ".as_str() == \"",
    ".as_str() != \"",
    ".get(\"",
    ".pointer(",
];

fn decides_by_words(line: &str) -> bool {
    let indexes = line.match_indices("[\"").any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | ')' | ']'))
    });
    indexes || DECIDES_BY_WORDS.iter().any(|words| line.contains(words))
}

#[test]
fn what_decides_by_words_is_found() {
    for line in [
        "if said.message != SAID[0] {",
        "self.message == GUEST_LINE",
        r#"line.message.as_str() == "plugin live""#,
        r#"difference.what() == "asked""#,
        r#"if plugin["live"] == true {"#,
        r#"self.host.plugins().pointer("/apps/0/plugins")"#,
        r#"if outcome.as_str() == "trap" {"#,
    ] {
        assert!(decides_by_words(line), "{line}");
    }
    for line in [
        r#"Offer { functions: &["call"] }"#,
        "if entry.outcome != outcome {",
        r#"json!({ "message": message })"#,
        "same(&self.app, entry.app.as_str())",
    ] {
        assert!(!decides_by_words(line), "{line}");
    }
}
