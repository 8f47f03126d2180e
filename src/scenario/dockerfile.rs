//! A Dockerfile: one stage, and of docker's reference what an image without a network can be built of. What is not done is refused.

mod pieces;
mod words;

use std::time::Duration;

pub use pieces::Piece;
pub use words::expand;
use words::{is_name, word, words};

use crate::text::nearest;

/// The shell of RUN, CMD and ENTRYPOINT where SHELL names no other.
pub const SHELL: [&str; 2] = ["/bin/sh", "-c"];
/// As long may a RUN take, whoever builds, where `timeout` says nothing else.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(120);
/// A larger one is generated, in lines.
const MAX_LINES: usize = 1000;

/// It, read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dockerfile {
    /// What a message calls it.
    pub name: String,
    /// As it was written.
    pub text: String,
    /// What it starts from.
    pub from: Base,
    /// The line of FROM.
    pub from_at: usize,
    /// What follows FROM.
    pub lines: Vec<Line>,
    /// What of it is passed over: its line and which.
    pub ignored: Vec<(usize, String)>,
}

/// What a Dockerfile starts from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// caplab's own root without programs.
    Toolbox,
    /// That and the machine's programs, read-only.
    Host,
    /// An image beside the scenario.
    Image(String),
}

/// An instruction and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// What is done.
    pub what: Instruction,
}

/// An instruction after FROM, its variables not yet replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// RUN.
    Run(Command),
    /// USER.
    User(String),
    /// ENV.
    Env(Vec<(String, String)>),
    /// WORKDIR.
    Workdir(String),
    /// COPY, or ADD of what lies in the context.
    Copy(Copy),
    /// ENTRYPOINT.
    Entrypoint(Command),
    /// CMD.
    Cmd(Command),
    /// ARG and what it is by default.
    Arg(String, Option<String>),
    /// SHELL.
    Shell(Vec<String>),
}

/// A command of RUN, ENTRYPOINT or CMD.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// A line for the shell.
    Shell(String),
    /// A list is the argv.
    Exec(Vec<String>),
}

/// COPY.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Copy {
    /// It is written ADD, which would unpack an archive.
    pub add: bool,
    /// Paths in the context.
    pub sources: Vec<String>,
    /// Where to.
    pub target: String,
    /// `--chown`.
    pub owner: Option<String>,
    /// `--chmod`.
    pub mode: Option<u32>,
}

/// What is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Counted from 1.
    pub line: usize,
    /// What.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// Those that are understood.
const KNOWN: [&str; 15] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
];
const WORKDIR: &str = "WORKDIR";
/// Of those what changes nothing that a scenario can see.
const IGNORED: [&str; 5] = ["EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "STOPSIGNAL"];

fn wrong(line: usize, message: impl Into<String>, help: impl Into<String>) -> Wrong {
    Wrong { line, message: message.into(), help: help.into() }
}

/// Reads one. `args` are those that its user gives.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(name: &str, text: &str, args: &[(String, String)]) -> Result<Dockerfile, Wrong> {
    let mut from = None;
    let mut file = Dockerfile {
        name: name.to_owned(),
        text: text.to_owned(),
        from: Base::Scratch,
        from_at: 0,
        lines: Vec::new(),
        ignored: Vec::new(),
    };
    let mut before: Vec<(String, String)> = Vec::new();
    let mut declared = Vec::new();
    for (number, text) in logical(text)? {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let (keyword, rest) = (word.to_ascii_uppercase(), rest.trim());
        let one = |message: &str, help: &str| wrong(number, message, help);
        match keyword.as_str() {
            "FROM" if from.is_some() => {
                return Err(one("a second FROM: builds of several stages are not supported yet", "one FROM"));
            }
            "FROM" => {
                from = Some(base(number, rest, &before)?);
                file.from_at = number;
            }
            "ARG" => {
                let (name, default) = arg(number, rest)?;
                let given = args.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
                declared.push(name.clone());
                if from.is_none() {
                    let value = given.or(default).unwrap_or_default();
                    let value = expand(&value, &before).map_err(|why| wrong(number, why, VARIABLE))?;
                    before.push((name, value));
                } else {
                    // Declared once more it is what it was before FROM.
                    let known = || before.iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value.clone());
                    let value = given.or(default).or_else(known);
                    file.lines.push(Line { number, what: Instruction::Arg(name, value) });
                }
            }
            "ONBUILD" | "VOLUME" => {
                return Err(one(
                    &format!("{keyword} is not supported yet"),
                    "it would be passed over, and the image would be another one: leave it away",
                ));
            }
            other if other != WORKDIR && !KNOWN.contains(&other) => {
                let help = match nearest(other, KNOWN.into_iter().chain([WORKDIR])) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => format!("there are {}, {WORKDIR}", KNOWN.join(", ")),
                };
                return Err(wrong(number, format!("no instruction {word}"), help));
            }
            _ if from.is_none() => return Err(one(&format!("{keyword} before FROM"), FROM)),
            other if IGNORED.contains(&other) => file.ignored.push((number, other.to_owned())),
            other => file.lines.push(Line { number, what: instruction(number, other, rest)? }),
        }
    }
    file.from = from.ok_or_else(|| wrong(1, "no FROM", FROM))?;
    if let Some((name, _)) = args.iter().find(|(name, _)| !declared.contains(name)) {
        return Err(wrong(1, format!("no ARG {name}, which `args` gives a value"), "docker would only warn of it"));
    }
    Ok(file)
}

