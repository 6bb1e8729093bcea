//! A map with limits on its entries and their weight.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hash::Hash;

use slab::Slab;

/// A map with a limit on the number of its entries and on their total weight. An entry that does not fit removes the oldest
/// one: the one whose last [`insert`](Self::insert) or [`renew`](Self::renew) is the longest ago. Looking an entry up does not
/// change its age.
///
/// Every operation takes the same time however full the map is, and none allocates once the map has been full. The map has no
/// clock: an entry with a limited lifetime stores its own moment, and [`remove_oldest_while`](Self::remove_oldest_while)
/// removes the entries that have expired.
#[derive(Debug)]
pub struct Bounded<K, V, S = RandomState> {
    most: usize,
    most_weight: usize,
    weight: usize,
    places: HashMap<K, usize, S>,
    entries: Slab<Entry<K, V>>,
    ends: Option<Ends>,
}

/// An entry with links to its neighbours by age.
#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    weight: usize,
    older: Option<usize>,
    younger: Option<usize>,
}

/// Slab indices of the oldest and the youngest entry.
#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: usize,
    youngest: usize,
}

impl<K: Clone + Eq + Hash, V, S: BuildHasher + Default> Bounded<K, V, S> {
    /// Creates an empty map for `most` entries, at least one.
    pub fn new(most: usize) -> Self {
        Self::weighing(most, usize::MAX)
    }

    /// Creates an empty map for `most` entries that together weigh no more than `most_weight`.
    pub fn weighing(most: usize, most_weight: usize) -> Self {
        let (places, entries) = (HashMap::default(), Slab::new());
        Self { most: most.max(1), most_weight, weight: 0, places, entries, ends: None }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether the map has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the weight of all entries together.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Returns whether the map has an entry with that key.
    pub fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.places.contains_key(key)
    }

