//! What must come of a run or a probe.

use regex::RegexBuilder;

use super::{Fields, list_of_text, scalar::number, text};
use crate::{
    errno::{Errno, Signal},
    scenario::{
        diagnostic::Fault,
        format::{self, words},
        model::{Expect, Matcher, OutcomeExpect},
        problems::Problems,
        tree::{Node, Value},
    },
    text::nearest,
};

/// A compiled expression takes at most this much memory, in bytes.
const REGEX_SIZE: usize = 1 << 20;

/// `expect:` of a run.
pub(super) fn of_run(node: &Node, problems: &Problems) -> Result<Expect, Fault> {
    let expect = read(node, &format::step::EXPECT_OF_RUN, problems)?;
    match (expect.outcome, expect.exit) {
        (Some(OutcomeExpect::Allowed), Some(code)) if code != 0 => {
            Err(Fault::new(node.at, format!("allowed, and exit status {code}"))
                .help("a command is allowed where its exit status is 0"))
        }
        (Some(OutcomeExpect::Denied(_)), Some(0)) => Err(Fault::new(node.at, "denied, and exit status 0")
            .help("a command that was denied something says so in its exit status")),
        (Some(OutcomeExpect::Killed(_)), Some(_)) => {
            Err(Fault::new(node.at, "killed, and an exit status").help("a process that a signal killed has none"))
        }
        (Some(OutcomeExpect::Denied(Some(errno))), _) => Err(Fault::new(node.at, format!("{errno} of a command"))
            .help("a command does not tell its errno: write `denied`, or use a probe")),
        _ => Ok(expect),
    }
}

/// `expect:` of a probe.
pub(super) fn of_probe(node: &Node, problems: &Problems) -> Result<Expect, Fault> {
    if let Value::Map(entries) = &node.value
        && let Some((key, _)) =
            entries.iter().find(|(key, _)| ["exit", "stdout", "stderr"].contains(&key.text.as_str()))
    {
        return Err(Fault::new(key.at, format!("`{}` of a probe", key.text))
            .help("a probe answers with an errno: `allowed`, `{denied: EPERM}`"));
    }
    read(node, &format::step::EXPECT_OF_PROBE, problems)
}

fn read(node: &Node, map: &'static format::Map, problems: &Problems) -> Result<Expect, Fault> {
    let before = problems.count();
    if let Value::Scalar { .. } = node.value {
        return Ok(Expect { outcome: Some(word(node)?), ..Expect::default() });
    }
    let fields = Fields::of(node, map, problems)?;
    if fields.all().is_empty() {
        return Err(Fault::new(node.at, "an empty expect").help("`allowed`, `denied`, `{denied: EPERM}`, `{exit: 4}`"));
    }
    let outcomes = [fields.read("outcome", word), fields.read("denied", denied), fields.read("killed", killed)];
    let mut said = outcomes.into_iter().flatten();
    let outcome = said.next();
    if said.next().is_some() {
        return Err(Fault::new(node.at, "two outcomes of one step").help("one of `outcome`, `denied`, `killed`"));
    }
    let mut expect = Expect { outcome, ..Expect::default() };
    // A probe has none of these.
    if map.has("exit") {
        expect.exit = fields.read("exit", |node| number(node, "exit status", 0, 255).map(|code| code as i32));
        expect.stdout = fields.read("stdout", |node| matcher(node, problems));
        expect.stderr = fields.read("stderr", |node| matcher(node, problems));
    }
    if problems.count() > before { Err(Fault::told()) } else { Ok(expect) }
}

fn word(node: &Node) -> Result<OutcomeExpect, Fault> {
    let word = text(node)?;
    if let Some((_, outcome)) = words::OUTCOMES.iter().find(|(name, _)| *name == word) {
        return Ok(*outcome);
    }
    let fault = Fault::new(node.at, format!("no outcome `{word}`"));
    Err(match nearest(word, words::names(&words::OUTCOMES)) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help("`allowed`, `denied`, `{denied: EPERM}`, `{killed: SIGSYS}`, `{exit: 4}`"),
    })
}

fn denied(node: &Node) -> Result<OutcomeExpect, Fault> {
    let name = text(node)?;
    Errno::from_name(name).map(|errno| OutcomeExpect::Denied(Some(errno))).ok_or_else(|| {
        let known: Vec<String> = Errno::known().map(|(name, _)| name).collect();
        let fault = Fault::new(node.at, format!("no errno `{name}`"));
        match nearest(&name.to_ascii_uppercase(), known.iter().map(String::as_str)) {
            Some(meant) => fault.help(format!("did you mean {meant}?")),
            None => fault.help("EPERM, EACCES, EROFS …: errno(3)"),
        }
    })
}

fn killed(node: &Node) -> Result<OutcomeExpect, Fault> {
    let name = text(node)?;
    Signal::from_name(name).map(|signal| OutcomeExpect::Killed(Some(signal))).ok_or_else(|| {
        let fault = Fault::new(node.at, format!("no signal `{name}`"));
        let upper = name.to_ascii_uppercase();
        match [upper.clone(), format!("SIG{upper}")].into_iter().find(|name| Signal::from_name(name).is_some()) {
            Some(meant) => fault.help(format!("did you mean {meant}?")),
            None => fault.help("SIGSYS, SIGKILL …: signal(7)"),
        }
    })
}

/// Text that must be contained, or a map of one rule.
pub(super) fn matcher(node: &Node, problems: &Problems) -> Result<Matcher, Fault> {
    if !matches!(node.value, Value::Map(_)) {
        return contains(node);
    }
    let fields = Fields::of(node, &format::step::MATCHER_MAP, problems)?;
    match fields.all() {
        [_] if fields.is_puzzling() => Err(Fault::told()),
        [_] => match (fields.get("contains"), fields.get("equals"), fields.required("matches")) {
            (Some(value), ..) => contains(value),
            (_, Some(value), _) => Ok(Matcher::Equals(text(value)?.to_owned())),
            (.., value) => regex(value?).map(Matcher::Matches),
        },
        _ => Err(Fault::new(node.at, "a matcher has one rule").help("one of `contains`, `matches`, `equals`")),
    }
}

fn contains(node: &Node) -> Result<Matcher, Fault> {
    let texts = list_of_text(node)?;
    if texts.is_empty() || texts.iter().any(|(text, _)| text.is_empty()) {
        return Err(Fault::new(node.at, "nothing to look for: every text contains it").help("say what must be there"));
    }
    Ok(Matcher::Contains(texts.into_iter().map(|(text, _)| text).collect()))
}

fn regex(node: &Node) -> Result<regex::Regex, Fault> {
    RegexBuilder::new(text(node)?).size_limit(REGEX_SIZE).build().map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
        Fault::new(node.at, format!("no regular expression: {reason}"))
            .help("the syntax is that of the regex crate, docs.rs/regex")
    })
}
