//! What a step says decides: one control, or several together.

use super::{
    Fields, capabilities,
    probe::namespace,
    resources,
    scalar::{id_text, path},
    sysctl, text,
};
use crate::{
    scenario::{
        describe,
        diagnostic::{Fault, Place},
        format::{Key, control},
        model::{Because, Container, Control, Expect, OutcomeExpect, Owner, Preset, Sharing},
        sysctl::{namespace as namespace_of, switch},
        tree::{Node, Value},
    },
    text::nearest,
};

/// `{capability: NET_ADMIN}`, `{read_only: /mnt}`, …
fn maps() -> String {
    let one = |key: &Key| format!("`{{{}: {}}}`", key.name, key.examples.first().unwrap_or(&"…"));
    control::MAPS.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What a control is called elsewhere: in `container`, in a manual page.
const ELSEWHERE: [(&str, &str); 8] = [
    ("cap", "capability"),
    ("caps", "capability"),
    ("cap_add", "capability"),
    ("cap_drop", "capability"),
    ("mount", "volume"),
    ("userns", "uidmap"),
    ("user_namespace", "uidmap"),
    ("gidmap", "uidmap"),
];

fn unknown(at: Place, word: &str) -> Fault {
    let words = control::WORDS.map(|(word, _)| word);
    if word == control::NONE.0 {
        return Fault::new(at, "`none` stands alone").help("where nothing decides there is nothing to name beside it");
    }
    let fault = Fault::new(at, format!("no control `{word}`"));
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == word).map(|(_, meant)| *meant);
    match elsewhere.or_else(|| nearest(word, words.into_iter().chain(control::MAPS.iter().map(|key| key.name)))) {
        Some(meant) => match control::MAPS.iter().find(|key| key.name == meant && !words.contains(&meant)) {
            Some(key) => fault.help(format!("did you mean `{{{meant}: {}}}`?", key.examples.first().unwrap_or(&"…"))),
            None => fault.help(format!("did you mean `{meant}`?")),
        },
        None => fault.help(format!("`{}`, {}", words.join("`, `"), maps())),
    }
}

/// What a step says decides.
pub(super) fn because(
    fields: &Fields<'_>,
    container: Option<&Container>,
    as_user: bool,
    expect: Option<&Expect>,
) -> Result<Because, Fault> {
    let Some(node) = fields.get("because") else { return Ok(Because::Unsaid) };
    let problems = fields.problems;
    let neither = || {
        Fault::new(node.at, "a because of neither `allowed` nor `denied`")
            .help("only those two have an opposite that can be looked for")
    };
    let outcome = expect.map(|expect| expect.outcome.ok_or_else(neither)).transpose()?;
    if matches!(&node.value, Value::Scalar { text, .. } if text == control::NONE.0) {
        return Ok(Because::Nothing);
    }
    let nodes = match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    };
    if nodes.is_empty() {
        return Err(
            Fault::new(node.at, "a because of nothing").help("name a control; `because: none` where none decides")
        );
    }
    if nodes.len() > control::MOST {
        return Err(Fault::new(node.at, format!("a because of more than {} controls", control::MOST))
            .help("`caplab why` looks for the smallest sets that decide"));
    }
    let mut controls = Vec::new();
    for node in nodes {
        let Some(control) = problems.ok(control(node)) else { continue };
        // The kernel's way to refuse memory is to kill.
        if matches!(outcome, Some(OutcomeExpect::Killed(_))) && !matches!(control, Control::Limit(_)) {
            return Err(neither());
        }
        if controls.contains(&control) {
            let twice = Fault::new(node.at, format!("{} is there twice", describe::control(&control)));
            problems.tell(twice.help("leave one away"));
            continue;
        }
        if let (Some(container), Some(outcome)) = (container, outcome) {
            problems.ok(there(node, &control, container, as_user, outcome));
        }
        controls.push(control);
    }
    // None is left only where each was told to be wrong.
    if controls.is_empty() { Err(Fault::told()) } else { Ok(Because::Controls(controls)) }
}

