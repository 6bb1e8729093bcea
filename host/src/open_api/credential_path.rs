//! Recognizes the requests whose answers contain credentials. The list is data: `credential_paths.toml` beside this file.

use std::sync::LazyLock;

use serde::Deserialize;

const LIST: &str = include_str!("credential_paths.toml");

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    // The file is part of the program, and a test parses it.
    let list: List = toml::from_str(LIST).unwrap_or_else(|error| unreachable!("{error}"));
    list.refused.into_iter().map(|refused| Pattern::new(&refused.pattern)).collect()
});

#[derive(Deserialize)]
struct List {
    refused: Vec<RefusedPath>,
}

#[derive(Deserialize)]
struct RefusedPath {
    pattern: String,
}

/// Segments of a path, in lower case.
#[derive(Debug)]
struct Pattern(Vec<String>);

/// Returns whether the answer to a request for this path may hold a credential. The platform's router may be more lenient than
/// a comparison of texts, so the path is read as leniently: without regard to case, to empty segments, and to whatever follows
/// the name in a segment.
pub fn gives_credentials(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let segments: Vec<&str> = segments(&path).map(name).collect();
    PATTERNS.iter().any(|pattern| matches(&pattern.0, &segments))
}

/// Splits a path into its segments. `//` and a trailing slash add no segment.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Returns the leading name of a segment: `get` of `get.json`, `get:resend` and `get~`.
fn name(segment: &str) -> &str {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    segment.split(|character| !is_name(character)).next().unwrap_or_default()
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self(segments(&text.to_ascii_lowercase()).map(str::to_owned).collect())
    }
}

/// Compares segment by segment. A path has about eight segments and a pattern one or two `**`, so the search stays short for a
/// long path too.
fn matches(pattern: &[String], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    if first == "**" {
        return (0..=path.len()).any(|skipped| matches(rest, &path[skipped..]));
    }
    path.split_first()
        .is_some_and(|(segment, path)| (first == "*" || first == segment) && matches(rest, path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct CompletePath {
        refused: Vec<PathEntry>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct PathEntry {
        pattern: String,
        credential: String,
        documented: String,
        requests: Vec<String>,
    }

    #[test]
    fn every_entry_says_what_it_is_about_and_refuses_its_requests() {
        let list: CompletePath = toml::from_str(LIST).unwrap();
        let mut patterns = BTreeSet::new();
        for PathEntry { pattern, credential, documented, requests } in list.refused {
            assert!(pattern.starts_with("/open-apis/"), "{pattern}");
            assert!(patterns.insert(pattern.clone()), "{pattern} stands there twice");
            assert!(!credential.is_empty() && !requests.is_empty(), "{pattern}");
            assert!(documented.starts_with("https://open.feishu.cn/document/"), "{pattern}");
            for request in requests {
                let (_, path) = request.split_once(' ').unwrap();
                let own = Pattern::new(&pattern);
                let lower = path.to_ascii_lowercase();
                let segments: Vec<&str> = segments(&lower).collect();
                assert!(matches(&own.0, &segments), "{pattern} and {path}");
                assert!(gives_credentials(path), "{path}");
            }
        }
    }

    #[test]
    fn another_spelling_of_a_path_is_the_same_path() {
        for path in [
            "/open-apis/JSSDK/Ticket/Get",
            "/open-apis//jssdk/ticket/get",
            "/open-apis/jssdk/ticket/get/",
            "/open-apis/jssdk/ticket/get.json",
            "/open-apis/jssdk:x/ticket/get",
            "/open-apis/auth~/v3/tenant_access_token",
            "/open-apis/AUTHEN/v9/whatever",
        ] {
            assert!(gives_credentials(path), "{path}");
        }
    }

    #[test]
    fn what_only_looks_alike_is_not_refused() {
        for path in [
            "/open-apis/im/v1/messages",
            "/open-apis/drive/v1/permissions/doccn1/members/auth",
            "/open-apis/helpdesk/v1/tickets/1",
            "/open-apis/aily/v1/sessions/session_1/messages",
            "/open-apis/calendar/v4/calendars",
            "/open-apis/authority/v1/x",
            "/open-apis",
        ] {
            assert!(!gives_credentials(path), "{path}");
        }
    }
}
