//! The least privileged config of a case, and what it gave up.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::config::{self, Runs};
use crate::{
    counterfactual::harden::{Broken, Hardened, Measure},
    result::Finding,
    scenario::{
        describe,
        model::{Container, Control},
    },
};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// For people. `unsaid` are containers of which the printed keys ask for less than was tested; `given` is what a command line ran,
/// where it was asked of one.
#[must_use]
pub fn pretty(hardened: &Hardened, unsaid: &[String], given: Option<Runs<'_>>) -> String {
    let mut text = String::new();
    let containers = &hardened.case.containers;
    for (index, container) in containers.iter().enumerate() {
        let own = |measure: &&Measure| measure.within == index;
        let up: Vec<&Measure> = hardened.given_up.iter().filter(own).collect();
        let _ = writeln!(text, "  {BOLD}{}{PLAIN}", container.name);
        let _ = writeln!(text, "    given up: {}", if up.is_empty() { "nothing".to_owned() } else { list(&up) });
        for (measure, why) in hardened.kept.iter().filter(|(measure, _)| measure.within == index) {
            let why = Broken { finding: why.finding.as_ref().map(shorter), ..why.clone() }.to_string();
            let why = why.lines().next().unwrap_or_default();
            let _ = writeln!(text, "    kept: {}; without it: {why}", measure.what);
        }
        let keys = yaml_of(&json!({"container": config::scenario(container)}));
        let runs = given.unwrap_or(Runs::of(container));
        let blocks = [
            ("scenario", keys),
            ("docker", format!("{} {}\n", config::docker(container), runs.words())),
            ("podman", format!("{} {}\n", config::podman(container), runs.words())),
            ("compose", yaml_of(&config::compose(container, runs))),
            ("pod", yaml_of(&config::pod(container, runs))),
        ];
        for (name, block) in blocks {
            let _ = writeln!(text, "\n    {DIM}# {name}{PLAIN}");
            for line in block.lines() {
                let _ = writeln!(text, "    {line}");
            }
            if let Some(note) = config::other_defaults(container, name) {
                let _ = writeln!(text, "    {DIM}# {note}{PLAIN}");
            }
            let own_users = !(container.uidmap.is_empty() && container.gidmap.is_empty());
            if own_users && matches!(name, "docker" | "compose") {
                let _ = writeln!(text, "    {DIM}# its user namespace is the daemon's: dockerd --userns-remap{PLAIN}");
            }
        }
        let beyond = config::beyond(container);
        if !beyond.is_empty() {
            let _ = writeln!(text, "\n    No key of a scenario says that it also needs: {}", beyond.join(", "));
        } else if unsaid.contains(&container.name) {
            let _ = writeln!(text, "\n    These words do not say all of it: what the scenario has beyond them stays.");
        }
        text.push('\n');
    }
    text
}

/// Where what was expected and what was seen are both long lists, as where an `inspect` names a whole set: what differs.
fn shorter(finding: &Finding) -> Finding {
    const LONG: usize = 4;
    let told = || {
        let item = |text: &str| text.trim_matches(['[', ']']).to_owned();
        let mut expected = finding.expected.split(", ");
        let (what, first) = expected.next()?.rsplit_once(' ')?;
        let expected: Vec<String> = [first].into_iter().chain(expected).map(item).collect();
        let seen: Vec<String> = finding.seen.lines().next()?.split(", ").map(item).collect();
        if expected.len().max(seen.len()) < LONG {
            return None;
        }
        let beyond = |some: &[String], others: &[String]| {
            some.iter().filter(|one| !others.contains(one)).cloned().collect::<Vec<_>>().join(", ")
        };
        let (missing, more) = (beyond(&expected, &seen), beyond(&seen, &expected));
        let (expected, seen) = match (missing.as_str(), more.as_str()) {
            (missing, "") => (format!("{what} with {missing}"), "without".to_owned()),
            ("", more) => (format!("{what} without {more}"), "with".to_owned()),
            (missing, more) => (format!("{what} with {missing}"), format!("with {more} in its stead")),
        };
        Some(Finding { expected, seen, error: finding.error })
    };
    told().unwrap_or_else(|| finding.clone())
}

