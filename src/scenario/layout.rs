//! How far lines are moved in, for those who do not think in YAML's words. The parser decides what is wrong; here is only said what of it
//! can be seen with the eye.

use super::diagnostic::{Fault, Place};

/// Why a parser stumbled in a line (counted from 1): a tab, or a column in which nothing stands that the line could belong with. `None` where the
/// line stands well.
pub(super) fn misplaced(text: &str, line: usize) -> Option<Fault> {
    let lines: Vec<&str> = text.lines().collect();
    let wrong = lines.get(line.checked_sub(1)?)?;
    let content = wrong.trim_start_matches([' ', '\t']);
    let indent = wrong.len() - content.len();
    if wrong[..indent].contains('\t') {
        let at = Place { line, column: wrong.find('\t')? + 1, width: 1 };
        return Some(
            Fault::new(at, "a tab before the text of a line").help("spaces move a line in, two for each step"),
        );
    }
    let before = &lines[..line - 1];
    // In brackets columns mean nothing.
    if content.is_empty() || depth(before) != 0 {
        return None;
    }
    let mut open: Vec<Level<'_>> = Vec::new();
    for (number, line) in before.iter().enumerate() {
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') || content.starts_with("---") {
            continue;
        }
        place(&mut open, line.len() - content.len(), number + 1, content);
    }
    let last = open.last()?;
    // What belongs to a key without a value begins anywhere further in.
    if last.column < indent && last.content.ends_with(':') {
        return None;
    }
    if open.iter().any(|level| level.column == indent) {
        return None;
    }
    let name = word(content);
    let at = Place { line, column: indent + 1, width: name.chars().count() };
    // The nearest further in, and those less far in.
    let deeper = open.partition_point(|level| level.column < indent);
    let others: Vec<String> = open[..open.len().min(deeper + 1)]
        .iter()
        .rev()
        .take(2)
        .map(|level| format!("`{}` in line {} by {}", word(level.content), level.line, level.column))
        .collect();
    let message = format!("`{name}` is moved in by {indent}, and nothing is that it could belong with");
    Some(Fault::new(at, message).help(format!("what belongs together is moved in by the same: {}", others.join(", "))))
}

/// A column in which a key or an item of a list begins.
struct Level<'a> {
    column: usize,
    line: usize,
    content: &'a str,
}

fn place<'a>(open: &mut Vec<Level<'a>>, mut column: usize, line: usize, mut content: &'a str) {
    while open.last().is_some_and(|level| level.column >= column) {
        open.pop();
    }
    // An item's own keys begin behind its dash. More items in a line are nobody's.
    for _ in 0..4 {
        open.push(Level { column, line, content });
        let Some(item) = content.strip_prefix("- ").map(str::trim_start).filter(|item| !item.is_empty()) else {
            return;
        };
        column += content.len() - item.len();
        content = item;
    }
}

/// Of a line, what a reader finds it by.
fn word(content: &str) -> &str {
    let end = content.find(": ").unwrap_or(content.len());
    content[..end].trim_end_matches(':').trim_end()
}

/// Brackets that are open behind these lines. Those in quotes are text.
fn depth(lines: &[&str]) -> i32 {
    let mut depth = 0;
    for line in lines {
        let mut quote = None;
        for letter in line.chars() {
            match (quote, letter) {
                (Some(open), _) if open == letter => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(letter),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => depth -= 1,
                (None, _) => {}
            }
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, line: usize) -> Option<String> {
        misplaced(text, line).map(|fault| format!("{}; {}", fault.message, fault.help.unwrap_or_default()))
    }

    #[test]
    fn a_column_of_nobody_is_named() {
        let said = said("title: x\ncontainer:\n  preset: docker\n   cap_add: [KILL]\n", 4).expect("misplaced");
        assert!(said.contains("`cap_add` is moved in by 3"), "{said}");
        assert!(said.contains("`preset` in line 3 by 2, `container` in line 2 by 0"), "{said}");
    }

    #[test]
    fn an_items_keys_stand_behind_its_dash() {
        let said = said("steps:\n  - probe: mount\n   expect: allowed\n", 3).expect("misplaced");
        assert!(said.contains("`expect` is moved in by 3"), "{said}");
        assert_eq!(self::said("steps:\n  - probe: mount\n    expect: x: y\n", 3), None);
    }

    #[test]
    fn what_stands_well_is_left_to_the_parser() {
        assert_eq!(said("title: [A claim\ncontainer: {}\n", 2), None);
        assert_eq!(said("title: a: b\n", 1), None);
        assert_eq!(said("a: [1,\n   2,\n  3}\n", 3), None);
        assert_eq!(said("a:\n     b: c: d\n", 2), None);
    }

    #[test]
    fn a_tab_is_called_one() {
        assert!(said("a:\n\tb: c\n", 2).expect("a tab").contains("a tab"));
    }
}