const FROM: &str = "FROM host, FROM toolbox, FROM scratch, or the path of an image beside the scenario";
const VARIABLE: &str = "$NAME, ${NAME}, ${NAME:-default}, ${NAME:+instead}; \\$ is a dollar";

/// Lines with those that a backslash continues, comments and empty ones left out, and where each begins.
fn logical(text: &str) -> Result<Vec<(usize, String)>, Wrong> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if number > MAX_LINES {
            return Err(wrong(number, format!("more than {MAX_LINES} lines"), "a Dockerfile that a person reads"));
        }
        let trimmed = line.trim();
        if let Some(comment) = trimmed.strip_prefix('#') {
            if lines.is_empty() && comment.trim().to_ascii_lowercase().starts_with("escape") && comment.contains('=') {
                return Err(wrong(number, "the directive escape is not supported yet", "a backslash continues a line"));
            }
            continue;
        }
        if trimmed.is_empty() {
            continue;
        }
        let (first, mut whole) = open.take().unwrap_or((number, String::new()));
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                whole.push_str(part);
                open = Some((first, whole));
            }
            None => {
                whole.push_str(line.trim_end());
                lines.push((first, whole.trim().to_owned()));
            }
        }
    }
    lines.extend(open.map(|(first, whole)| (first, whole.trim().to_owned())));
    if let Some((number, _)) = lines.iter().find(|(_, text)| is_heredoc(text)) {
        return Err(wrong(*number, "a here-document is not supported yet", "a line each, or `&& \\` between them"));
    }
    Ok(lines)
}

/// `RUN <<EOF`: in a Dockerfile what follows is its content, not a line of its own.
fn is_heredoc(text: &str) -> bool {
    let keyword = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let begins = |rest: &str| {
        rest.trim_start_matches('-').starts_with(|letter: char| letter.is_ascii_alphabetic() || "'\"".contains(letter))
    };
    ["RUN", "COPY", "ADD"].contains(&keyword.as_str())
        && text.match_indices("<<").any(|(at, _)| begins(&text[at + 2..]))
}

fn base(number: usize, rest: &str, args: &[(String, String)]) -> Result<Base, Wrong> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let name = match words.as_slice() {
        [name] => name,
        [name, word, _] if word.eq_ignore_ascii_case("as") => name,
        [flag, ..] if flag.starts_with("--") => {
            return Err(wrong(
                number,
                format!("FROM {flag} is not supported"),
                "images are for this machine's architecture",
            ));
        }
        _ => return Err(wrong(number, "FROM names one image", FROM)),
    };
    let name = expand(name, args).map_err(|why| wrong(number, why, VARIABLE))?;
    Ok(match name.as_str() {
        "scratch" => Base::Scratch,
        "toolbox" => Base::Toolbox,
        "host" => Base::Host,
        "" => return Err(wrong(number, "FROM nothing", FROM)),
        _ => Base::Image(name),
    })
}

fn arg(number: usize, rest: &str) -> Result<(String, Option<String>), Wrong> {
    let (name, default) = match rest.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (rest, None),
    };
    if !is_name(name) {
        return Err(wrong(number, format!("ARG {rest}: one name"), "`ARG NAME=value`"));
    }
    let default = default.map(|value| words(value).map(|words| words.join(" "))).transpose();
    Ok((name.to_owned(), default.map_err(|why| wrong(number, why, "quotes in pairs"))?))
}

