//! Cases of a former matrix, whose pictures are compared before they go: what has become of each.

use super::Section;

/// Variables and their values, in the order written; none of a scenario without a matrix.
type Cell<'a> = Vec<(&'a str, &'a str)>;

fn cell(case: Option<&str>) -> Cell<'_> {
    case.into_iter().flat_map(|name| name.split(',')).map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect()
}

/// Kept pictures of cases that a scenario no longer has.
pub(super) struct Former<'a> {
    /// They.
    pub(super) sections: Vec<&'a Section>,
    /// Each case of the scenario with those that it was.
    cases: Vec<(Option<&'a str>, Vec<&'a Section>)>,
}

impl<'a> Former<'a> {
    /// Those among the kept ones.
    pub(super) fn among(kept: &'a [Section], cases: impl Iterator<Item = Option<&'a str>> + Clone) -> Self {
        let sections: Vec<_> =
            kept.iter().filter(|(name, _)| !cases.clone().any(|case| case == name.as_deref())).collect();
        let cells: Vec<_> = sections.iter().map(|(name, _)| cell(name.as_deref())).collect();
        let was = |case| {
            let now = cell(case);
            let near: Vec<_> = cells.iter().map(|old| nearness(old, &now)).collect();
            let nearest = near.iter().flatten().max();
            let nearest = near.iter().zip(&sections).filter(|(near, _)| nearest.is_some() && near.as_ref() == nearest);
            (case, nearest.map(|(_, section)| *section).collect())
        };
        let cases = cases.map(was).collect();
        Self { sections, cases }
    }

    /// Those that a case of the scenario was.
    pub(super) fn of(&self, case: Option<&str>) -> &[&'a Section] {
        self.cases.iter().find(|(name, _)| *name == case).map_or(&[], |(_, were)| were)
    }

    /// What one of them has become; nothing where it is gone.
    pub(super) fn became(&self, old: &Section) -> impl Iterator<Item = Option<&'a str>> {
        self.cases.iter().filter(move |(_, were)| were.iter().any(|one| one.0 == old.0)).map(|(name, _)| *name)
    }

    /// Whether one of them is yet to be compared with what it has become: that has no picture.
    pub(super) fn is_awaited(&self, old: &Section, kept: &[Section]) -> bool {
        self.became(old).any(|case| !kept.iter().any(|(name, _)| name.as_deref() == case))
    }
}

/// How near a case is to a former one, the nearest the most: the same in another order, the same values of variables of which one has
/// another name, a variable more or less. `None` where a variable has another value: that is another case.
fn nearness(old: &Cell<'_>, new: &Cell<'_>) -> Option<(bool, bool, usize)> {
    let shared = old.iter().filter(|(name, _)| new.iter().any(|(other, _)| other == name)).count();
    let agreed = old.iter().filter(|pair| new.contains(pair)).count();
    let same = agreed == old.len() && agreed == new.len();
    let renamed = old.iter().map(|(_, value)| value).eq(new.iter().map(|(_, value)| value));
    let is_kin = agreed > 0 || renamed || old.is_empty() || new.is_empty();
    (shared == agreed && is_kin).then_some((same, renamed, agreed))
}
