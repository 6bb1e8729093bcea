//! Output of the demo: progress on standard error, the result on standard output.

use std::path::Path;

use crate::demo::DemoReport;
use crate::terminal;

/// Width of the column that shows what the user saw; longer texts are cut.
const SEEN_WIDTH: usize = 44;

pub(super) fn progress(text: &str) {
    terminal::notice!("· {text}");
}

/// Prints the address of the page, and what can be done there.
pub(super) fn invite(page: &str, plugins: &Path) {
    terminal::result!("Plugins: {}", plugins.display());
    terminal::result!(
        "  Copy another version over one of them, and the page says that it is live."
    );
    terminal::result!("Playground, until Ctrl-C: {page}");
}

pub(super) fn print_json(report: &DemoReport) -> anyhow::Result<()> {
    terminal::result!("{}", serde_json::to_string(report)?);
    Ok(())
}

pub(super) fn print(report: &DemoReport) {
    terminal::result!("");
    terminal::result!(
        "{:2} {:34} {:15} {:22} {:14} {:SEEN_WIDTH$} {:>7} {:>9}",
        "",
        "what happened",
        "door",
        "callback",
        "plugin",
        "what the user saw",
        "ms",
        "fuel"
    );
    for row in &report.scenarios {
        terminal::result!(
            "{:2} {:34} {:15} {:22} {:14} {} {:>7.1} {:>9}",
            mark(row.ok),
            row.name,
            row.door,
            row.callback,
            row.plugin.as_deref().unwrap_or("-"),
            fit(&row.outcome),
            row.ms,
            row.fuel.map_or_else(|| "-".to_owned(), |fuel| fuel.to_string()),
        );
    }
    let (swap, runaway) = (&report.swap, &report.runaway);
    terminal::result!("");
    terminal::result!(
        "{:2} swap under clicks: {} answered, {} lost, by {} versions of one plugin, no restart",
        mark(swap.ok()),
        swap.answered,
        swap.lost,
        swap.versions
    );
    terminal::result!(
        "{:2} a plugin that spins for ever: its user was answered after {:.0} ms ({}); the slowest healthy click meanwhile \
         took {:.1} ms",
        mark(runaway.ok),
        runaway.answered_ms,
        runaway.outcome,
        runaway.slowest_healthy_ms
    );
    terminal::result!("");
    terminal::result!(
        "Milliseconds are from the first byte sent to the answer read, on this machine; fuel is the plugin's CPU budget used."
    );
    terminal::result!("");
    terminal::result!("Next:");
    terminal::result!("  `cargo demo --open`: click it yourself, on a page in your browser");
    terminal::result!(
        "  edit plugins/approval-card/src/lib.rs and run `cargo demo` again: your toast is in the first row"
    );
    terminal::result!(
        "  README.md, \"Run it with your app\": five lines of aviary.toml, then `aviary run`"
    );
    terminal::result!("  plugin-sdk/README.md: a plugin of your own in ten lines");
}

fn mark(ok: bool) -> &'static str {
    if ok { "ok" } else { "NO" }
}

/// Cut or filled to the column's width, counting Chinese characters as the two columns they take.
fn fit(text: &str) -> String {
    let mut width = 0;
    let mut fitted = String::new();
    for character in text.chars() {
        let columns = if character as u32 >= 0x2e80 { 2 } else { 1 };
        if width + columns > SEEN_WIDTH {
            break;
        }
        width += columns;
        fitted.push(character);
    }
    fitted.extend(std::iter::repeat_n(' ', SEEN_WIDTH - width));
    fitted
}
