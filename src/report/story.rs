//! The way of a container, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::{
    capability::CapSet,
    explain::{Call, Change, Operation, Range, Story, Transformation},
    observe::CapSets,
};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Calls of one operation that differ in their last argument alone are told once from this number on.
const MANY: usize = 3;

/// For people: a story of one container. `several` where the scenario has others.
#[must_use]
pub fn text(story: &Story, several: bool) -> String {
    let mut text = String::new();
    let whose = if several { format!(" of {}", story.name) } else { String::new() };
    let head = |text: &mut String, what: &str| {
        let _ = writeln!(text, "\n{BOLD}{what}{whose}{PLAIN}");
    };
    head(&mut text, "What the preset gives");
    for (subject, what) in &story.given {
        let words: Vec<&str> = what.split(' ').collect();
        let _ = writeln!(text, "  {subject:<14}{}", wrapped(&words, 96).join(&format!("\n{:16}", "")));
    }
    if !story.left_out.is_empty() {
        head(&mut text, "What of the image is left out");
    }
    for what in &story.left_out {
        let _ = writeln!(text, "  {what}");
    }
    head(&mut text, "What was asked for beyond the preset");
    if story.changes.is_empty() {
        text.push_str("  nothing: this is what the preset gives\n");
    }
    for Change { place, before, after } in &story.changes {
        let _ = writeln!(text, "  {place}");
        for (sign, what) in [("-", before), ("+", after)] {
            for what in what {
                let words: Vec<&str> = what.split(' ').collect();
                let _ = writeln!(text, "    {sign} {}", wrapped(&words, 100).join("\n      "));
            }
        }
    }
    head(&mut text, "The system calls");
    let _ = writeln!(
        text,
        "  {DIM}Every path of the container is looked up with openat2(root, path, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS): no link in\n  it leads out. Those look-ups and close(2) are left out.{PLAIN}"
    );
    let mut stage = "";
    let same = |a: &Operation, b: &Operation| a.purpose == b.purpose && a.stage == b.stage;
    for (number, alike) in story.operations.chunk_by(same).enumerate() {
        let operation = &alike[0];
        if operation.stage != stage {
            stage = operation.stage;
            let _ = writeln!(text, "\n  {BOLD}{stage}{PLAIN}");
        }
        // A sentence as wide as a page is read.
        let words: Vec<&str> = operation.purpose.split(' ').collect();
        let sentence = wrapped(&words, 100).join("\n      ");
        let who = if operation.by_launcher { "  (the launcher, outside)" } else { "" };
        let _ = writeln!(text, "  {DIM}{:>3}{PLAIN} {sentence}{DIM}{who}{PLAIN}", number + 1);
        for line in alike.iter().flat_map(|operation| calls(&operation.calls)) {
            let _ = writeln!(text, "        {line}");
        }
    }
    head(&mut text, "Who the ids are on the host");
    text.push_str(&ranges("uid", &story.uids));
    text.push_str(&ranges("gid", &story.gids));
    head(&mut text, "Capabilities before and after execve");
    text.push_str(&capabilities(&story.capabilities));
    text
}

/// Calls as lines; many that differ in one argument are one line with all of them.
#[must_use]
pub fn calls(calls: &[Call]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = calls;
    while let [first, ..] = rest {
        let same = |other: &&Call| {
            let differing = other.arguments.iter().zip(&first.arguments).filter(|(a, b)| a != b).count();
            other.name == first.name
                && other.arguments.len() == first.arguments.len()
                && differing <= 1
                && first.name == "prctl"
        };
        let alike = rest.iter().take_while(same).count().max(1);
        if alike > MANY {
            let at = (0..first.arguments.len()).find(|at| first.arguments[*at] != rest[1].arguments[*at]).unwrap_or(0);
            let mut folded = first.clone();
            folded.arguments[at] = "…".to_owned();
            let values: Vec<&str> = rest[..alike].iter().map(|call| call.arguments[at].as_str()).collect();
            lines.push(format!("{folded}, {alike} times:"));
            lines.extend(wrapped(&values, 96).into_iter().map(|line| format!("  {line}")));
        } else {
            lines.extend(rest[..alike].iter().map(Call::to_string));
        }
        rest = &rest[alike..];
    }
    lines
}

