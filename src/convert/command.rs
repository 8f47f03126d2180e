//! `docker run …` and `podman run …`, read and written.

use super::{
    Draft, Part, Unconvertible,
    draft::{argv, pairs},
    flag::{self, Flag, Meaning},
    preset,
    settled::bare,
    unknown, volume,
};
use crate::scenario::plain::Plain;

/// Whose command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// docker's.
    Docker,
    /// podman's.
    Podman,
}

impl Dialect {
    /// The program's name, which is also its preset's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Docker => Self::Podman,
            Self::Podman => Self::Docker,
        }
    }
}

/// A command without which a container is no less: pid 1 waits in every scenario.
const WAIT: [&str; 2] = ["sleep", "infinity"];

/// Reads what follows the program's name: `run -it --cap-add NET_ADMIN bash`.
///
/// # Errors
/// What makes no container, a flag that nobody knows, a value that is missing or malformed.
pub fn read(dialect: Dialect, arguments: &[String]) -> Result<Draft, Unconvertible> {
    let name = dialect.name();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rest = match words.as_slice() {
        ["container", "run" | "create", ..] => &arguments[2..],
        ["run" | "create", ..] => &arguments[1..],
        [other, ..] => {
            return Err(Unconvertible(format!(
                "`{name} {other}` makes no container; `caplab from {name} run [FLAGS] IMAGE [COMMAND]`"
            )));
        }
        [] => return Err(Unconvertible(format!("`caplab from {name} run [FLAGS] IMAGE [COMMAND]`"))),
    };
    let mut line = Line::new(dialect);
    line.detached = words[0] == "create";
    let command = line.flags(rest)?;
    let Some((image, command)) = command.split_first() else {
        return Err(Unconvertible(format!("no image: `{name} run [FLAGS] IMAGE [COMMAND]`")));
    };
    line.command(image, command);
    let shown = [name].into_iter().chain(words.iter().copied());
    let source = shown.map(quote).collect::<Vec<_>>().join(" ");
    Ok(Draft { source, parts: vec![line.part], ..Draft::default() })
}

/// Reads flags alone, `--cap-drop ALL -u 1000`; also where `docker run` stands before them, which then says whose they are.
///
/// # Errors
/// Those of [`read`], another engine's name than what is known already, and what is no flag: an image or a command.
pub fn flags(known: Option<Dialect>, text: &str) -> Result<Draft, Unconvertible> {
    let split = shlex::split(text)
        .ok_or_else(|| Unconvertible("the container's flags have a quote that is not closed".to_owned()))?;
    let words: Vec<&str> = split.iter().map(String::as_str).collect();
    let after_sudo = words.strip_prefix(&["sudo"]).unwrap_or(&words);
    let named = [Dialect::Docker, Dialect::Podman].into_iter().find_map(|dialect| {
        let rest = after_sudo.strip_prefix(&[dialect.name()])?;
        let rest = rest.strip_prefix(&["container"]).unwrap_or(rest);
        let rest = rest.strip_prefix(&["run"]).or_else(|| rest.strip_prefix(&["create"]))?;
        Some((dialect, rest))
    });
    let (dialect, rest) = match (named, known) {
        (Some((named, _)), Some(known)) if named != known => {
            return Err(Unconvertible(format!("`{text}` is {}'s, and the preset is {}", named.name(), known.name())));
        }
        (Some(named), _) => named,
        (None, known) => (known.unwrap_or(Dialect::Docker), &words[..]),
    };
    let mut line = Line::new(dialect);
    let arguments: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
    let over = line.flags(&arguments)?;
    if !over.is_empty() {
        let over = over.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        return Err(Unconvertible(format!(
            "`{over}` is no flag: flags of `{} run` alone are wanted, no image and no command; \
             `caplab from` reads a whole line, and what is tried is the probe",
            dialect.name()
        )));
    }
    // It stays, whatever its flags say.
    line.detached = true;
    line.command("box", &WAIT.map(str::to_owned));
    // Nobody named one.
    line.part.image = None;
    Ok(Draft { source: text.to_owned(), parts: vec![line.part], ..Draft::default() })
}

