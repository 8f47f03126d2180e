//! Steps, and what they say of the containers they are taken in.

use super::{
    Fields, capabilities,
    container::user,
    expect, facts, list, list_of_text,
    probe::probe,
    scalar::{duration, filled, path},
    text,
};
use crate::{
    observe::Stream,
    scenario::{
        diagnostic::Fault,
        model::{Action, Container, Control, Expect, OutcomeExpect, Preset, Step},
        tree::{Node, Value},
    },
    text::nearest,
};

const KINDS: [&str; 4] = ["run", "probe", "inspect", "host"];
const KEYS: [&str; 11] =
    ["run", "probe", "inspect", "host", "in", "as", "id", "timeout", "capture", "expect", "because"];

/// A step.
pub(in crate::scenario) fn step(index: usize, node: &Node, containers: &[Container]) -> Result<Step, Fault> {
    let fields = Fields::planned(node, "a step", &KEYS, &["requires", "skip", "lab"])?;
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| fields.key(kind).is_some()).collect();
    let kind = match kinds.as_slice() {
        [kind] => *kind,
        [] => return Err(Fault::new(node.at, "a step that does nothing").help("one of run, probe, inspect, host")),
        [first, second, ..] => {
            let at = fields.key(second).map_or(node.at, |key| key.at);
            return Err(Fault::new(at, format!("a step that is both `{first}` and `{second}`"))
                .help("one step does one thing: make it two"));
        }
    };
    refuse_keys(&fields, kind)?;
    let within = match fields.get("in") {
        Some(node) => find(node, containers)?,
        None if kind == "host" || containers.len() == 1 => 0,
        None => {
            let names: Vec<&str> = containers.iter().map(|one| one.name.as_str()).collect();
            return Err(
                Fault::new(node.at, "which container is meant?").help(format!("`in:` one of {}", names.join(", ")))
            );
        }
    };
    let body = fields.required(kind)?;
    let as_user = fields.get("as").map(user).transpose()?;
    let action = match kind {
        "run" => {
            let argv = argv(body)?;
            let expect = expect::of_run(expectation(&fields, node)?)?;
            let because = because(&fields, containers, within, as_user.is_some(), &expect)?;
            evidence(&fields, &expect, because.as_ref())?;
            Action::Run { argv, expect, because }
        }
        "probe" => {
            let probe = probe(body)?;
            let expect = expect::of_probe(expectation(&fields, node)?)?;
            let because = because(&fields, containers, within, as_user.is_some(), &expect)?;
            Action::Probe { probe, expect, because }
        }
        "inspect" => Action::Inspect(facts::inspect(body)?),
        _ => host(body, expectation(&fields, node)?, containers)?,
    };
    Ok(Step {
        id: fields.get("id").map(filled).transpose()?.unwrap_or_else(|| (index + 1).to_string()),
        within,
        as_user,
        timeout: fields.get("timeout").map(duration).transpose()?,
        capture: fields.get("capture").map(capture).transpose()?.unwrap_or_default(),
        action,
        line: node.at.line,
    })
}

/// Keys that mean nothing in a step of this kind.
fn refuse_keys(fields: &Fields<'_>, kind: &str) -> Result<(), Fault> {
    let without: &[(&str, &str)] = match kind {
        "run" => &[],
        "probe" => &[("capture", "a probe writes nothing")],
        "inspect" => &[
            ("expect", "inspect states the facts it expects itself"),
            ("because", "only what was allowed or denied has a because"),
            ("capture", "inspect writes nothing"),
        ],
        _ => &[
            ("as", "the host is looked at from outside"),
            ("in", "`host:` names what it looks at itself"),
            ("because", "only what was allowed or denied has a because"),
            ("capture", "a look writes nothing"),
            ("timeout", "a look takes no time"),
        ],
    };
    for (key, reason) in without {
        if let Some(key) = fields.key(key) {
            return Err(Fault::new(key.at, format!("`{}` in a step of kind `{kind}`", key.text)).help(*reason));
        }
    }
    Ok(())
}

fn expectation<'a>(fields: &Fields<'a>, node: &Node) -> Result<&'a Node, Fault> {
    fields.get("expect").ok_or_else(|| {
        Fault::new(node.at, "a step without `expect`")
            .help("what must come of it? `expect: allowed`, `expect: {denied: EPERM}`, …")
    })
}

fn find(node: &Node, containers: &[Container]) -> Result<usize, Fault> {
    let name = text(node)?;
    containers.iter().position(|one| one.name == name).ok_or_else(|| {
        let names: Vec<&str> = containers.iter().map(|one| one.name.as_str()).collect();
        let fault = Fault::new(node.at, format!("no container `{name}`"));
        match nearest(name, names.iter().copied()) {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help(format!("there is {}", names.join(", "))),
        }
    })
}

fn argv(node: &Node) -> Result<Vec<String>, Fault> {
    match &node.value {
        Value::List(items) => {
            let words: Vec<String> =
                items.iter().map(|item| text(item).map(str::to_owned)).collect::<Result<_, _>>()?;
            if words.first().is_none_or(String::is_empty) {
                return Err(Fault::new(node.at, "an empty command"));
            }
            Ok(words)
        }
        _ => Ok(vec!["sh".to_owned(), "-c".to_owned(), filled(node)?]),
    }
}

/// A command's failure alone is no denial.
fn evidence(fields: &Fields<'_>, expect: &Expect, because: Option<&Control>) -> Result<(), Fault> {
    let denied = matches!(expect.outcome, Some(OutcomeExpect::Denied(_)));
    let matched = expect.exit.is_some() && (expect.stdout.is_some() || expect.stderr.is_some());
    if denied && because.is_none() && !matched {
        let at = fields.get("expect").map_or(fields.at(), |node| node.at);
        return Err(Fault::new(at, "`denied` of a command without evidence").help(
            "a command fails for many reasons: say which control decides (`because:`), or `{outcome: denied, exit: 4, stderr: …}`",
        ));
    }
    Ok(())
}

