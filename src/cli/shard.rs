//! A part of a run: one of several machines' share.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The `index`-th of `total` shares, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    index: usize,
    total: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, total)| Some((index.parse().ok()?, total.parse().ok()?)));
        match numbers {
            Some((index, total)) if (1..=total).contains(&index) && total <= 1000 => Ok(Self { index, total }),
            _ => Err("I/N, the first share of four is 1/4".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.total)
    }
}

impl Shard {
    /// Which names are this share's: dealt in turn in their order, as cards are dealt. No share has more than one more than another,
    /// and the same names are always dealt the same way. The cells of a matrix stand beside each other, and so are spread.
    pub(super) fn of(self, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let ordered: BTreeSet<String> = names.into_iter().collect();
        ordered.into_iter().skip(self.index - 1).step_by(self.total).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_complete_and_stable() {
        let names: Vec<String> = (0..254).map(|number| format!("area/case-{}", number * 7919 % 254)).collect();
        for total in 1..=9 {
            let shares: Vec<BTreeSet<String>> =
                (1..=total).map(|index| Shard { index, total }.of(names.clone())).collect();
            let sizes: Vec<usize> = shares.iter().map(BTreeSet::len).collect();
            assert!(sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0) <= 1, "{sizes:?}");
            let all: BTreeSet<String> = shares.iter().flatten().cloned().collect();
            assert_eq!(all, names.iter().cloned().collect());
            assert_eq!(sizes.iter().sum::<usize>(), names.len());
            let mut turned = names.clone();
            turned.reverse();
            assert_eq!(Shard { index: 1, total }.of(turned), shares[0]);
        }
    }

    #[test]
    fn a_share_is_one_of_its_number() {
        for wrong in ["", "0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("2/3".parse::<Shard>().map(|shard| shard.to_string()), Ok("2/3".to_owned()));
    }
}
