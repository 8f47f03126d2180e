//! The smallest sets of changes that turn an outcome, asked for with as few runs as can be.
//!
//! Changing more is taken to turn no less (a protection that is taken away brings no other one into being). So one question, all
//! changes at once, tells whether there is any set at all; a set that turns is made smaller by leaving away what it does not
//! need; and every other set lacks at least one element of each that is known (Reiter's tree of hitting sets). What is found is
//! not taken from that assumption: a set is handed on only when it was seen to turn, and each with one element less not to.

use std::collections::{BTreeSet, HashMap};

/// Questions to the kernel beyond which the search ends.
const MOST_QUESTIONS: usize = 1000;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The sets, smaller ones first, each in the order of the elements.
    pub(super) sets: Vec<BTreeSet<usize>>,
    /// All of them; not where the search ended before its time.
    pub(super) complete: bool,
}

/// The smallest sets out of `0..count` for which `turns` says yes, of at most `most` elements.
pub(super) fn smallest(count: usize, most: usize, turns: &mut dyn FnMut(&BTreeSet<usize>) -> bool) -> Found {
    let mut search = Search { turns, known: HashMap::new() };
    let mut minimal: BTreeSet<(usize, Vec<usize>)> = BTreeSet::new();
    let mut open = vec![(0..count).collect::<BTreeSet<usize>>()];
    let mut seen = BTreeSet::new();
    while let Some(among) = open.pop() {
        if search.known.len() >= MOST_QUESTIONS {
            return Found { sets: collect(&minimal, most), complete: false };
        }
        if among.is_empty() || !seen.insert(among.clone()) {
            continue;
        }
        let known = minimal.iter().find(|(_, set)| set.iter().all(|one| among.contains(one)));
        let set = match known {
            Some((_, set)) => set.iter().copied().collect(),
            None if search.ask(&among) => search.shrink(among.clone()),
            None => continue,
        };
        open.extend(set.iter().map(|one| without(&among, *one)));
        minimal.insert((set.len(), set.into_iter().collect()));
    }
    Found { sets: collect(&minimal, most), complete: true }
}

fn collect(minimal: &BTreeSet<(usize, Vec<usize>)>, most: usize) -> Vec<BTreeSet<usize>> {
    minimal.iter().filter(|(size, _)| *size <= most).map(|(_, set)| set.iter().copied().collect()).collect()
}

fn without(set: &BTreeSet<usize>, one: usize) -> BTreeSet<usize> {
    set.iter().copied().filter(|other| *other != one).collect()
}

struct Search<'a> {
    turns: &'a mut dyn FnMut(&BTreeSet<usize>) -> bool,
    known: HashMap<BTreeSet<usize>, bool>,
}

impl Search<'_> {
    fn ask(&mut self, set: &BTreeSet<usize>) -> bool {
        if let Some(answer) = self.known.get(set) {
            return *answer;
        }
        let answer = (self.turns)(set);
        self.known.insert(set.clone(), answer);
        answer
    }

    /// A set that turns, made as small as it can be: parts are left away, first halves, then ever smaller ones (Zeller's ddmin,
    /// the complement half of it). At its end every single element was tried.
    fn shrink(&mut self, mut set: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut size = set.len().div_ceil(2);
        loop {
            let mut smaller = false;
            let parts: Vec<Vec<usize>> =
                set.iter().copied().collect::<Vec<_>>().chunks(size).map(<[_]>::to_vec).collect();
            for part in parts {
                let rest: BTreeSet<usize> = set.iter().copied().filter(|one| !part.contains(one)).collect();
                if !rest.is_empty() && rest.len() < set.len() && self.ask(&rest) {
                    set = rest;
                    smaller = true;
                }
            }
            if size == 1 && !smaller {
                return set;
            }
            size = size.min(set.len()).div_ceil(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(of: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        of.iter().map(|set| set.iter().copied().collect()).collect()
    }

    /// Against all subsets, for formulas that a generator of fixed seed makes.
    #[test]
    fn what_is_found_is_what_trying_every_set_finds() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let terms: Vec<BTreeSet<usize>> =
                (0..random(5)).map(|_| (0..=random(4)).map(|_| random(9) as usize).collect()).collect();
            let holds = |set: &BTreeSet<usize>| terms.iter().any(|term| term.is_subset(set));
            let mut wanted: Vec<BTreeSet<usize>> = terms
                .iter()
                .filter(|term| !terms.iter().any(|other| other != *term && other.is_subset(term)))
                .filter(|term| term.len() <= 3)
                .cloned()
                .collect();
            wanted.sort_by_key(|set| (set.len(), set.iter().copied().collect::<Vec<_>>()));
            wanted.dedup();
            let found = smallest(9, 3, &mut |set| holds(set));
            assert!(found.complete);
            assert_eq!(found.sets, wanted, "{terms:?}");
        }
    }

    #[test]
    fn where_all_at_once_turn_nothing_one_question_is_enough() {
        let mut asked = 0;
        let found = smallest(50, 3, &mut |_| {
            asked += 1;
            false
        });
        assert_eq!((found.sets, found.complete, asked), (Vec::new(), true, 1));
    }

    #[test]
    fn two_out_of_fifty_take_few_questions() {
        let mut asked = 0;
        let found = smallest(50, 3, &mut |set| {
            asked += 1;
            set.contains(&3) && set.contains(&41)
        });
        assert_eq!(found.sets, sets(&[&[3, 41]]));
        assert!(asked < 40, "{asked} questions");
    }
}