/// Reads a whole line, `docker run …`, `sudo podman run …`; one text with spaces is a line as it is copied from somewhere. `None`
/// where it begins with neither program's name.
///
/// # Errors
/// Those of [`read`], and a quote that is not closed.
pub fn line(words: &[String]) -> Result<Option<Draft>, Unconvertible> {
    let split = match words {
        [line] if line.contains(' ') => shlex::split(&line.replace("\\\n", " "))
            .ok_or_else(|| Unconvertible("a quote that is not closed".to_owned()))?,
        words => words.to_vec(),
    };
    let words = if split.first().is_some_and(|word| word == "sudo") { &split[1..] } else { &split[..] };
    match words {
        [name, rest @ ..] if name == "docker" => read(Dialect::Docker, rest).map(Some),
        [name, rest @ ..] if name == "podman" => read(Dialect::Podman, rest).map(Some),
        _ => Ok(None),
    }
}

struct Line {
    dialect: Dialect,
    part: Part,
    detached: bool,
    entrypoint: Vec<String>,
}

impl Line {
    fn new(dialect: Dialect) -> Self {
        let mut part = Part { name: "box".to_owned(), ..Part::default() };
        if dialect == Dialect::Podman {
            part.keys.set("preset", Plain::text("podman"));
        }
        Self { dialect, part, detached: false, entrypoint: Vec::new() }
    }