fn yaml_of(value: &Value) -> String {
    config::yaml(value, 0)
}

/// Capabilities and paths in a group each: there are many.
fn list(given: &[&Measure]) -> String {
    let mut words = Vec::new();
    let mut group = |is_in: fn(&Control) -> bool, name: &str| {
        let own: Vec<String> = given.iter().filter(|one| is_in(&one.control)).map(|one| one.what.clone()).collect();
        match own.len() {
            0..=3 => words.extend(own),
            count => words.push(format!("{count} {name}")),
        }
    };
    group(|control| matches!(control, Control::Capability(_)), "capabilities");
    group(|control| matches!(control, Control::MaskedPath(_)), "paths of /proc and /sys as the kernel has them");
    let others = given.iter().filter(|one| !matches!(one.control, Control::Capability(_) | Control::MaskedPath(_)));
    words.extend(others.map(|one| one.what.clone()));
    words.join(", ")
}

/// For programs: `minimal` is the container in a scenario's keys, or a map of them where there are several.
#[must_use]
pub fn json(hardened: &Hardened, unsaid: &[String], runs: usize, given: Option<Runs<'_>>) -> Value {
    let containers = &hardened.case.containers;
    let minimal = match containers.as_slice() {
        [one] => config::scenario(one),
        several => {
            Value::Object(several.iter().map(|one| (one.name.clone(), config::scenario(one))).collect::<Map<_, _>>())
        }
    };
    let named = |measure: &Measure| {
        json!({
            "in": containers[measure.within].name, "control": describe::control(&measure.control), "what": measure.what,
        })
    };
    let kept = hardened.kept.iter().map(|(measure, why)| {
        let mut value = named(measure);
        value["breaks"] = json!(why.to_string());
        value
    });
    let each = |of: &dyn Fn(&Container) -> Value| {
        Value::Object(containers.iter().map(|one| (one.name.clone(), of(one))).collect::<Map<_, _>>())
    };
    json!({
        "minimal": minimal,
        "removed": hardened.given_up.iter().map(named).collect::<Vec<_>>(),
        "kept": kept.collect::<Vec<_>>(),
        "unsaid": unsaid,
        "beyond": each(&|one| json!(config::beyond(one))),
        "docker": each(&|one| json!(config::docker(one))),
        "podman": each(&|one| json!(config::podman(one))),
        "compose": each(&|one| config::compose(one, given.unwrap_or(Runs::of(one)))),
        "pod": each(&|one| config::pod(one, given.unwrap_or(Runs::of(one)))),
        "runs": runs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_long_lists_the_difference_is_told() {
        let before = "step 1 (line 4), inspect in box: expected";
        let told = |expected: &str, seen: &str| {
            let finding = Finding { expected: expected.to_owned(), seen: seen.to_owned(), error: false };
            let place = Some("step 1 (line 4)".to_owned());
            Broken { place, what: "inspect in box".to_owned(), finding: Some(shorter(&finding)) }.to_string()
        };
        let asked = "effective capabilities CAP_A, CAP_B, CAP_C, CAP_D";
        assert_eq!(
            told(asked, "CAP_A, CAP_C, CAP_D"),
            format!("{before} effective capabilities with CAP_B, seen without")
        );
        let (asked, seen) = ("groups [0, 20, 30, 40]", "[0, 20, 40, 6667]");
        assert_eq!(told(asked, seen), format!("{before} groups with 30, seen with 6667 in its stead"));
        let (asked, seen) = ("effective capabilities CAP_A", "CAP_A, CAP_B, CAP_C, CAP_D");
        assert_eq!(
            told(asked, seen),
            format!("{before} effective capabilities without CAP_B, CAP_C, CAP_D, seen with")
        );
        let (asked, seen) = ("allowed", "failed(exit 4); standard error: a, b, c");
        assert_eq!(told(asked, seen), format!("{before} {asked}, seen {seen}"));
    }
}
