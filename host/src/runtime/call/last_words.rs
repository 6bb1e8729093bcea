//! What a guest said last before its call failed: the exception with its stack, as its language prints it.

use crate::capability::plugin_settings::PluginSettings;
use crate::capability::stdio::Ending;

/// Bytes of longer last words that are left: at the beginning, where some languages print the message, and at the end, where
/// the others do. Together they are shorter than a sentence of the log may be.
const BEGINNING_BYTES: usize = 1024;
const END_BYTES: usize = 3 * 1024;

/// Returns what the guest logged as its last error, and the end of its standard error, without secrets. Empty if it said nothing.
pub(super) fn last_words(
    logged: Option<&str>,
    printed: &Ending,
    settings: &PluginSettings,
) -> String {
    let text = String::from_utf8_lossy(&printed.bytes);
    // Secrets are removed before the text is cut, so that no half of a secret is left.
    let text = settings.without_secrets(&text);
    let text = if printed.is_cut { without_broken_begin(&text, settings) } else { &text };
    let parts = [logged.unwrap_or_default().trim(), text.trim()];
    let words = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    if words.len() <= BEGINNING_BYTES + END_BYTES {
        return words;
    }
    let beginning = &words[..words.floor_char_boundary(BEGINNING_BYTES)];
    let end = &words[words.ceil_char_boundary(words.len() - END_BYTES)..];
    format!("{beginning}\n…\n{end}")
}

/// Skips what may be the rest of a secret, and the rest of a line.
fn without_broken_begin<'a>(text: &'a str, settings: &PluginSettings) -> &'a str {
    let longest = settings.secrets().iter().map(|secret| secret.expose().len()).max();
    let whole = &text[text.ceil_char_boundary(longest.unwrap_or(0).min(text.len()))..];
    whole.split_once('\n').map_or(whole, |(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lark_wire::secret::Secret;

    use super::*;

    fn words(logged: Option<&str>, printed: &str, is_cut: bool) -> String {
        let settings = PluginSettings::new(BTreeMap::new(), vec![Secret::new("hunter22")]);
        last_words(logged, &Ending { bytes: printed.into(), is_cut }, &settings)
    }

    #[test]
    fn an_exception_is_told_with_its_stack() {
        assert_eq!(words(None, "", false), "");
        assert_eq!(words(None, "Error: boom\n  at f\n", false), "Error: boom\n  at f");
        assert_eq!(words(Some("boom"), "panicked\n", false), "boom\npanicked");
    }

    #[test]
    fn beginning_and_end_of_a_long_stack_are_left() {
        let long = format!("Error: boom\n{}the last frame", "  at 😀\n".repeat(10_000));
        let words = words(None, &long, false);
        assert!(words.starts_with("Error: boom\n") && words.ends_with("\nthe last frame"));
        assert!(words.len() <= BEGINNING_BYTES + END_BYTES + "\n…\n".len(), "{}", words.len());
    }

    #[test]
    fn no_part_of_a_secret_is_left() {
        assert_eq!(words(None, "it is hunter22!", false), "it is …!");
        assert_eq!(words(None, "ter22, and then\nError: boom", true), "Error: boom");
        assert_eq!(words(None, "ter22", true), "");
    }
}