    /// Takes the flags; gives what follows them. As pflag reads them: `--flag=value`, `--flag value`, `-vvalue`, `-it`.
    fn flags<'a>(&mut self, arguments: &'a [String]) -> Result<&'a [String], Unconvertible> {
        let mut at = 0;
        while let Some(argument) = arguments.get(at) {
            at += 1;
            if argument == "--" {
                break;
            }
            let mut next = |flag: &str| {
                let value = arguments.get(at).cloned();
                at += 1;
                value.ok_or_else(|| Unconvertible(format!("{flag} wants a value")))
            };
            if let Some(long) = argument.strip_prefix("--") {
                let (name, inline) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let flag = self.long(name)?;
                let value = match inline {
                    Some(value) => value,
                    None if flag.meaning.takes_value() => next(&format!("--{name}"))?,
                    None => "true".to_owned(),
                };
                self.apply(flag, &value)?;
            } else if let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                for (index, letter) in letters.char_indices() {
                    let flag = self.short(letter)?;
                    let rest = &letters[index + letter.len_utf8()..];
                    if flag.meaning.takes_value() {
                        let value = match rest.strip_prefix('=').unwrap_or(rest) {
                            "" => next(&format!("-{letter}"))?,
                            value => value.to_owned(),
                        };
                        self.apply(flag, &value)?;
                        break;
                    }
                    if let Some(value) = rest.strip_prefix('=') {
                        self.apply(flag, value)?;
                        break;
                    }
                    self.apply(flag, "true")?;
                }
            } else {
                at -= 1;
                break;
            }
        }
        Ok(arguments.get(at..).unwrap_or_default())
    }

    fn long(&self, name: &str) -> Result<&'static Flag, Unconvertible> {
        let known = || flag::of(self.dialect);
        known().find(|flag| flag.long == name).ok_or_else(|| {
            let what = format!("flag of `{} run`", self.dialect.name());
            if flag::of(self.dialect.other()).any(|flag| flag.long == name) {
                return Unconvertible(format!("no {what} `--{name}`; {}", self.others()));
            }
            unknown(&what, &format!("--{name}"), known().map(|flag| flag.long))
        })
    }

    /// What to do about what the other engine alone knows.
    fn others(&self) -> String {
        let (own, other) = (self.dialect.name(), self.dialect.other().name());
        format!("it is {other}'s: `{other} run …` in the place of `{own} run …` is read with {other}'s defaults")
    }

    fn short(&self, letter: char) -> Result<&'static Flag, Unconvertible> {
        let known = || flag::of(self.dialect);
        known().find(|flag| flag.short == Some(letter)).ok_or_else(|| {
            let letters: String = known().filter_map(|flag| flag.short).collect();
            Unconvertible(format!("no flag of `{} run` `-{letter}`; there is one of {letters}", self.dialect.name()))
        })
    }

    fn apply(&mut self, flag: &Flag, value: &str) -> Result<(), Unconvertible> {
        if self.dialect == Dialect::Docker && is_podmans(flag.long, value) {
            return Err(Unconvertible(format!("no value of docker's --{} `{value}`; {}", flag.long, self.others())));
        }
        let keys = &mut self.part.keys;
        let long = flag.long;
        match flag.meaning {
            Meaning::On(_) | Meaning::Detach | Meaning::Switch(_) => {
                let on = match value {
                    "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                    "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                    other => return Err(Unconvertible(format!("--{long}={other}: true or false is wanted"))),
                };
                match flag.meaning {
                    Meaning::On(key) if on => keys.set(key, Plain::truth(true)),
                    Meaning::On(key) => drop(keys.take(key)),
                    Meaning::Detach => self.detached = on,
                    Meaning::Switch(why) => self.part.notes.push(format!("--{long}: {why}")),
                    _ => {}
                }
            }
            Meaning::Text(key) => keys.set(key, Plain::text(value)),
            // pflag's "strings", which podman has and docker has not.
            Meaning::Item(key) if self.dialect == Dialect::Podman && COMMAS.contains(&key) => {
                value.split(',').for_each(|item| keys.add(key, Plain::text(item)));
            }
            Meaning::Item(key) => keys.add(key, Plain::text(value)),
            Meaning::Pair(key) => match value.split_once('=') {
                Some((name, value)) => keys.enter(key, name, Plain::text(value)),
                None => self
                    .part
                    .notes
                    .push(format!("--{long} {value}: a scenario takes nothing from the machine it runs on")),
            },
            Meaning::Ulimit => {
                let Some((name, limits)) = value.split_once('=') else {
                    return Err(Unconvertible(format!("--ulimit {value}: `nofile=64:128` is wanted")));
                };
                keys.enter("ulimits", name, ulimit(limits));
            }
            Meaning::Volume => self.volume("volumes", volume::short(value)),
            Meaning::Mount => {
                let (key, read) = volume::long(&volume::fields(value), value).map_err(Unconvertible)?;
                self.volume(key, read);
            }
            Meaning::Entrypoint => self.entrypoint = if value.is_empty() { Vec::new() } else { vec![value.to_owned()] },
            Meaning::Value(why) => self.part.notes.push(format!("--{long} {value}: {why}")),
        }
        Ok(())
    }

    fn volume(&mut self, key: &str, read: volume::Read) {
        match read.volume {
            Ok(volume) => self.part.keys.add(key, volume),
            Err(why) => self.part.notes.push(why),
        }
        self.part.notes.extend(read.notes);
    }

    fn command(&mut self, image: &str, command: &[String]) {
        self.part.image = Some(image.to_owned());
        let command: Vec<String> = self.entrypoint.iter().chain(command).cloned().collect();
        let shell = ["sh", "bash", "ash", "dash", "zsh"];
        match command.as_slice() {
            [] => {
                let image = &self.part.image;
                let image = image.as_deref().unwrap_or_default();
                self.part.notes.push(format!("the command that image {image} brings is not known here: pid 1 waits"));
            }
            [one] if shell.contains(&one.rsplit('/').next().unwrap_or(one)) => {
                self.part.notes.push(format!("{one}: a shell that somebody would type into: steps are in its place"));
            }
            [first, ..] if first.is_empty() => {
                self.part.notes.push("an empty command: no engine starts it".to_owned());
            }
            words if words == WAIT => {}
            words if self.detached => {
                self.part.keys.set("command", super::draft::texts(words.iter().cloned()));
            }
            _ => self.part.tried = Some(command),
        }
    }
}

/// Whether docker refuses the value, which podman takes (moby, api/types/container/hostconfig.go UsernsMode.Valid and UTSMode.Valid, and
/// daemon_unix.go parseSecurityOpt).
fn is_podmans(long: &str, value: &str) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| value.starts_with(word));
    match long {
        "userns" => {
            ["auto", "keep-id", "nomap", "private"].contains(&value)
                || begins(&["auto:", "keep-id:", "container:", "ns:"])
        }
        "security-opt" => begins(&["mask=", "unmask=", "proc-opts="]),
        "uts" => begins(&["container:", "ns:"]),
        _ => false,
    }
}