/// What is denied is denied by what is there. Where something is allowed because a protection is not there, that is put in
/// place. What only resolving the container shows is said when it is run.
fn there(
    node: &Node,
    control: &Control,
    container: &Container,
    as_user: bool,
    outcome: OutcomeExpect,
) -> Result<(), Fault> {
    let absent = |what: &str| {
        Err(Fault::new(node.at, format!("container {} has no {what} to take away", container.name))
            .help("a because takes away what is there: give it one, or name what else decides (`caplab why` finds it)"))
    };
    let denied = matches!(outcome, OutcomeExpect::Denied(_) | OutcomeExpect::Killed(_));
    match control {
        Control::Uidmap if denied && container.uidmap.is_empty() && container.gidmap.is_empty() => absent("uidmap"),
        Control::Rootless if container.rootless.is_none() => absent("`rootless`"),
        Control::Privileged if !denied && !container.privileged => absent("`privileged`"),
        Control::ReadOnlyRoot if denied && !container.read_only => absent("`read_only`"),
        Control::Seccomp if !container.knows_seccomp() => absent("seccomp profile"),
        Control::Seccomp if denied && !container.has_seccomp() => absent("seccomp profile"),
        Control::SystemPaths
            if container.privileged || container.system_paths.unconfined || container.preset == Preset::Bare =>
        {
            absent("masked or read-only paths")
        }
        Control::Devices
            if container.privileged || container.preset == Preset::Bare || container.rootless.is_some() =>
        {
            absent("device list")
        }
        Control::Namespace(which) if !Sharing::OWN_OR_SHARED.contains(which) => {
            Err(Fault::new(node.at, "that namespace is nobody's to share").help("pid, ipc, network, uts, cgroup"))
        }
        Control::Namespace(which) if *container.sharing.owner(*which) == Owner::Own => Err(Fault::new(
            node.at,
            format!("container {} shares no {} namespace", container.name, describe::namespace(*which)),
        )
        .help("with this control it gets one of its own; it has that already")),
        Control::Devices if !denied && container.devices.is_empty() && container.device_cgroup_rules.is_empty() => {
            absent("device")
        }
        Control::NoNewPrivs if denied && !container.no_new_privs => absent("no-new-privileges"),
        Control::Limit(_) if !denied => {
            Err(Fault::new(node.at, "allowed because of a limit").help("a limit can only refuse: what would it allow?"))
        }
        Control::Limit(limit) if !resources::has(container, *limit) => absent(&format!("limit `{}`", limit.name())),
        Control::ReadOnlyMount(target) => match container.volumes.iter().find(|one| one.target == *target) {
            Some(volume) if denied && !volume.read_only => {
                Err(Fault::new(node.at, format!("the volume at {target} is not read-only"))
                    .help(format!("`SOURCE:{target}:ro`, or name what else refuses")))
            }
            _ => Ok(()),
        },
        Control::Volume(target) | Control::Propagation(target)
            if !container.volumes.iter().any(|one| one.target == *target) =>
        {
            Err(Fault::new(node.at, format!("no volume at {target}"))
                .help("the target of one of the container's `volumes`"))
        }
        Control::Sysctl(name) => {
            let whose = namespace_of(name);
            match container.sharing.owner(whose) {
                Owner::Own if switch(name).is_some() || container.sysctls.iter().any(|(own, _)| own == name) => Ok(()),
                Owner::Own => absent(&format!("sysctl {name}")),
                _ => Err(Fault::new(
                    node.at,
                    format!(
                        "{name} belongs to the {} namespace, which is not the container's own",
                        describe::namespace(whose)
                    ),
                )
                .help("`{namespace: …}` gives it one of its own")),
            }
        }
        // An image says who its user is, and is not read yet.
        Control::User if denied && container.user.is_none() && container.image.is_none() && !as_user => {
            Err(Fault::new(node.at, "denied because of its user, which is root")
                .help("root has nobody above it: name another control"))
        }
        _ => Ok(()),
    }
}

fn control(node: &Node) -> Result<Control, Fault> {
    if let Value::Map(entries) = &node.value {
        return match entries.as_slice() {
            [(key, value)] => match key.text.as_str() {
                "capability" => capabilities::one(value).map(Control::Capability),
                "read_only" => path(value).map(Control::ReadOnlyMount),
                "volume" => path(value).map(Control::Volume),
                "sysctl" => sysctl::name(value).map(Control::Sysctl),
                "propagation" => path(value).map(Control::Propagation),
                "masked_path" => path(value).map(Control::MaskedPath),
                "readonly_path" => path(value).map(Control::ReadonlyPath),
                "limit" => resources::limit(value).map(Control::Limit),
                "group" => id_text(value.at, text(value)?).map(Control::Group),
                "file" => path(value).map(Control::File),
                "namespace" => namespace(value).map(Control::Namespace),
                other => Err(unknown(key.at, other)),
            },
            _ => Err(Fault::new(node.at, "one control has one key")
                .help("several that decide together are a list: `[seccomp, {capability: BPF}]`")),
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
        "rootless" => Ok(Control::Rootless),
        "runtime" => Ok(Control::Runtime),
        "system_paths" => Ok(Control::SystemPaths),
        "limit" => {
            Err(Fault::new(node.at, "which limit?").help("`{limit: pids}`, `{limit: memory}`, `{limit: nofile}`"))
        }
        "namespace" => {
            Err(Fault::new(node.at, "which namespace?").help("`{namespace: pid}`, ipc, network, uts, cgroup"))
        }
        other => Err(unknown(node.at, other)),
    }
}
