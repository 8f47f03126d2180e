//! A picture as facts, one a row: what each line is about, and what it says.

use std::collections::HashMap;

/// Names of capability sets, which a picture writes in one line where they hold the same.
const SETS: [&str; 5] = ["inheritable", "permitted", "effective", "bounding", "ambient"];

/// What follows `failed(exit 127)` and the like, see `verdict::words`.
const HINTS: [&str; 2] = [": found and could not be executed", ": command not found"];

/// A line of a picture.
pub(super) struct Line {
    /// `containers` or `steps`.
    pub(super) part: String,
    /// What it is about, from the container or step on: `box`, `mount`, `/mnt`.
    pub(super) about: Vec<String>,
    /// What it says.
    pub(super) value: String,
}

/// Every line that says something, one for each capability set.
pub(super) fn lines(picture: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    // What the lines above, each deeper than the one before, are about; the first is the part.
    let mut path: Vec<(usize, String)> = Vec::new();
    for line in picture.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        path.retain(|(above, _)| *above < depth);
        let part = path.first().map(|(_, part)| part.clone()).unwrap_or_default();
        let mut say = |key: &str, value: &str| {
            let above = path.iter().skip(1).map(|(_, name)| name.clone());
            let about = above.chain([key.to_owned()]).collect();
            lines.push(Line { part: part.clone(), about, value: value.to_owned() });
        };
        let group = path.last().map(|(_, name)| name.as_str()).filter(|_| depth == 6);
        if matches!(group, Some("mount" | "stdout" | "stderr")) {
            // A path or a text may have a colon in it.
            let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
            say(first, rest);
        } else if let Some(group) = text.strip_suffix(':') {
            // "mounts" are each a mount.
            let shown = if group == "mounts" && depth == 4 { "mount" } else { group };
            path.push((depth, shown.to_owned()));
        } else if part == "steps" && depth == 2 {
            // A command may have a colon in it; an outcome has none but before what an exit status hints at.
            let bare = HINTS.iter().find_map(|hint| text.strip_suffix(hint)).unwrap_or(text);
            let (step, _) = bare.rsplit_once(": ").unwrap_or((text, ""));
            let outcome = text[step.len()..].trim_start_matches(": ");
            say(step, outcome);
            path.push((depth, step.to_owned()));
        } else if text.starts_with("uid: ") && text.contains(", gid: ") {
            say("ids", text);
        } else if let Some((key, value)) = text.split_once(": ") {
            if key.split(", ").all(|one| SETS.contains(&one)) {
                key.split(", ").for_each(|one| say(one, value));
            } else {
                say(key, value);
            }
        } else {
            let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
            say(first, rest);
        }
    }
    lines
}

/// `box: seccomp` and `filter`, `1 in box, mount` and `denied(EPERM)`, in the picture's order.
#[must_use]
pub fn rows(picture: &str) -> Vec<(String, String)> {
    let mut rows: Vec<_> = lines(picture).into_iter().map(|line| (line.about.join(": "), line.value)).collect();
    // A target may be mounted on twice, and a text has several lines: each time it is another fact.
    let mut times: HashMap<String, usize> = HashMap::new();
    for (what, _) in &mut rows {
        let time = times.entry(what.clone()).and_modify(|time| *time += 1).or_insert(1);
        if *time > 1 {
            what.push_str(&format!(" ({time})"));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row() {
        let picture = "containers:\n  box:\n    uid: 0, gid: 0, groups: [0, 4]\n    inheritable, ambient: none\n    seccomp: filter\n    mounts:\n      / rw\n      \
                       /mnt fixture:/etc ro\n      /mnt tmpfs rw\n    masked: /a /b\n  broken:\n    refused(create)\nsteps:\n  \
                       1 in box, echo a: b: allowed\n    because of user\n  2 in box, inspect: observed\n    uid: 0\n  \
                       3 in box, ls: allowed\n    stdout:\n      | a\n      | b: 1\n      | c:\n  \
                       4 in box, x: y: failed(exit 127): command not found\n";
        let wanted = [
            ("box: ids", "uid: 0, gid: 0, groups: [0, 4]"),
            ("box: inheritable", "none"),
            ("box: ambient", "none"),
            ("box: seccomp", "filter"),
            ("box: mount: /", "rw"),
            ("box: mount: /mnt", "fixture:/etc ro"),
            ("box: mount: /mnt (2)", "tmpfs rw"),
            ("box: masked", "/a /b"),
            ("broken: refused(create)", ""),
            ("1 in box, echo a: b", "allowed"),
            ("1 in box, echo a: b: because", "of user"),
            ("2 in box, inspect", "observed"),
            ("2 in box, inspect: uid", "0"),
            ("3 in box, ls", "allowed"),
            ("3 in box, ls: stdout: |", "a"),
            ("3 in box, ls: stdout: | (2)", "b: 1"),
            ("3 in box, ls: stdout: | (3)", "c:"),
            ("4 in box, x: y", "failed(exit 127): command not found"),
        ];
        assert_eq!(rows(picture), wanted.map(|(what, value)| (what.to_owned(), value.to_owned())));
    }
}