/// podman's, whose default is true.
const READ_ONLY_TMPFS: &str = "read-only-tmpfs";
/// Keys whose flags podman splits at commas.
const COMMAS: [&str; 6] = ["cap_add", "cap_drop", "uidmap", "gidmap", "group_add", "devices"];

/// `64` or `64:128`, docker's -1 for no limit.
fn ulimit(text: &str) -> Plain {
    match text.split_once(':') {
        Some((soft, hard)) if soft != hard => {
            Plain::Map(vec![("soft".to_owned(), Plain::text(soft)), ("hard".to_owned(), Plain::text(hard))])
        }
        Some((both, _)) => Plain::text(both),
        None => Plain::text(text),
    }
}

/// A container as a command line, a flag a line, and what it does not say. `image` is what to run it from.
#[must_use]
pub fn write(dialect: Dialect, part: &Part, image: &str) -> (String, Vec<String>) {
    let mut notes = Vec::new();
    let mut words = Vec::new();
    let said = preset::said(dialect, part);
    let keys = &said.keys;
    let entrypoint = keys.get("entrypoint").map(argv).filter(|words| !words.is_empty());
    for flag in flag::of(dialect) {
        let mut add = |value: &str| words.push(format!("--{} {}", flag.long, quote(value)));
        match flag.meaning {
            Meaning::On(key) if keys.is(key) => words.push(format!("--{}", flag.long)),
            Meaning::Text("network_mode") if flag.long == "network" => {
                // The container of a scenario has loopback only, also where nobody says so.
                add(keys.text("network_mode").unwrap_or("none"));
            }
            Meaning::Text(key) if flag.long != "net" => keys.text(key).into_iter().for_each(add),
            Meaning::Item(key) => {
                let items = keys.items(key).iter().filter_map(Plain::scalar);
                items.filter(|item| !is_engines_own(key, item)).for_each(add);
            }
            Meaning::Pair(key) => {
                let pairs = keys.get(key).map(pairs).unwrap_or_default();
                pairs.iter().for_each(|(name, value)| add(&format!("{name}={value}")));
            }
            Meaning::Ulimit => {
                for (name, limits) in keys.get("ulimits").map_or(&[][..], Plain::entries) {
                    let side = |side: &str| limits.get(side).and_then(Plain::scalar).unwrap_or_default();
                    let limits = match limits.scalar() {
                        Some("unlimited") => "-1".to_owned(),
                        Some(both) => both.to_owned(),
                        None => format!("{}:{}", side("soft"), side("hard")).replace("unlimited", "-1"),
                    };
                    add(&format!("{name}={limits}"));
                }
            }
            Meaning::Volume => {
                for volume in keys.items("volumes") {
                    let (flag, value) = volume::flag(volume);
                    words.push(format!("--{flag} {}", quote(&value)));
                }
            }
            Meaning::Entrypoint => entrypoint.iter().flat_map(|words| words.first()).for_each(|first| add(first)),
            // podman leaves three folders of such a root writable, no other engine does.
            Meaning::Switch(_)
                if flag.long == READ_ONLY_TMPFS && keys.is("read_only") && keys.text("preset") != Some("podman") =>
            {
                words.push(format!("--{}=false", flag.long));
            }
            _ => {}
        }
    }
    words.push(quote(image));
    // The flag takes one word; the others stand before the command.
    let mut command: Vec<String> = entrypoint.iter().flatten().skip(1).cloned().collect();
    match keys.get("command").map(argv) {
        Some(own) => command.extend(own),
        None if entrypoint.is_none() => command.extend(WAIT.map(str::to_owned)),
        None => {}
    }
    if !command.is_empty() {
        words.push(command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "));
    }
    unsaid(dialect, part, &mut notes);
    let line = format!("{} run --detach --name {} \\\n  {}", dialect.name(), quote(&part.name), words.join(" \\\n  "));
    (line, notes)
}

/// A Pod's word for the profile that the engine has by itself, which docker, podman and Compose take for a file.
pub(super) fn is_engines_own(key: &str, item: &str) -> bool {
    key == "security_opt" && item == "seccomp=runtime/default"
}

fn unsaid(dialect: Dialect, part: &Part, notes: &mut Vec<String>) {
    let keys = &part.keys;
    let whose = keys.text("preset").unwrap_or("docker");
    if whose != dialect.name() {
        let why = match whose {
            "docker-20.10.13" => "only docker before 20.10.14 fills the inheritable set".to_owned(),
            "bare" => "no flags make a container with a /proc, a /sys and a /dev as plain as that (docs/presets.md)".to_owned(),
            "kubernetes" if !preset::has_capabilities(dialect, part) => {
                "podman's bounding set has no CAP_NET_RAW, CAP_MKNOD and CAP_AUDIT_WRITE, and what is added is a user's too \
                 (docs/presets.md)"
                    .to_owned()
            }
            "kubernetes" if dialect == Dialect::Docker && !keys.is("privileged") => {
                "docker has no flag for a path that a kubelet has masked and docker 20.10 has not: /sys/devices/virtual/powercap \
                 (docs/presets.md)"
                    .to_owned()
            }
            "docker" => "podman starts from defaults of its own: without CAP_NET_RAW, CAP_MKNOD and CAP_AUDIT_WRITE, ports below 1024 are \
                         closed to users, and what is added is a user's too (docs/presets.md)"
                .to_owned(),
            "podman" => "docker starts from defaults of its own: with CAP_NET_RAW, CAP_MKNOD and CAP_AUDIT_WRITE, ports below 1024 are \
                         open to everybody, and what is added is root's alone (docs/presets.md)"
                .to_owned(),
            _ => beside(dialect),
        };
        notes.push(format!("preset {whose}: {why}"));
        if preset::is_given(dialect, part) {
            notes.push(format!(
                "cap_add: to who is not root podman gives it as ambient and effective, preset {whose} as bounding alone"
            ));
        }
    }
    let is_all = |key: &str| keys.items(key).iter().any(|name| bare(name) == "ALL");
    if dialect == Dialect::Podman && is_all("cap_add") && is_all("cap_drop") && !keys.is("privileged") {
        notes.push("cap_add and cap_drop: podman refuses ALL in both; without cap_drop it is the same".to_owned());
    }
    notes.extend(sources(part));
    let written = |key: &str| {
        ["preset", "rootfs", "entrypoint", "command", "volumes", "ulimits"].contains(&key)
            || flag::of(dialect).any(|flag| match flag.meaning {
                Meaning::On(known) | Meaning::Text(known) | Meaning::Item(known) | Meaning::Pair(known) => known == key,
                _ => false,
            })
    };
    for (key, _) in keys.0.iter().filter(|(key, _)| !written(key)) {
        notes.push(match (key.as_str(), dialect) {
            ("uidmap" | "gidmap", Dialect::Docker) => {
                format!("{key}: docker has one user namespace for the whole daemon (userns-remap), none per container")
            }
            ("expect", _) => "expect: whether it starts is seen, not asked for".to_owned(),
            _ => format!("{key}: `{} run` has no flag for it", dialect.name()),
        });
    }
}

/// What no flag says.
fn beside(dialect: Dialect) -> String {
    format!("what these flags do not say is {}'s own default (docs/presets.md)", dialect.name())
}

/// What must be said of volumes wherever a scenario leaves caplab.
pub(super) fn sources(part: &Part) -> Vec<String> {
    let real = |volume: &Plain| volume.get("real_host").and_then(Plain::scalar) == Some("true");
    let fixtures = part.keys.items("volumes").iter().filter(|volume| !real(volume));
    fixtures
        .map(|volume| {
            let source = volume::parts(volume).source;
            format!("volume source {source}: a decoy of the fixture host in caplab, here the machine's own")
        })
        .collect()
}

/// As a shell takes it for one word.
pub(super) fn quote(word: &str) -> String {
    // Fails for a NUL only, which no argument holds.
    shlex::try_quote(word).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}
