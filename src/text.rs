//! Small helpers for words: nothing here knows a domain.

/// In bytes.
const LONGEST: usize = 64;

/// The candidate that takes the fewest edits to become, where that is few enough to have been meant; else the only one that begins so.
#[must_use]
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody misspells a word this long, and looking takes long.
    if word.len() > LONGEST {
        return None;
    }
    let letters: Vec<char> = word.chars().collect();
    let limit = (letters.len() / 3).max(1);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let edited = candidates
        .iter()
        .map(|candidate| (distance(&letters, candidate), *candidate))
        .filter(|(edits, _)| *edits <= limit && *edits < letters.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate);
    let mut begun = candidates.iter().filter(|candidate| letters.len() > 3 && candidate.starts_with(word));
    edited.or(match (begun.next(), begun.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}

/// Bytes as a digest is written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Letters that are wrong, missing, too many, or two that changed places (Damerau's, each letter touched once).
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut edits = (row[j] + usize::from(a != b)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                edits = edits.min(before[j - 1] + 1);
            }
            next.push(edits);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

/// What a colour begins with, and what ends it: ECMA-48's SGR.
const ESCAPE: &str = "\x1b[";
const PLAIN: &str = "\x1b[0m";

/// How many characters are seen of a line: its colours are not.
pub(crate) fn width(line: &str) -> usize {
    anstream::adapter::strip_str(line).to_string().chars().count()
}

/// A line as so many that fit into a terminal, broken between words, what goes over set in under the text: a terminal breaks in the middle of
/// a word. Each line has its colours: a pager shows one without those before it.
pub(crate) fn wrap<'a>(line: &'a str, columns: usize, hanging: usize) -> Vec<String> {
    let hanging = if hanging * 2 > columns { columns / 8 } else { hanging };
    let (mut lines, mut current, mut used, mut color) = (Vec::new(), String::new(), 0, "");
    // There is more on the line than what sets it in.
    let mut filled = false;
    // A word that no line has room for is broken where its parts are joined: flags, the folders of a PATH.
    let parts = |word: &'a str| match width(word) + hanging > columns {
        true => word.split_inclusive(['|', ':']).collect::<Vec<_>>(),
        false => vec![word],
    };
    let words = line.split(' ').flat_map(|word| parts(word).into_iter().enumerate());
    for (index, (joined, word)) in words.enumerate() {
        let wide = width(word);
        let gap = usize::from(index > 0 && joined == 0);
        if index > 0 && used + gap + wide > columns && filled {
            let end = if color.is_empty() { "" } else { PLAIN };
            lines.push(format!("{}{end}", current.trim_end()));
            current = format!("{}{color}", " ".repeat(hanging));
            used = hanging;
            filled = false;
        } else if gap > 0 {
            current.push(' ');
            used += 1;
        }
        current.push_str(word);
        used += wide;
        filled |= wide > 0;
        // What is none of ours has no end that is known.
        if let Some((before, last)) = word.rsplit_once(ESCAPE)
            && let Some(end) = last.find('m')
        {
            let found = &word[before.len()..=before.len() + ESCAPE.len() + end];
            color = if found == PLAIN { "" } else { found };
        }
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_near() {
        let known = ["title", "expect", "user", "EPERM", "EIO", "a"];
        for (word, meant) in [
            ("titel", Some("title")),
            ("exect", Some("expect")),
            ("usr", Some("user")),
            ("EPREM", Some("EPERM")),
            ("expe", Some("expect")),
            ("exec", None),
            ("E0", None),
            ("e", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1000), ["a"]), None);
    }

    #[test]
    fn what_goes_over_is_set_in() {
        let line = "  \x1b[2mbounding: CAP_CHOWN, CAP_KILL, CAP_MKNOD\x1b[0m";
        assert_eq!(wrap(line, 80, 4), [line]);
        let narrow = wrap(line, 24, 4);
        assert_eq!(narrow, ["  \x1b[2mbounding: CAP_CHOWN,\x1b[0m", "    \x1b[2mCAP_KILL, CAP_MKNOD\x1b[0m"]);
        for odd in ["\x1b[", "a \x1b[é b", "\x1b[\x1b[m é"] {
            assert!(!wrap(odd, 1, 2).is_empty());
        }
        // A word that is longer than a line is one.
        assert_eq!(wrap("a bbbbbbbbbbbb c", 6, 2), ["a", "  bbbbbbbbbbbb", "  c"]);
        assert_eq!(wrap("a NEWNS|NEWPID|NEWNET c", 12, 2), ["a NEWNS|", "  NEWPID|", "  NEWNET c"]);
    }
}
