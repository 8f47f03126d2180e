//! The way of a container, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::{
    capability::CapSet,
    explain::{Call, Change, Operation, Range, Story, Transformation},
    observe::CapSets,
    text::wrap,
};

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// Calls of one operation that differ in their last argument alone are told once from this number on.
const MANY: usize = 3;

/// As wide as a page is read.
const PAGE: usize = 106;

/// For people: a story of one container. `several` where the scenario has others; `columns` of the terminal, where there is one.
#[must_use]
pub fn text(story: &Story, several: bool, columns: Option<usize>) -> String {
    let mut page = Page { text: String::new(), columns: columns.map_or(PAGE, |columns| columns.min(PAGE)) };
    let whose = if several { format!(" of {}", story.name) } else { String::new() };
    let head = |page: &mut Page, what: &str| page.line(0, &format!("\n{BOLD}{what}{whose}{PLAIN}"));
    head(&mut page, "What the preset gives");
    for (subject, what) in &story.given {
        page.line(16, &format!("  {subject:<14}{what}"));
    }
    if !story.left_out.is_empty() {
        head(&mut page, "What of the image is left out");
    }
    for what in &story.left_out {
        page.line(4, &format!("  {what}"));
    }
    head(&mut page, "What was asked for beyond the preset");
    if story.changes.is_empty() {
        page.line(2, "  nothing: this is what the preset gives");
    }
    for Change { place, before, after } in &story.changes {
        page.line(4, &format!("  {place}"));
        for (sign, what) in [("-", before), ("+", after)] {
            what.iter().for_each(|what| page.line(6, &format!("    {sign} {what}")));
        }
    }
    head(&mut page, "The system calls");
    page.line(
        2,
        &format!(
            "  {DIM}Every path of the container is looked up with openat2(root, path, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS): no link in it leads out. Those look-ups and close(2) are left out.{PLAIN}"
        ),
    );
    let mut stage = "";
    let same = |a: &Operation, b: &Operation| a.purpose == b.purpose && a.stage == b.stage;
    for (number, alike) in story.operations.chunk_by(same).enumerate() {
        let operation = &alike[0];
        if operation.stage != stage {
            stage = operation.stage;
            page.line(2, &format!("\n  {BOLD}{stage}{PLAIN}"));
        }
        let who = if operation.by_launcher { "  (the launcher, outside)" } else { "" };
        page.line(6, &format!("  {DIM}{:>3}{PLAIN} {}{DIM}{who}{PLAIN}", number + 1, operation.purpose));
        for line in alike.iter().flat_map(|operation| calls(&operation.calls)) {
            page.line(10, &format!("        {line}"));
        }
    }
    head(&mut page, "Who the ids are on the host");
    page.text.push_str(&ranges("uid", &story.uids));
    page.text.push_str(&ranges("gid", &story.gids));
    head(&mut page, "Capabilities before and after execve");
    capabilities(&mut page, &story.capabilities);
    page.text
}

/// Lines that are broken between words where they are wider than what they are read on.
struct Page {
    text: String,
    columns: usize,
}

impl Page {
    /// A line; what goes over stands `hanging` columns in.
    fn line(&mut self, hanging: usize, line: &str) {
        for line in wrap(line, self.columns, hanging) {
            let _ = writeln!(self.text, "{line}");
        }
    }
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
            lines.push(format!("  {}", values.join(" ")));
        } else {
            lines.extend(rest[..alike].iter().map(Call::to_string));
        }
        rest = &rest[alike..];
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

fn capabilities(page: &mut Page, sets: &Transformation) {
    if sets.bits.is_empty() {
        return page.line(2, &format!("  none before, none after; {}", sets.others));
    }
    page.line(2, &format!("  {:<24} before  after", ""));
    // The rule of capabilities(7) once for all that it made so.
    for alike in sets.bits.chunk_by(|a, b| a.rule == b.rule) {
        for bit in alike {
            let one = CapSet::EMPTY.with(bit.capability);
            let (before, after) = (letters(&sets.before, one), letters(&sets.after, one));
            page.line(2, &format!("  {:<24} {before}   {after}", bit.capability.to_string()));
        }
        page.line(6, &format!("    {DIM}by capabilities(7): {}{PLAIN}", alike[0].rule));
    }
    page.line(4, &format!("  all others: {}", sets.others));
    page.line(4, &format!("  {DIM}P permitted, E effective, I inheritable, B bounding, A ambient{PLAIN}"));
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
