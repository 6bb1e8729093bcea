//! `aviary explain CODE`: explains a code of the platform and what to do about it, from a table, without asking the platform.

use std::process::ExitCode;

use clap::Args;
use clap::ValueEnum;
use lark_wire::platform_code;
use lark_wire::platform_code::PlatformCode;

use crate::terminal;

/// Explain an error code of the platform, and what to do about it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  aviary explain 200340\n  aviary explain --language zh 300040\n\nWithout a code all of them are listed. Exit codes: 0 it is known, 1 it is not."
)]
pub(super) struct ExplainCommand {
    /// Code that a user's client shows, like 200340, or that the server API answers, like 99991663.
    code: Option<i64>,
    /// Language of the explanation; by default the terminal's.
    #[arg(long)]
    language: Option<ExplainLanguage>,
    /// Print one JSON object for each code instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExplainLanguage {
    En,
    Zh,
}

impl ExplainLanguage {
    /// Reads the language that is set for the terminal, in the order in which POSIX looks.
    fn of_the_terminal() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = set.iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
        if locale.is_some_and(|locale| locale.starts_with("zh")) { Self::Zh } else { Self::En }
    }
}

pub(super) fn run(command: &ExplainCommand) -> ExitCode {
    let codes = match platform_code::all() {
        Ok(codes) => codes,
        Err(error) => {
            terminal::notice!("aviary: the table of codes is damaged: {error}");
            return ExitCode::FAILURE;
        }
    };
    let wanted: Vec<_> =
        codes.iter().filter(|known| command.code.is_none_or(|code| code == known.code)).collect();
    if let (Some(code), true) = (command.code, wanted.is_empty()) {
        terminal::notice!(
            "aviary: {code} is not known here; the platform's own list is at https://open.feishu.cn/document/server-docs/api-call-guide/generic-error-code"
        );
        return ExitCode::FAILURE;
    }
    let language = command.language.unwrap_or_else(ExplainLanguage::of_the_terminal);
    for known in wanted {
        if command.json {
            terminal::result!("{}", serde_json::json!(known));
        } else {
            print_text(known, language);
        }
    }
    ExitCode::SUCCESS
}

fn print_text(known: &PlatformCode, language: ExplainLanguage) {
    let (words, what_to_do) = match language {
        ExplainLanguage::En => (&known.en, "What to do"),
        ExplainLanguage::Zh => (&known.zh, "怎么办"),
    };
    terminal::result!(
        "{} ({})\n  {}\n  {what_to_do}: {}",
        known.code,
        known.area,
        words.means,
        words.next
    );
}
