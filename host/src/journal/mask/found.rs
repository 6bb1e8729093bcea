//! The masked texts of one entry and their substitutes. Usually there are a handful, which are searched one by one; a form or a
//! list of people may have thousands, which must not take a thousand times as long for each.

use std::cell::OnceCell;
use std::collections::HashMap;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use aho_corasick::MatchKind;

/// Above this number, texts are looked up in a map.
const FEW: usize = 8;
/// Least length of a text that is masked inside other texts. A shorter one is masked only where it was found and where it
/// stands alone, because the same few letters occur elsewhere by chance.
const LEAST_EVERYWHERE: usize = 4;

/// Texts, each with its substitute.
#[derive(Default)]
pub(super) struct Found {
    pairs: Vec<Pair>,
    /// Index of each text in `pairs`, once there are more than `FEW`.
    places: HashMap<String, usize>,
    /// Finds all texts of at least `LEAST_EVERYWHERE` bytes in one pass, once there are many and a search has begun.
    finder: OnceCell<Option<Finder>>,
}

struct Pair {
    found: String,
    instead: String,
}

struct Finder {
    machine: AhoCorasick,
    instead: Vec<String>,
}

impl Finder {
    /// Builds the search for these texts. Together they are no longer than a record may be, far less than the search can take.
    fn new(pairs: &[Pair]) -> Option<Self> {
        let mut builder = AhoCorasick::builder();
        // The search serves one entry only, so the quickest to build is the best.
        builder
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::NoncontiguousNFA));
        let machine = builder.build(long(pairs).map(|pair| &pair.found)).ok()?;
        Some(Self { machine, instead: long(pairs).map(|pair| pair.instead.clone()).collect() })
    }

    fn replaced(&self, text: &str) -> Option<String> {
        self.machine.is_match(text).then(|| self.machine.replace_all(text, &self.instead))
    }
}

impl Found {
    /// Returns the substitute of a text, if the text is masked.
    pub(super) fn instead_of(&self, text: &str) -> Option<&str> {
        let pair = if self.are_many() {
            self.places.get(text).and_then(|place| self.pairs.get(*place))
        } else {
            self.pairs.iter().find(|pair| pair.found == text)
        };
        pair.map(|pair| pair.instead.as_str())
    }

    /// Returns the substitute of a text, which `instead` makes unless the text has one already.
    pub(super) fn instead_or(&mut self, text: &str, instead: impl FnOnce() -> String) -> &str {
        if self.instead_of(text).is_none() {
            self.pairs.push(Pair { found: text.to_owned(), instead: instead() });
            self.finder.take();
            if self.are_many() {
                let missing = self.pairs.iter().enumerate().skip(self.places.len());
                self.places.extend(missing.map(|(place, pair)| (pair.found.clone(), place)));
            }
        }
        self.instead_of(text).unwrap_or_default()
    }

    /// Returns whether one of the texts may occur in this JSON.
    pub(super) fn may_stand_in(&self, json: &str) -> bool {
        // A text with other characters may be written with escapes.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        // Without a branch for each byte, the compiler compares many in one instruction.
        let are_plain = |text: &str| text.bytes().fold(true, |all, byte| all & is_plain(byte));
        let may = |pair: &Pair| stands_in(&pair.found, json) || !are_plain(&pair.found);
        self.are_many() || self.pairs.iter().any(may)
    }

    /// Returns the text with its masked parts replaced, or `None` if it has none.
    pub(super) fn replaced(&self, text: &str) -> Option<String> {
        if let Some(instead) = self.instead_of(text) {
            return Some(instead.to_owned());
        }
        if self.are_many()
            && let Some(finder) = self.finder.get_or_init(|| Finder::new(&self.pairs))
        {
            return finder.replaced(text);
        }
        let mut standing: Vec<_> =
            long(&self.pairs).filter(|pair| stands_in(&pair.found, text)).collect();
        if standing.is_empty() {
            return None;
        }
        // Replaces the longest first, because one text may be part of another.
        standing.sort_by_key(|pair| std::cmp::Reverse(pair.found.len()));
        let replace = |text: String, pair: &&Pair| text.replace(&pair.found, &pair.instead);
        Some(standing.iter().fold(text.to_owned(), replace))
    }

    /// Returns the substitutes that occur in one of these texts.
    pub(super) fn instead_in(&self, masked: &[&str]) -> Vec<String> {
        let stands = |instead: &str| masked.iter().any(|text| stands_in(instead, text));
        if !self.are_many() {
            let pairs = self.pairs.iter().filter(|pair| stands(&pair.instead));
            return pairs.map(|pair| pair.instead.clone()).collect();
        }
        let mut builder = AhoCorasick::builder();
        builder.kind(Some(AhoCorasickKind::NoncontiguousNFA));
        let Ok(machine) = builder.build(self.pairs.iter().map(|pair| &pair.instead)) else {
            return Vec::new();
        };
        let mut is_there = vec![false; self.pairs.len()];
        for text in masked {
            let found = machine.find_overlapping_iter(*text);
            found.for_each(|found| is_there[found.pattern().as_usize()] = true);
        }
        let pairs = self.pairs.iter().zip(is_there).filter(|(_, is_there)| *is_there);
        pairs.map(|(pair, _)| pair.instead.clone()).collect()
    }

    fn are_many(&self) -> bool {
        self.pairs.len() > FEW
    }
}

fn long(pairs: &[Pair]) -> impl Iterator<Item = &Pair> {
    pairs.iter().filter(|pair| pair.found.len() >= LEAST_EVERYWHERE)
}

/// Returns whether one text occurs in another. The standard library searches for a text of up to 32 bytes many bytes at a time,
/// so the beginning of a longer one is searched first: usually it does not occur at all.
fn stands_in(found: &str, text: &str) -> bool {
    const SHORT: usize = 32;
    found.len() <= text.len()
        && found.get(..SHORT).is_none_or(|beginning| text.contains(beginning))
        && text.contains(found)
}
