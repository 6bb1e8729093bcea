//! The report for people: tables as Markdown, and their places in the documents.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::languages;
use crate::report::HOW;
use crate::report::Report;
use crate::spread::Spread;

/// Marks the beginning of a section that this program writes.
const BEGIN: &str = "<!-- written by `cargo versus --readme` -->";
const END: &str = "<!-- end of what it wrote -->";

/// Results with a target: name, description, and the wanted median.
const WANTED: [(&str, &str, &str); 26] = [
    ("webhook_vs_node", "webhook, calls/s against the Node SDK", "≥ 2"),
    ("webhook_vs_python", "webhook, calls/s against the Python SDK", "≥ 15"),
    ("webhook_vs_native", "webhook, calls/s against no sandbox at all", "≥ 0.7"),
    ("webhook_p99_vs_node", "webhook, p99 against the Node SDK", "≤ 1"),
    ("long_connection_vs_node", "long connection, calls/s against the Node SDK", "≥ 2"),
    ("long_connection_vs_python", "long connection, calls/s against the Python SDK", "≥ 10"),
    ("quickjs_vs_node", "JavaScript plugin, calls/s against the Node SDK", "≥ 0.5"),
    ("python_reused_vs_python", "Python plugin, reused, calls/s against the Python SDK", "≥ 2"),
    ("plugins_500_vs_1", "calls/s with 500 plugins against 1", "≥ 0.9"),
    ("connections_50_vs_8", "calls/s with 50 connections against 8", "≥ 0.9"),
    ("runaway_p99_vs_quiet", "p99 with a runaway on a tenth of the traffic against none", "≤ 3"),
    ("journal_vs_none", "calls/s with a journal against none", "≥ 0.9"),
    ("engine_p99_us", "inside the engine, fresh instance, p99 in µs", "≤ 20"),
    ("engine_calls_per_s", "inside the engine, calls/s on two threads", "≥ 100 000"),
    ("idle_rss_mb", "idle host with four plugins, MB", "≤ 60"),
    ("rss_per_plugin_mb", "each further plugin, MB", "≤ 1"),
    ("rss_per_1000_calls_mb", "a thousand calls under way, MB", "–"),
    ("cached_start_s", "start with 50 plugins whose code is cached, s", "< 2"),
    ("edit_to_live_rust_s", "an edited plugin is live: Rust, s", "≤ 0.2"),
    ("edit_to_live_quickjs_s", "QuickJS, s", "≤ 1"),
    ("edit_to_live_starlingmonkey_s", "StarlingMonkey, s", "≤ 5"),
    ("edit_to_live_python_s", "Python, s", "≤ 5"),
    ("edit_rust_p99_vs_quiet", "p99 of another plugin meanwhile against before: Rust", "≤ 1.25"),
    ("edit_quickjs_p99_vs_quiet", "QuickJS", "≤ 1.25"),
    ("edit_starlingmonkey_p99_vs_quiet", "StarlingMonkey", "≤ 1.25"),
    ("edit_python_p99_vs_quiet", "Python", "≤ 1.25"),
];

/// Formats the whole report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut text = comparison(report);
    if !report.languages.measured.is_empty() {
        text += &format!("\n{}", languages::markdown(&report.languages, report.machine()));
    }
    text
}

fn comparison(report: &Report) -> String {
    let machine = report.machine();
    let mut text = String::new();
    // Writing into text does not fail.
    let _ = writeln!(
        text,
        "{}, {}; {}; load before: {}.\n\n| | wanted | median | lowest – highest |\n|---|---|---|---|",
        machine.date, machine.processor, machine.cores, machine.load_before
    );
    for (name, words, wanted) in WANTED {
        if let Some(spread) = report.spread(name) {
            let (median, ends) = (number(spread.median), ends(spread));
            let _ = writeln!(text, "| {words} | {wanted} | {median} | {ends} |");
        }
    }
    let _ = writeln!(
        text,
        "\n| | at once | calls/s | lowest – highest | p50 µs | p99 µs | its CPU, µs a call |\n|---|---|---|---|---|---|---|"
    );
    for row in &report.rows {
        let calls = if row.generator_busy.median > GENERATOR_IS_THE_LIMIT { "≥ " } else { "" };
        let _ = writeln!(
            text,
            "| {}: {} | {} | {calls}{} | {} | {} | {} | {} |",
            row.scenario.words(),
            row.who.words(),
            row.concurrency,
            number(row.calls_per_s.median),
            ends(row.calls_per_s),
            number(row.p50_us.median),
            number(row.p99_us.median),
            number(row.server_cpu_us.median),
        );
    }
    if !report.edits.is_empty() {
        text += &edits(report);
    }
    let _ = writeln!(text, "\n≥: the load generator was at its own limit. What was timed: {HOW}.");
    text
}

fn edits(report: &Report) -> String {
    let mut text = "\n| edited plugin | component, MB | live after, s | lowest – highest | p99 of another, µs: before | \
                    meanwhile |\n|---|---|---|---|---|---|\n"
        .to_owned();
    for edit in &report.edits {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            edit.toolchain.words(),
            number(edit.component_bytes as f64 / 1e6),
            number(edit.live_s.median),
            ends(edit.live_s),
            number(edit.quiet_p99_us.median),
            number(edit.meanwhile_p99_us.median),
        );
    }
    text
}

/// Share of its core above which the generator can hardly do more.
const GENERATOR_IS_THE_LIMIT: f64 = 0.95;

fn ends(spread: Spread) -> String {
    format!("{} – {}", number(spread.min), number(spread.max))
}

/// Formats a number with about three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 10_000.0 => {
            let thousands = (value / 100.0).round() / 10.0;
            format!("{thousands} k")
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Replaces the sections that an earlier run wrote into the READMEs of that source tree, as far as this run has measured them.
pub fn write_readmes(root: &Path, report: &Report) -> anyhow::Result<()> {
    if !report.rows.is_empty() {
        replace(&root.join("README.md"), &comparison(report))?;
    }
    if !report.languages.measured.is_empty() {
        let table = languages::markdown(&report.languages, report.machine());
        replace(&root.join("plugins/README.md"), &table)?;
    }
    Ok(())
}

fn replace(readme: &Path, table: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(readme)?;
    let (before, rest) = text.split_once(BEGIN).context("the README has no place for it")?;
    let (_, after) = rest.split_once(END).context("that place does not end")?;
    Ok(std::fs::write(readme, format!("{before}{BEGIN}\n{table}{END}{after}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_enough() {
        let shown = [18_812.0, 1234.0, 12.34, 0.9876].map(number);
        assert_eq!(shown, ["18.8 k", "1234", "12.3", "0.99"]);
    }
}