fn wrapped(words: &[&str], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push((*word).to_owned()),
        }
    }
    lines
}

fn ranges(what: &str, ranges: &[Range]) -> String {
    if ranges.is_empty() {
        return format!("  {what}   every id is the host's own: {what} 0 inside is {what} 0 outside\n");
    }
    let mut text = format!("  {what}   {:<27} host\n", "container");
    for Range { inside, outside } in ranges {
        let _ = writeln!(text, "        {:<24} →  {}", span(*inside), span(*outside));
    }
    let _ = writeln!(text, "        {:<24} ←  every other id of the host", "nobody, 65534");
    text
}

fn span((first, last): (u32, u32)) -> String {
    if first == last { first.to_string() } else { format!("{first} ├──┤ {last}") }
}

fn capabilities(sets: &Transformation) -> String {
    if sets.bits.is_empty() {
        return format!("  none before, none after; {}\n", sets.others);
    }
    let mut text = format!("  {:<24} before  after  rule of capabilities(7)\n", "");
    for bit in &sets.bits {
        let one = CapSet::EMPTY.with(bit.capability);
        let (before, after) = (letters(&sets.before, one), letters(&sets.after, one));
        let _ = writeln!(text, "  {:<24} {before}   {after}  {}", bit.capability.to_string(), bit.rule);
    }
    let _ = writeln!(text, "  all others: {}", sets.others);
    let _ = writeln!(text, "  {DIM}P permitted, E effective, I inheritable, B bounding, A ambient{PLAIN}");
    text
}

/// `PE.B.`: in which sets it is.
fn letters(sets: &CapSets, one: CapSet) -> String {
    let sets = [
        ('P', sets.permitted),
        ('E', sets.effective),
        ('I', sets.inheritable),
        ('B', sets.bounding),
        ('A', sets.ambient),
    ];
    sets.map(|(letter, set)| if set.intersection(one) == one { letter } else { '·' }).iter().collect()
}

/// For programs.
#[must_use]
pub fn json(story: &Story) -> Value {
    let range = |range: &Range| json!({"inside": [range.inside.0, range.inside.1], "outside": [range.outside.0, range.outside.1]});
    let sets = |sets: &CapSets| {
        sets.named().into_iter().map(|(name, set)| (name.to_owned(), json!(set.names()))).collect::<Map<_, _>>()
    };
    json!({
        "container": story.name,
        "oci": story.job.spec,
        "preset": story.given.iter().map(|(subject, what)| ((*subject).to_owned(), json!(what))).collect::<Map<_, _>>(),
        "left_out": story.left_out,
        "changes": story.changes.iter().map(|change| json!({"place": change.place, "before": change.before, "after": change.after})).collect::<Vec<_>>(),
        "operations": story.operations.iter().map(|operation| json!({
            "stage": operation.stage,
            "by": if operation.by_launcher { "launcher" } else { "container" },
            "calls": operation.calls.iter().map(|call| json!({"call": call.name, "arguments": call.arguments})).collect::<Vec<_>>(),
            "purpose": operation.purpose,
        })).collect::<Vec<_>>(),
        "uid_ranges": story.uids.iter().map(range).collect::<Vec<_>>(),
        "gid_ranges": story.gids.iter().map(range).collect::<Vec<_>>(),
        "capabilities": {
            "before": sets(&story.capabilities.before),
            "after": sets(&story.capabilities.after),
            "rules": story.capabilities.bits.iter().map(|bit| json!({"capability": bit.capability.to_string(), "rule": bit.rule})).collect::<Vec<_>>(),
            "others": story.capabilities.others,
        },
    })
}
