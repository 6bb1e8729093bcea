//! `aviary card check`, over the cards in `host/lark-card/cards`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use anyhow::Context as _;
use anyhow::ensure;
use aviary_e2e::artifacts;
use aviary_e2e::artifacts::source_root;
use aviary_e2e::schema::Schema;
use serde_json::Value;

fn cards(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut cards = Vec::new();
    for entry in std::fs::read_dir(source_root().join("host/lark-card/cards").join(folder))? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".expect.json") {
            cards.push(path);
        }
    }
    cards.sort();
    Ok(cards)
}

fn check(arguments: &[&str], cards: &[PathBuf]) -> anyhow::Result<Output> {
    let mut command = Command::new(artifacts::host_binary()?);
    command.args(["card", "check"]).args(arguments).args(cards);
    command.output().context("cannot run aviary card check")
}

fn lines(output: &Output) -> anyhow::Result<Vec<Value>> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[test]
fn good_cards_pass() -> anyhow::Result<()> {
    let cards = cards("good")?;
    let output = check(&["--json"], &cards)?;
    let lines = lines(&output)?;
    ensure!(output.status.code() == Some(0), "{lines:#?}");
    ensure!(lines.len() == cards.len());
    ensure!(lines.iter().all(|line| line["ok"] == true && line["faults"] == Value::Array(vec![])));
    Ok(())
}

#[test]
fn bad_cards_are_refused_for_the_right_reasons() -> anyhow::Result<()> {
    let cards = cards("bad")?;
    let output = check(&["--json"], &cards)?;
    ensure!(output.status.code() == Some(1));
    let lines = lines(&output)?;
    ensure!(lines.len() == cards.len(), "{} lines about {} cards", lines.len(), cards.len());
    for (card, line) in cards.iter().zip(lines) {
        let mut found = line["faults"].clone();
        for fault in found.as_array_mut().context("faults is a list")? {
            let words = fault.as_object_mut().and_then(|fault| fault.remove("words"));
            ensure!(
                words.is_some_and(|words| words.as_str().is_some_and(|words| !words.is_empty()))
            );
        }
        let expected = std::fs::read_to_string(card.with_extension("expect.json"))?;
        let expected: Value = serde_json::from_str(&expected)?;
        ensure!(found == expected, "{}: {line:#}", card.display());
    }
    Ok(())
}

#[test]
fn doubtful_cards_pass_unless_strict() -> anyhow::Result<()> {
    let cards = cards("warned")?;
    let output = check(&["--json"], &cards)?;
    let lines = lines(&output)?;
    ensure!(output.status.code() == Some(0), "{lines:#?}");
    for line in &lines {
        let faults = line["faults"].as_array().context("faults is a list")?;
        ensure!(line["ok"] == true && !faults.is_empty(), "{line:#}");
        ensure!(faults.iter().all(|fault| fault["severity"] == "likely"), "{line:#}");
    }
    ensure!(check(&["--strict"], &cards)?.status.code() == Some(1));
    let text = check(&[], &cards)?;
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    ensure!(
        text.contains(
            "v2-page-size-11.json: warning: /body/elements/0/page_size: must be from 1 to 10"
        ),
        "{text}"
    );
    Ok(())
}

#[test]
fn what_was_around_a_card_is_named() -> anyhow::Result<()> {
    let file = source_root().join("host/lark-card/cards/good/wrapped-message-body.json");
    let output = check(&[], std::slice::from_ref(&file))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(text.ends_with(": card JSON 2.0, inside a message: nothing wrong\n"), "{text}");
    ensure!(
        lines(&check(&["--json"], &[file])?)?[0]["unwrapped"] == serde_json::json!(["message"])
    );
    Ok(())
}

/// A schema has no words for places, names and numbers in the whole card, and none for null.
#[test]
fn the_schema_takes_good_cards_and_refuses_misspelt_ones() -> anyhow::Result<()> {
    let output = Command::new(artifacts::host_binary()?).args(["card", "schema"]).output()?;
    ensure!(output.status.code() == Some(0));
    let schema = Schema::read(&output.stdout)?;
    for card in cards("good")? {
        let name = card.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let card = std::fs::read_to_string(&card)?;
        if name.starts_with('v') && !card.contains("null") {
            ensure!(schema.takes(&serde_json::from_str(&card)?)?, "{name}");
        }
    }
    for name in [
        "v2-unknown-properties",
        "v2-unknown-tag",
        "v2-unknown-in-persons",
        "v2-chart-without-spec",
    ] {
        let card = source_root().join(format!("host/lark-card/cards/bad/{name}.json"));
        let card = serde_json::from_slice(&std::fs::read(&card)?)?;
        ensure!(!schema.takes(&card)?, "{name}");
    }
    Ok(())
}

#[test]
fn people_read_path_and_rule() -> anyhow::Result<()> {
    let card = source_root().join("host/lark-card/cards/bad/v2-form-in-a-container.json");
    let output = check(&[], &[card])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.code() == Some(1), "{text}");
    ensure!(text.contains("/body/elements/0/elements/0: a form stands at the root"), "{text}");
    let good = check(&[], &[source_root().join("host/lark-card/cards/good/v2-empty.json")])?;
    ensure!(good.status.code() == Some(0));
    Ok(())
}

#[test]
fn a_file_that_is_not_there_is_a_usage_error() -> anyhow::Result<()> {
    let output = check(&[], &[Path::new("nowhere.json").to_owned()])?;
    ensure!(output.status.code() == Some(64));
    ensure!(check(&[], &[])?.status.code() == Some(64));
    Ok(())
}
