//! Compares a recording with a replay. Where the journal has letters in place of a masked text, a plugin that knows that text
//! by itself says it again in the replay: the first text of the same length counts as equal to the letters, and from then on
//! only that text does.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use aho_corasick::MatchKind;
use serde_json::Value;

/// Levels of JSON inside strings that are parsed, as many as the journal masks.
const DEEPEST: usize = 4;

/// The stand-ins of one entry, each with the text that it stands for once the plugin has said it.
#[derive(Debug, Default)]
pub struct StandIns {
    letters: Vec<String>,
    places: HashMap<String, usize>,
    meant: Vec<Option<String>>,
    /// Finds stand-ins inside longer text; `None` if there are no stand-ins.
    finder: Option<AhoCorasick>,
}

impl StandIns {
    /// Starts with stand-ins whose texts are unknown.
    pub fn new(letters: &[String]) -> Self {
        if letters.is_empty() {
            return Self::default();
        }
        let letters = letters.to_vec();
        let mut builder = AhoCorasick::builder();
        builder
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::NoncontiguousNFA));
        let finder = builder.build(&letters).ok();
        let meant = vec![None; letters.len()];
        let places = letters.iter().enumerate().map(|(place, letters)| (letters.clone(), place));
        Self { places: places.collect(), letters, meant, finder }
    }

    /// Returns whether a value of the replay equals the recorded one. The texts that it reveals count for later comparisons.
    pub fn same(&mut self, then: &Value, now: &Value) -> bool {
        if then == now {
            return true;
        }
        if self.letters.is_empty() {
            return false;
        }
        let before = self.meant.clone();
        let same = self.value(then, now, 0);
        if !same {
            self.meant = before;
        }
        same
    }

    /// Compares two values. Their depth is limited by the parser.
    fn value(&mut self, then: &Value, now: &Value, depth: usize) -> bool {
        match (then, now) {
            (Value::Object(then), Value::Object(now)) => {
                then.len() == now.len()
                    && then.iter().zip(now).all(|((then_name, then), (now_name, now))| {
                        self.text(then_name, now_name, depth) && self.value(then, now, depth)
                    })
            }
            (Value::Array(then), Value::Array(now)) => {
                then.len() == now.len()
                    && then.iter().zip(now).all(|(then, now)| self.value(then, now, depth))
            }
            (Value::String(then), Value::String(now)) => self.text(then, now, depth),
            (Value::Number(then), Value::Number(now)) => {
                then == now || self.whole(&then.to_string(), &now.to_string())
            }
            _ => then == now,
        }
    }

    fn text(&mut self, then: &str, now: &str, depth: usize) -> bool {
        if then == now || self.whole(then, now) {
            return true;
        }
        let parsed = |text: &str| match text.starts_with(['{', '[']) && depth < DEEPEST {
            true => serde_json::from_str::<Value>(text).ok(),
            false => None,
        };
        match (parsed(then), parsed(now)) {
            (Some(then), Some(now)) => self.value(&then, &now, depth + 1),
            _ => self.parts(then, now),
        }
    }

    /// Compares a text that is masked as a whole.
    fn whole(&mut self, then: &str, now: &str) -> bool {
        self.places.get(then).copied().is_some_and(|place| self.means(place, now))
    }

    /// Compares a text of which parts are masked. A masked text keeps its length, so each part is at the same position.
    fn parts(&mut self, then: &str, now: &str) -> bool {
        let Some(finder) = self.finder.clone() else { return false };
        if then.len() != now.len() {
            return false;
        }
        let mut compared = 0;
        for found in finder.find_iter(then) {
            let between = compared..found.start();
            let Some(said) = now.get(found.range()) else { return false };
            if then.as_bytes()[between.clone()] != now.as_bytes()[between]
                || !self.means(found.pattern().as_usize(), said)
            {
                return false;
            }
            compared = found.end();
        }
        then.as_bytes()[compared..] == now.as_bytes()[compared..]
    }

    /// Returns whether a stand-in stands for this text. The plugin may also say the stand-in itself, which it was told in the
    /// replay.
    fn means(&mut self, place: usize, said: &str) -> bool {
        let letters = &self.letters[place];
        if letters == said {
            return true;
        }
        let meant = &mut self.meant[place];
        letters.len() == said.len() && meant.get_or_insert_with(|| said.to_owned()) == said
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stand_ins() -> StandIns {
        StandIns::new(&["abcdefgh".to_owned(), "xy".to_owned(), "4711".to_owned()])
    }

    #[test]
    fn what_stands_in_is_the_same_wherever_it_is() {
        let mut all = stand_ins();
        let then = json!({ "h": [["authorization", "Bearer abcdefgh"]], "b": "{\"p\":\"abcdefgh\",\"n\":4711}", "s": "xy" });
        let now = json!({ "h": [["authorization", "Bearer hunter22"]], "b": "{\"p\":\"hunter22\",\"n\":1234}", "s": "pw" });
        assert!(all.same(&then, &now));
        assert!(all.same(&json!("say abcdefgh"), &json!("say hunter22")));
        assert!(
            !all.same(&json!("say abcdefgh"), &json!("say hunter23")),
            "it stands for another text"
        );
        assert!(all.same(&json!("say abcdefgh"), &json!("say abcdefgh")), "it was told so");
    }

    #[test]
    fn everything_else_is_compared_word_for_word() {
        let mut all = stand_ins();
        assert!(!all.same(&json!("say abcdefgh"), &json!("sag hunter22")));
        assert!(!all.same(&json!("abcdefgh"), &json!("hunter2")), "another length");
        assert!(
            all.same(&json!("a xy"), &json!("a pw")) && !all.same(&json!("a xy"), &json!("a p"))
        );
        assert!(!all.same(&json!(["abcdefgh", 1]), &json!(["hunter22", 2])));
        assert!(
            all.same(&json!("abcdefgh"), &json!("hunter99")),
            "nothing was learned from what differs"
        );
        assert!(!StandIns::default().same(&json!("a"), &json!("b")));
    }
}