fn capture(node: &Node) -> Result<Vec<Stream>, Fault> {
    let mut streams = Vec::new();
    for (word, at) in list_of_text(node)? {
        let stream = match word.as_str() {
            "stdout" => Stream::Stdout,
            "stderr" => Stream::Stderr,
            other => return Err(Fault::new(at, format!("no stream `{other}`")).help("stdout, stderr")),
        };
        if streams.contains(&stream) {
            return Err(Fault::new(at, format!("`{word}` is there twice")));
        }
        streams.push(stream);
    }
    Ok(streams)
}

fn because(
    fields: &Fields<'_>,
    containers: &[Container],
    within: usize,
    as_user: bool,
    expect: &Expect,
) -> Result<Option<Control>, Fault> {
    let Some(node) = fields.get("because") else { return Ok(None) };
    if !matches!(expect.outcome, Some(OutcomeExpect::Allowed | OutcomeExpect::Denied(_))) {
        return Err(Fault::new(node.at, "a because of neither `allowed` nor `denied`")
            .help("only those two have an opposite that can be looked for"));
    }
    let container = &containers[within];
    let control = control(node)?;
    let absent =
        |what: &str| Err(Fault::new(node.at, format!("container {} has no {what} to take away", container.name)));
    match &control {
        Control::Uidmap if container.uidmap.is_empty() && container.gidmap.is_empty() => absent("uidmap"),
        Control::Privileged if !container.privileged => absent("`privileged`"),
        Control::ReadOnlyRoot if !container.read_only => absent("`read_only`"),
        Control::Seccomp
            if container.privileged || container.seccomp_unconfined || container.preset == Preset::Bare =>
        {
            absent("seccomp profile")
        }
        Control::Devices if container.privileged || container.preset == Preset::Bare => absent("device list"),
        Control::NoNewPrivs if !container.no_new_privs => absent("no-new-privileges"),
        Control::ReadOnlyVolume(target) => match container.volumes.iter().find(|one| one.target == *target) {
            Some(volume) if volume.read_only => Ok(Some(control)),
            Some(_) => Err(Fault::new(node.at, format!("the volume at {target} is not read-only"))),
            None => Err(Fault::new(node.at, format!("no volume at {target}"))),
        },
        Control::User
            if matches!(expect.outcome, Some(OutcomeExpect::Denied(_))) && container.user.is_none() && !as_user =>
        {
            Err(Fault::new(node.at, "denied because of its user, which is root")
                .help("root has nobody above it: name another control"))
        }
        _ => Ok(Some(control)),
    }
}

fn control(node: &Node) -> Result<Control, Fault> {
    if let Value::Map(entries) = &node.value {
        return match entries.as_slice() {
            [(key, value)] => match key.text.as_str() {
                "capability" => capabilities::one(value).map(Control::Capability),
                "read_only" => path(value).map(Control::ReadOnlyVolume),
                other => Err(Fault::new(key.at, format!("no control `{other}`"))
                    .help("`{capability: NET_ADMIN}`, `{read_only: /mnt}`")),
            },
            _ => Err(Fault::new(node.at, "a because names one control").help("make it two steps, one for each")),
        };
    }
    match text(node)? {
        "user" => Ok(Control::User),
        "uidmap" => Ok(Control::Uidmap),
        "privileged" => Ok(Control::Privileged),
        "read_only" => Ok(Control::ReadOnlyRoot),
        "no_new_privs" => Ok(Control::NoNewPrivs),
        "seccomp" => Ok(Control::Seccomp),
        "devices" => Ok(Control::Devices),
        planned @ ("masked_path" | "limit" | "namespace" | "rootless") => {
            Err(Fault::new(node.at, format!("control `{planned}` is not supported yet")))
        }
        other => Err(Fault::new(node.at, format!("no control `{other}`")).help(
            "`{capability: NET_ADMIN}`, `user`, `uidmap`, `privileged`, `{read_only: /mnt}`, `read_only`, `no_new_privs`, \
             `seccomp`, `devices`",
        )),
    }
}

fn host(node: &Node, expect: &Node, containers: &[Container]) -> Result<Action, Fault> {
    let fields = Fields::planned(node, "host", &["process", "file"], &["runtime", "disk"])?;
    match (fields.get("process"), fields.get("file")) {
        (Some(name), None) => {
            Ok(Action::HostProcess { container: find(name, containers)?, expect: facts::process(expect)? })
        }
        (None, Some(file)) => Ok(Action::HostFile { path: path(file)?, expect: facts::file(expect)? }),
        _ => {
            Err(Fault::new(node.at, "a look at one thing")
                .help("`host: {process: box}` or `host: {file: /etc/shadow}`"))
        }
    }
}

/// Steps, in the order written.
pub(in crate::scenario) fn steps(node: &Node, containers: &[Container]) -> Result<Vec<Step>, Fault> {
    let nodes = list(node)?;
    if nodes.is_empty() {
        return Err(Fault::new(node.at, "no steps").help("what must be possible or impossible in it?"));
    }
    let mut steps: Vec<Step> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let step = step(index, node, containers)?;
        if steps.iter().any(|other| other.id == step.id) {
            return Err(Fault::new(node.at, format!("a second step with the id `{}`", step.id))
                .help("a step without an id has its number"));
        }
        steps.push(step);
    }
    Ok(steps)
}
