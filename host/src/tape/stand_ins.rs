//! What was written down, compared with what is said now. Where the journal has letters in the place of a text that it masks,
//! a plugin that knows that text by itself says it again when it is played: any text of that length is the same then, and
//! from then on only that text.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use aho_corasick::MatchKind;
use serde_json::Value;

/// As deep as text inside text is masked.
const DEEPEST: usize = 4;

/// The letters of one entry, each with the text that it stands for once that was said.
#[derive(Debug, Default)]
pub struct StandIns {
    letters: Vec<String>,
    places: HashMap<String, usize>,
    meant: Vec<Option<String>>,
    /// Finds the letters inside of longer text; none where there are none.
    finder: Option<AhoCorasick>,
}

impl StandIns {
    /// Of nothing that was said so far.
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

    /// Whether what is said now is what was written down then. What is learned from it counts for what comes after.
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

    /// Values are no deeper than the parser's own limit.
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

    /// The whole text is one that is masked.
    fn whole(&mut self, then: &str, now: &str) -> bool {
        self.places.get(then).copied().is_some_and(|place| self.means(place, now))
    }

    /// Parts of the text are masked. A masked text keeps its length, so each part stands where it stood.
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

    /// Whether those letters stand for that text, which was perhaps told with the letters in its place.
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
