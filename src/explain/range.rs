//! Id maps as ranges.

use caplab_init::wire::IdMap;

/// A line of a map: the first and the last id inside, and what they are on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First and last inside.
    pub inside: (u32, u32),
    /// First and last on the host.
    pub outside: (u32, u32),
}

/// The ranges of a map.
pub(super) fn all(map: &[IdMap]) -> Vec<Range> {
    let last = |first: u32, count: u32| first.saturating_add(count.saturating_sub(1));
    map.iter()
        .map(|line| Range {
            inside: (line.inside, last(line.inside, line.count)),
            outside: (line.outside, last(line.outside, line.count)),
        })
        .collect()
}