fn instruction(number: usize, keyword: &str, rest: &str) -> Result<Instruction, Wrong> {
    let empty = || wrong(number, format!("{keyword} of nothing"), "leave it away, or say what");
    if rest.is_empty() {
        return Err(empty());
    }
    Ok(match keyword {
        "RUN" if rest.starts_with("--") => {
            let flag = rest.split_whitespace().next().unwrap_or_default();
            return Err(wrong(
                number,
                format!("RUN {flag} is not supported yet"),
                "RUN has no network and no mounts of its own",
            ));
        }
        "RUN" => Instruction::Run(command(number, rest)?),
        "ENTRYPOINT" => Instruction::Entrypoint(command(number, rest)?),
        "CMD" => Instruction::Cmd(command(number, rest)?),
        "SHELL" => match command(number, rest)? {
            Command::Exec(words) if !words.is_empty() => Instruction::Shell(words),
            _ => return Err(wrong(number, "SHELL is a list", "`SHELL [\"/bin/bash\", \"-c\"]`")),
        },
        "USER" => Instruction::User(word(rest).map_err(|why| wrong(number, why, "quotes in pairs"))?),
        WORKDIR => Instruction::Workdir(word(rest).map_err(|why| wrong(number, why, "quotes in pairs"))?),
        "ENV" => Instruction::Env(env(number, rest)?),
        _ => Instruction::Copy(copy(number, keyword, rest)?),
    })
}

fn command(number: usize, rest: &str) -> Result<Command, Wrong> {
    // As docker: what looks like a list and is none is a line for the shell. It is never what was meant.
    if !rest.starts_with('[') {
        return Ok(Command::Shell(rest.to_owned()));
    }
    if rest.starts_with("[ ") && rest.ends_with(" ]") && !rest.contains('"') {
        return Ok(Command::Shell(rest.to_owned()));
    }
    let list: Vec<String> = serde_json::from_str(rest)
        .map_err(|error| wrong(number, format!("no list: {error}"), "`[\"sh\", \"-c\", \"…\"]`, with double quotes"))?;
    Ok(Command::Exec(list))
}

fn env(number: usize, rest: &str) -> Result<Vec<(String, String)>, Wrong> {
    let help = "`ENV NAME=value OTHER=\"another value\"`";
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        // The old form: all that follows is the value.
        let (name, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| wrong(number, format!("ENV {rest} has no value"), help))?;
        if !is_name(name) {
            return Err(wrong(number, format!("`{name}` is no name of a variable"), help));
        }
        let value = word(value.trim()).map_err(|why| wrong(number, why, help))?;
        return Ok(vec![(name.to_owned(), value)]);
    }
    let pairs = words(rest).map_err(|why| wrong(number, why, help))?;
    let pair = |word: String| match word.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(wrong(number, format!("`{word}` is no NAME=value"), help)),
    };
    pairs.into_iter().map(pair).collect()
}

fn copy(number: usize, keyword: &str, rest: &str) -> Result<Copy, Wrong> {
    let help = format!("`{keyword} [--chown=user:group] [--chmod=0644] SOURCE… TARGET`");
    let mut copy = Copy { add: keyword == "ADD", sources: Vec::new(), target: String::new(), owner: None, mode: None };
    let mut rest = rest;
    while let Some(flag) = rest.split_whitespace().next().filter(|word| word.starts_with("--")) {
        rest = rest[flag.len()..].trim_start();
        match flag.split_once('=') {
            Some(("--chown", owner)) => copy.owner = Some(owner.to_owned()),
            Some(("--chmod", mode)) => {
                let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777);
                copy.mode =
                    Some(mode.ok_or_else(|| {
                        wrong(number, format!("{flag} is no mode"), "an octal number, `--chmod=0644`")
                    })?);
            }
            _ => return Err(wrong(number, format!("{keyword} {flag} is not supported yet"), help)),
        }
    }
    let mut paths = match rest.starts_with('[') {
        true => match command(number, rest)? {
            Command::Exec(paths) => paths,
            Command::Shell(_) => Vec::new(),
        },
        false => words(rest).map_err(|why| wrong(number, why, help.clone()))?,
    };
    copy.target = paths.pop().unwrap_or_default();
    copy.sources = paths;
    if copy.sources.is_empty() || copy.target.is_empty() {
        return Err(wrong(number, format!("{keyword} needs a source and a target"), help));
    }
    for source in &copy.sources {
        if source.contains("://") || source.starts_with("git@") {
            return Err(wrong(number, format!("{keyword} {source}: a build has no network"), "a file of the context"));
        }
        if source.contains(['*', '?', '[']) {
            return Err(wrong(
                number,
                format!("{keyword} {source}: patterns are not supported yet"),
                "name each file, or the folder",
            ));
        }
    }
    Ok(copy)
}

#[cfg(test)]
mod tests;
