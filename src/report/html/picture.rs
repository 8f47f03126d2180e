//! Pictures of a story as inline SVG. They take their colours from the page, so that they are right in light and in dark.

use std::fmt::Write as _;

use crate::{
    capability::CapSet,
    explain::{Range, Transformation},
    observe::CapSets,
};

const LAST: u32 = u32::MAX - 1;

/// Id maps: a band from each range inside to what it is on the host.
pub(super) fn ids(uids: &[Range], gids: &[Range]) -> String {
    let all = [Range { inside: (0, LAST), outside: (0, LAST) }];
    let of = |ranges: &[Range]| if ranges.is_empty() { all.to_vec() } else { ranges.to_vec() };
    let (uids, gids) = (of(uids), of(gids));
    let same = uids == gids;
    let maps: Vec<(&str, Vec<Range>)> =
        if same { vec![("uid and gid", uids)] } else { vec![("uid", uids), ("gid", gids)] };
    let height: usize = maps.iter().map(|(_, ranges)| 34 + ranges.len() * 34).sum();
    let mut svg = format!(
        "<svg viewBox=\"0 0 380 {height}\" role=\"img\" aria-label=\"Which ids of the host the container's are\">"
    );
    let mut top = 0;
    for (what, ranges) in maps {
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{y}\" class=\"head\">{what} inside</text><text x=\"380\" y=\"{y}\" class=\"head\" text-anchor=\"end\">on the host</text>",
            y = top + 18
        );
        for (index, range) in ranges.iter().enumerate() {
            let y = top + 28 + index * 34;
            // Who is root on the host is shown as what it is.
            let class = if range.inside.0 == range.outside.0 { "risk" } else { "mapped" };
            let _ = write!(
                svg,
                "<rect x=\"0\" y=\"{y}\" width=\"150\" height=\"26\" rx=\"4\" class=\"{class}\"/>\
                 <path d=\"M150 {a} L230 {a} L230 {b} L150 {b} Z\" class=\"{class} band\"/>\
                 <path d=\"M184 {p} l12 7 l-12 7\" class=\"arrow\"/>\
                 <rect x=\"230\" y=\"{y}\" width=\"150\" height=\"26\" rx=\"4\" class=\"{class}\"/>\
                 <text x=\"75\" y=\"{t}\" text-anchor=\"middle\">{}</text><text x=\"305\" y=\"{t}\" text-anchor=\"middle\">{}</text>",
                span(range.inside),
                span(range.outside),
                a = y + 6,
                b = y + 20,
                p = y + 6,
                t = y + 17,
            );
        }
        top += 34 + ranges.len() * 34;
    }
    svg.push_str("</svg>");
    svg
}

fn span((first, last): (u32, u32)) -> String {
    match (first, last) {
        (0, LAST) => "every id".to_owned(),
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first} – {last}"),
    }
}

/// The five sets before and after execve(2), a row a capability.
pub(super) fn capabilities(sets: &Transformation) -> String {
    if sets.bits.is_empty() {
        return String::new();
    }
    let height = 46 + sets.bits.len() * 20;
    let mut svg = format!(
        "<svg viewBox=\"0 0 380 {height}\" role=\"img\" aria-label=\"Capability sets before and after execve\">\
         <text x=\"190\" y=\"14\" class=\"head\" text-anchor=\"middle\">before execve</text>\
         <text x=\"320\" y=\"14\" class=\"head\" text-anchor=\"middle\">after</text>"
    );
    for (side, x) in [(0, 146), (1, 276)] {
        for (column, letter) in ["P", "E", "I", "B", "A"].iter().enumerate() {
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"34\" class=\"dim\" text-anchor=\"middle\">{letter}</text>",
                x + column * 22
            );
        }
        for (row, bit) in sets.bits.iter().enumerate() {
            let y = 42 + row * 20;
            if side == 0 {
                let _ =
                    write!(svg, "<text x=\"0\" y=\"{}\" class=\"name\">{}</text>", y + 13, bit.capability.short_name());
            }
            let one = CapSet::EMPTY.with(bit.capability);
            for (column, set) in columns(if side == 0 { &sets.before } else { &sets.after }).into_iter().enumerate() {
                let class = if set.intersection(one) == one { "in" } else { "out" };
                let _ = write!(
                    svg,
                    "<rect x=\"{}\" y=\"{y}\" width=\"18\" height=\"16\" rx=\"3\" class=\"{class}\"/>",
                    x + column * 22 - 9
                );
            }
        }
    }
    svg.push_str("</svg>");
    svg
}

fn columns(sets: &CapSets) -> [CapSet; 5] {
    [sets.permitted, sets.effective, sets.inheritable, sets.bounding, sets.ambient]
}

/// The rules, each once, and for how many capabilities it decided.
pub(super) fn rules(sets: &Transformation) -> Vec<(String, &'static str)> {
    let mut rules: Vec<(&'static str, usize)> = Vec::new();
    for bit in &sets.bits {
        match rules.iter_mut().find(|(rule, _)| *rule == bit.rule) {
            Some((_, count)) => *count += 1,
            None => rules.push((bit.rule, 1)),
        }
    }
    let counted = rules.into_iter().map(|(rule, count)| (count.to_string(), rule));
    counted.chain([("all others".to_owned(), sets.others)]).collect()
}
