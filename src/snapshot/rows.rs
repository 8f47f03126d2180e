//! A picture as facts, one a row: what each line is about, and what it says.

/// Names of capability sets, which a picture writes in one line where they hold the same.
const SETS: [&str; 5] = ["inheritable", "permitted", "effective", "bounding", "ambient"];

/// `box: seccomp` and `filter`, `1 in box, mount` and `denied(EPERM)`, in the picture's order.
#[must_use]
pub fn rows(picture: &str) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    // What the lines above, each deeper than the one before, are about.
    let mut path: Vec<(usize, String)> = Vec::new();
    for line in picture.lines() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        path.retain(|(above, _)| *above < depth);
        let part = path.first().map(|(_, part)| part.clone()).unwrap_or_default();
        let name = |key: &str| {
            let above = path.iter().skip(1).map(|(_, name)| name.as_str());
            above.chain([key]).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(": ")
        };
        if let Some(group) = text.strip_suffix(':') {
            // "mounts" says nothing that a target does not.
            let shown = if group == "mounts" { "mount" } else { group };
            path.push((depth, shown.to_owned()));
        } else if part == "steps" && depth == 2 {
            // A command may have a colon in it, an outcome has none.
            let (step, outcome) = text.rsplit_once(": ").unwrap_or((text, ""));
            rows.push((name(step), outcome.to_owned()));
            path.push((depth, step.to_owned()));
        } else if text.starts_with("uid: ") && text.contains(", gid: ") {
            rows.push((name("ids"), text.to_owned()));
        } else if let Some((key, value)) = text.split_once(": ") {
            if key.split(", ").all(|one| SETS.contains(&one)) {
                rows.extend(key.split(", ").map(|one| (name(one), value.to_owned())));
            } else {
                rows.push((name(key), value.to_owned()));
            }
        } else {
            let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
            rows.push((name(first), rest.to_owned()));
        }
    }
    // A target may be mounted on twice: the second time it is another fact.
    for at in 1..rows.len() {
        let times = rows[..at].iter().filter(|(what, _)| *what == rows[at].0).count();
        if times > 0 {
            rows[at].0 = format!("{} ({})", rows[at].0, times + 1);
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
                       1 in box, echo a: b: allowed\n    because of user\n  2 in box, inspect: observed\n    uid: 0\n";
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
        ];
        assert_eq!(rows(picture), wanted.map(|(what, value)| (what.to_owned(), value.to_owned())));
    }
}
