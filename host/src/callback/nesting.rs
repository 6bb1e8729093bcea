//! The limit on nesting of JSON from outside: the limit of `serde_json`, which the host and its plugins mostly read with. Text
//! that is passed on or skipped never reaches a parser that would notice its depth.

/// The number of levels at which JSON is refused, by `serde_json` and by everything that calls [`reaches`].
pub const TOO_DEEP: usize = 128;

/// Returns true if `json`, which must be JSON, is nested at least `levels` deep.
pub fn reaches(json: &[u8], levels: usize) -> bool {
    brackets(json) >= levels && depth_reaches(json, levels)
}

/// Counts opening brackets, those in strings included, which is an upper bound of the depth. A quick first
/// check that the compiler vectorises: most JSON has few brackets and needs no exact count.
fn brackets(json: &[u8]) -> usize {
    const OTHER_CASE: u8 = b'[' ^ b'{';
    // A chunk of this length cannot overflow the sum of bytes.
    let parts = json.chunks(usize::from(u8::MAX));
    parts
        .map(|part| part.iter().map(|byte| u8::from(byte | OTHER_CASE == b'{')).sum::<u8>())
        .map(usize::from)
        .sum()
}

fn depth_reaches(json: &[u8], levels: usize) -> bool {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth >= levels {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = behind_text(json, at),
            _ => {}
        }
    }
    false
}

/// Returns the index behind the string that begins at `at`.
pub(super) fn behind_text(json: &[u8], mut at: usize) -> usize {
    while let Some(ahead) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += ahead;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn lists(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn it_is_the_parser_s_own_limit() {
        for levels in [1, TOO_DEEP - 1, TOO_DEEP, TOO_DEEP + 1, 100_000] {
            for json in
                [lists(levels), format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))]
            {
                let is_refused = serde_json::from_str::<Value>(&json).is_err();
                assert_eq!(reaches(json.as_bytes(), TOO_DEEP), is_refused, "{levels}");
            }
        }
    }

    #[test]
    fn brackets_beside_each_other_and_in_texts_are_no_levels() {
        for json in [
            format!("[{}]", vec!["[]"; 1000].join(",")),
            serde_json::json!({ "text": lists(1000), "quote": "\"[[[\\" }).to_string(),
            serde_json::json!(["\\", lists(1000), "\\\"", lists(1000)]).to_string(),
        ] {
            assert!(!reaches(json.as_bytes(), TOO_DEEP), "{json}");
        }
        let after = format!(r#"["\\",{}]"#, lists(TOO_DEEP - 1));
        assert!(reaches(after.as_bytes(), TOO_DEEP));
    }
}