    /// Returns the value of that key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = *self.places.get(key)?;
        Some(&self.entries[place].value)
    }

    /// Returns the value of that key for changing it.
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = *self.places.get(key)?;
        Some(&mut self.entries[place].value)
    }

    /// Iterates over all entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(_, entry)| (&entry.key, &entry.value))
    }

    /// Inserts an entry without weight, as the youngest. Returns the value that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.insert_weighing(key, value, 0)
    }

    /// Inserts an entry with a weight, as the youngest. An entry that alone exceeds the weight of the map is removed at once,
    /// with all others.
    pub fn insert_weighing(&mut self, key: K, value: V, weight: usize) -> Option<V> {
        let replaced = self.remove(&key);
        self.add(key, value, weight);
        while self.weight > self.most_weight {
            self.remove_oldest();
        }
        replaced
    }

    /// Returns the value of that key, made by `make` if there is none. Its entry becomes the youngest.
    pub fn renew(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.places.get(&key) {
            Some(&place) => {
                if self.ends.is_some_and(|ends| ends.youngest != place) {
                    self.unlink(place);
                    self.link_youngest(place);
                }
                place
            }
            None => self.add(key, make(), 0),
        };
        &mut self.entries[place].value
    }

    /// Removes the entry with that key, and returns its value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.places.remove(key)?;
        Some(self.take(place).value)
    }

    /// Removes entries from the oldest on, up to the first one for which `is_over` returns `false`.
    pub fn remove_oldest_while(&mut self, is_over: impl Fn(&V) -> bool) {
        while let Some(Ends { oldest, .. }) = self.ends
            && is_over(&self.entries[oldest].value)
        {
            self.remove_oldest();
        }
    }

    /// Adds an entry with a key that the map does not have.
    fn add(&mut self, key: K, value: V, weight: usize) -> usize {
        if self.len() == self.most {
            self.remove_oldest();
        }
        let (older, younger) = (None, None);
        let place = self.entries.insert(Entry { key: key.clone(), value, weight, older, younger });
        self.places.insert(key, place);
        self.weight += weight;
        self.link_youngest(place);
        place
    }

    fn remove_oldest(&mut self) {
        if let Some(Ends { oldest, .. }) = self.ends {
            let entry = self.take(oldest);
            self.places.remove(&entry.key);
        }
    }

    fn take(&mut self, place: usize) -> Entry<K, V> {
        self.unlink(place);
        let entry = self.entries.remove(place);
        self.weight -= entry.weight;
        entry
    }

    fn link_youngest(&mut self, place: usize) {
        let before = self.ends.map(|ends| ends.youngest);
        self.entries[place].older = before;
        if let Some(before) = before {
            self.entries[before].younger = Some(place);
        }
        let oldest = self.ends.map_or(place, |ends| ends.oldest);
        self.ends = Some(Ends { oldest, youngest: place });
    }

    fn unlink(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        let (older, younger) = (entry.older.take(), entry.younger.take());
        if let Some(older) = older {
            self.entries[older].younger = younger;
        }
        if let Some(younger) = younger {
            self.entries[younger].older = older;
        }
        self.ends = self.ends.and_then(|ends| {
            Some(Ends {
                oldest: if ends.oldest == place { younger? } else { ends.oldest },
                youngest: if ends.youngest == place { older? } else { ends.youngest },
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = Bounded<u32, u32>;

    /// The keys, oldest first.
    fn by_age(map: &Numbers) -> Vec<u32> {
        let mut keys = Vec::new();
        let mut place = map.ends.map(|ends| ends.oldest);
        while let Some(entry) = place.map(|place| &map.entries[place]) {
            keys.push(entry.key);
            place = entry.younger;
        }
        keys
    }

    fn filled(most: usize, keys: impl IntoIterator<Item = u32>) -> Numbers {
        let mut map = Numbers::new(most);
        for key in keys {
            map.insert(key, 10 * key);
        }
        map
    }

    #[test]
    fn the_oldest_makes_room() {
        let map = filled(3, 0..5);
        assert_eq!(by_age(&map), [2, 3, 4]);
        assert_eq!(map.get(&4), Some(&40));
        assert!(!map.contains(&1) && map.len() == 3);
    }

    #[test]
    fn an_entry_is_as_old_as_its_last_insert_or_renewal() {
        let mut map = filled(3, [1, 2, 3]);
        assert_eq!(map.insert(1, 11), Some(10));
        assert_eq!(by_age(&map), [2, 3, 1]);
        assert_eq!(*map.renew(2, || 0), 20);
        assert_eq!(by_age(&map), [3, 1, 2]);
        assert_eq!(*map.renew(2, || 0), 20, "the youngest already");
        assert_eq!(map.get(&3), Some(&30));
        assert_eq!(map.get_mut(&3), Some(&mut 30));
        assert_eq!(by_age(&map), [3, 1, 2], "looking one up leaves its age as it is");
        assert_eq!(*map.renew(4, || 40), 40, "made, and the oldest makes room");
        assert_eq!(by_age(&map), [1, 2, 4]);
    }

    #[test]
    fn weights_are_those_of_the_entries_that_are_there() {
        let mut map = Numbers::weighing(10, 100);
        map.insert_weighing(1, 1, 60);
        map.insert_weighing(1, 1, 40);
        assert_eq!(map.weight(), 40);
        map.insert_weighing(2, 2, 60);
        map.insert_weighing(3, 3, 30);
        assert_eq!((by_age(&map), map.weight()), (vec![2, 3], 90));
        assert_eq!(map.remove(&2), Some(2));
        assert_eq!(map.weight(), 30);
        map.insert_weighing(4, 4, 101);
        assert!(map.is_empty() && map.weight() == 0 && map.ends.is_none());
    }

    #[test]
    fn time_is_over_for_the_oldest_first() {
        let mut map = filled(9, [5, 1, 7, 2]);
        map.remove_oldest_while(|value| *value < 60);
        assert_eq!(by_age(&map), [7, 2], "the last one is younger than one that stays");
        map.remove_oldest_while(|_| true);
        assert!(map.is_empty() && map.places.is_empty());
        map.insert(1, 1);
        assert_eq!(by_age(&map), [1]);
    }

    fn weigh(list: &[(u32, u32)], weights: &HashMap<u32, usize>) -> usize {
        list.iter().map(|(key, _)| weights[key]).sum()
    }

    /// Against a list that is searched: whatever is done in whatever order.
    #[test]
    fn it_does_what_a_plain_list_does() {
        let (mut map, mut list) = (Numbers::weighing(20, 300), Vec::<(u32, u32)>::new());
        let mut weights = HashMap::new();
        let mut random = 1_u64;
        for step in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (what, key) = ((random >> 33) % 4, (random >> 40) as u32 % 32);
            let known = list.iter().position(|(known, _)| *known == key);
            let removed = known.filter(|_| what != 3).map(|at| list.remove(at));
            match what {
                0 => assert_eq!(map.remove(&key), removed.map(|(_, value)| value)),
                1 => {
                    let renewed = removed.unwrap_or((key, step));
                    if known.is_none() && list.len() == 20 {
                        list.remove(0);
                    }
                    assert_eq!(*map.renew(key, || step), renewed.1);
                    list.push(renewed);
                    weights.insert(key, if known.is_some() { weights[&key] } else { 0 });
                }
                2 => {
                    let replaced = map.insert_weighing(key, step, key as usize);
                    assert_eq!(replaced, removed.map(|(_, value)| value));
                    list.push((key, step));
                    weights.insert(key, key as usize);
                    while list.len() > 20 || weigh(&list, &weights) > 300 {
                        list.remove(0);
                    }
                }
                _ => assert_eq!(map.get(&key), known.map(|at| &list[at].1)),
            }
            assert_eq!(by_age(&map), list.iter().map(|(key, _)| *key).collect::<Vec<_>>());
            assert_eq!(map.weight(), weigh(&list, &weights));
        }
    }
}
