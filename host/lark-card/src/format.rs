//! Formats of texts, such as a number of pixels. The rules name them.

/// Characters of an `element_id`.
const MAX_ID: usize = 20;
/// Most pixels of a margin or a padding, which have one number for each side.
const MAX_SPACE: i32 = 99;
/// Names of distances between components. The last two are in the platform's own samples.
const SPACINGS: [&str; 6] = ["small", "medium", "large", "extra_large", "default", ""];

/// A format of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    ElementId,
    /// `8px`.
    Pixels,
    /// `8px`, or one number for each side; may be negative.
    Margin,
    /// `8px`, or one number for each side.
    Padding,
    /// `8px`, or a word.
    Spacing,
    /// `2026-12-31`.
    Date,
    /// `23:59`.
    Time,
    /// `2026-12-31 23:59`.
    DateTime,
}

impl Format {
    /// Returns the format that the rules call by that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "element-id" => Self::ElementId,
            "px" => Self::Pixels,
            "margin" => Self::Margin,
            "padding" => Self::Padding,
            "spacing" => Self::Spacing,
            "date" => Self::Date,
            "time" => Self::Time,
            "datetime" => Self::DateTime,
            _ => return None,
        })
    }

    /// Returns what a text of this format looks like.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::ElementId => "a letter, then letters, digits and underscores, 20 in all at most",
            Self::Pixels => "pixels, like 8px",
            Self::Margin => "pixels from -99px to 99px, one number or one for each side",
            Self::Padding => "pixels from 0px to 99px, one number or one for each side",
            Self::Spacing => "small, medium, large, extra_large, or pixels from 0px to 99px",
            Self::Date => "a date like 2026-12-31",
            Self::Time => "a time like 23:59",
            Self::DateTime => "a date and a time like 2026-12-31 23:59",
        }
    }

    /// Returns true if the text has this format.
    pub(crate) fn takes(self, text: &str) -> bool {
        match self {
            Self::ElementId => is_id(text),
            Self::Pixels => pixels(text).is_some_and(|number| number >= 0),
            Self::Margin => sides(text, -MAX_SPACE),
            Self::Padding => sides(text, 0),
            Self::Spacing => SPACINGS.contains(&text) || sides(text, 0),
            Self::Date => numbers(text, "--"),
            Self::Time => numbers(text, ":"),
            Self::DateTime => numbers(text, "-- :"),
        }
    }
}

fn is_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && id.len() <= MAX_ID
}

fn pixels(text: &str) -> Option<i32> {
    // A zero needs no unit.
    if text == "0" {
        return Some(0);
    }
    text.strip_suffix("px")?.parse().ok()
}

fn sides(text: &str, least: i32) -> bool {
    let mut sides = 0;
    text.split_whitespace().all(|side| {
        sides += 1;
        pixels(side).is_some_and(|number| (least..=MAX_SPACE).contains(&number))
    }) && (1..=4).contains(&sides)
}

/// Returns true if the text is numbers with these characters between them. A number may have one digit, as in the platform's
/// own samples.
fn numbers(text: &str, between: &str) -> bool {
    let mut parts = text.split(|character: char| !character.is_ascii_digit());
    let marks = text.chars().filter(|character| !character.is_ascii_digit());
    marks.eq(between.chars()) && parts.all(|part| (1..=4).contains(&part.len()))
}

/// Returns the number of tables in a markdown text: rows of dashes and bars below a row with a bar, outside of code.
pub(crate) fn tables(markdown: &str) -> usize {
    // Most texts have none, and need no second look.
    if !markdown.contains('|') {
        return 0;
    }
    let mut tables = 0;
    let mut fence = None;
    let mut before = "";
    for line in markdown.lines() {
        let line = line.trim();
        match (fence, ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence))) {
            (None, Some(opened)) => fence = Some(opened),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) if before.contains('|') && is_delimiter(line) => tables += 1,
            _ => {}
        }
        before = line;
    }
    tables
}

/// Returns true for the row below a table's head: `|---|:-:|`.
fn is_delimiter(line: &str) -> bool {
    line.contains('-')
        && line.contains('|')
        && line.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_is_documented() {
        for (name, good, bad) in [
            ("element-id", vec!["a", "Title_2"], vec!["", "1a", "a-b", "abcdefghijklmnopqrstu"]),
            ("px", vec!["8px", "120px", "0"], vec!["8", "8 px", "-1px", "large"]),
            ("margin", vec!["0", "-4px", "4px 0px 4px 8px", "4px 8px"], vec!["", "100px", "1em"]),
            ("padding", vec!["0px", "12px 12px"], vec!["-1px", "1px 1px 1px 1px 1px"]),
            ("spacing", vec!["small", "default", "12px"], vec!["huge", "12"]),
            ("date", vec!["2026-12-31", "2002-2-22"], vec!["2026/12/31", "2026-12", "tomorrow"]),
            ("time", vec!["09:30"], vec!["9.30", "09:30:00", ":30"]),
            ("datetime", vec!["2026-12-31 09:30"], vec!["2026-12-31T09:30"]),
        ] {
            let format = Format::named(name).unwrap();
            assert!(good.iter().all(|text| format.takes(text)), "{name}");
            assert!(bad.iter().all(|text| !format.takes(text)), "{name}");
        }
    }

    #[test]
    fn tables_are_counted_outside_of_code() {
        let table = "| a | b |\n|---|:-:|\n| 1 | 2 |\n\n";
        assert_eq!(tables(&table.repeat(3)), 3);
        assert_eq!(tables(&format!("```\n{table}```\n{table}")), 1);
        assert_eq!(tables("a | b\n--|--\n1 | 2"), 1);
        assert_eq!(tables("a rule below\n---\n| no table |"), 0);
    }
}
