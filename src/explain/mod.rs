//! The way of a container as a story: what was asked for beyond the preset, the system calls that make it, in order, each with what
//! it protects, and what execve(2) makes of its capabilities. Nothing is run for it.

mod call;
mod capabilities;
mod change;
mod purpose;
mod range;
mod tree;

pub use call::Call;
pub use capabilities::{Bit, Transformation};
pub use change::Change;
pub use range::Range;

use std::time::Duration;

use caplab_init::wire::{Container as WireContainer, FixtureEntry, FixtureKind, Op, Program};

use crate::{
    build,
    engine::{ContainerJob, EngineError, Job, native},
    host::Machine,
    scenario::model::Case,
    spec::{self, Unresolvable},
};
use tree::{Made, Tree};

/// Why there is no story.
#[derive(Debug, thiserror::Error)]
pub enum Unexplainable {
    /// The case names something that is not there.
    #[error(transparent)]
    Unresolvable(#[from] Unresolvable),
    /// The native engine does not do what is asked for.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// The story of one container.
#[derive(Debug, Clone)]
pub struct Story {
    /// The container's name.
    pub name: String,
    /// What the engines are asked for.
    pub job: ContainerJob,
    /// What its preset gives, a line a subject.
    pub given: Vec<(&'static str, String)>,
    /// What of its image is not there, or of its Dockerfile is passed over, each a sentence.
    pub left_out: Vec<String>,
    /// What the author asked for beyond the preset.
    pub changes: Vec<Change>,
    /// From the fork to execve(2).
    pub operations: Vec<Operation>,
    /// uid_map and gid_map; empty where every id is the host's.
    pub uids: Vec<Range>,
    /// The same of groups.
    pub gids: Vec<Range>,
    /// What execve(2) makes of the capability sets.
    pub capabilities: Transformation,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// `birth`, `file system`, `process`, `execve`.
    pub stage: &'static str,
    /// Who makes the calls: the launcher, else the new process itself.
    pub by_launcher: bool,
    /// The calls, in order; none where nothing is to be done on this machine.
    pub calls: Vec<Call>,
    /// What it protects or is for.
    pub purpose: String,
}

/// The stories of a case's containers.
///
/// # Errors
/// Where a container cannot be made as it is asked for.
pub fn stories(case: &Case, machine: &Machine) -> Result<Vec<Story>, Unexplainable> {
    let prepared = build::prepared(case, machine)?;
    let case = prepared.as_ref();
    let job = spec::job(case, machine, Duration::from_secs(10))?;
    let plan = native::plan(&job)?;
    let stories = case.containers.iter().zip(&job.containers).zip(&plan.containers);
    stories
        .map(|((asked, one), planned)| {
            let plain = change::default(asked.preset, &one.name, machine)?;
            Ok(Story {
                name: one.name.clone(),
                given: change::given(&plain),
                left_out: one.root.image.as_ref().map(|image| image.left_out.clone()).unwrap_or_default(),
                changes: change::all(&plain, one),
                operations: operations(&job, planned, machine),
                uids: range::all(&planned.uid_map),
                gids: range::all(&planned.gid_map),
                capabilities: capabilities::transformation(one),
                job: one.clone(),
            })
        })
        .collect()
}

fn operations(job: &Job, container: &WireContainer, machine: &Machine) -> Vec<Operation> {
    let mut operations = birth(container);
    let mut tree = Tree::new(|path| is_directory(&job.fixture, path));
    // The first process of a user namespace has every capability there is, in its bounding set too (kernel/user_namespace.c,
    // set_cred_user_ns), also where the machine's own root lacks some.
    let born_with = if container.uid_map.is_empty() { machine.bounding } else { machine.kernel_capabilities };
    let mut add = |stage, op: &Op, tree: &mut Tree<'_>| {
        if let Op::Image { .. } = op {
            let image =
                job.containers.iter().find(|one| one.name == container.name).and_then(|one| one.root.image.as_ref());
            image
                .into_iter()
                .flat_map(|image| image.tree.iter())
                .for_each(|(path, _)| tree.make(&format!("/{path}"), Made::Unknown));
        }
        let calls = call::of(op, tree, born_with);
        let purpose = if calls.is_empty() { purpose::needless(op) } else { purpose::of(op) };
        operations.push(Operation { stage, by_launcher: false, calls, purpose });
    };
    for op in &container.setup {
        add("file system", op, &mut tree);
    }
    for op in &container.init.ops {
        add("process", op, &mut tree);
    }
    operations.push(Operation {
        stage: "execve",
        by_launcher: false,
        calls: vec![call::execute(&container.init.program)],
        purpose: match container.init.program {
            Program::Command(_) => "The command takes the process's place. Here, and not before, the kernel makes its capability sets what they are from now on.".to_owned(),
            Program::Init(_) => "The helper takes the process's place and is the container's init: it waits for everybody who is orphaned there and hands signals on. Here, and not before, the kernel makes its capability sets what they are from now on.".to_owned(),
            _ => "Nobody named a command: the helper waits, and reaps as pid 1 must. Here, and not before, the kernel makes its capability sets what they are from now on.".to_owned(),
        },
    });
    if let Program::Init(command) = &container.init.program {
        operations.push(Operation {
            stage: "execve",
            by_launcher: false,
            calls: call::begin(command),
            purpose: "The command is the init's child; how it ends, the container ends. This execve too changes capability sets as the kernel does for any program.".to_owned(),
        });
    }
    operations
}

/// Everything before the setup.
fn birth(container: &WireContainer) -> Vec<Operation> {
    let mut operations = Vec::new();
    let mut add = |by_launcher, calls, purpose: String| {
        operations.push(Operation { stage: "birth", by_launcher, calls, purpose });
    };
    if container.devices.is_some() {
        add(true, call::devices(), "The device list: a program that the kernel asks at every mknod and open of a device by a process of this control group.".to_owned());
    }
    if !container.limits.is_empty() {
        add(
            true,
            call::limits(&container.limits),
            "Control groups with its limits: the kernel counts there what all of its processes have together."
                .to_owned(),
        );
    }
    add(true, vec![call::clone(container)], purpose::namespaces(container.namespaces));
    let joined = call::join(&container.limits);
    if !joined.is_empty() {
        add(false, joined, "Before anything else into its groups, so that whatever it becomes is counted.".to_owned());
    }
    if !container.uid_map.is_empty() {
        add(true, call::maps(container), "Says which ids of the host the ids inside are. Only a process outside, with CAP_SETUID there, may map ids that are not its own.".to_owned());
        add(false, call::become_root(), "Becomes root of the new user namespace, so that what is mounted belongs to it; that root is an ordinary user to the host.".to_owned());
    }
    let last = container.unshared();
    if last != 0 {
        let reasons = [
            (WireContainer::IPC, "with an IPC namespace comes its /dev/mqueue, which belongs to whoever made it"),
            (WireContainer::CGROUP, "the root of a cgroup namespace is the group that its maker is in"),
        ];
        let reasons: Vec<&str> =
            reasons.into_iter().filter(|(flag, _)| last & flag != 0).map(|(_, reason)| reason).collect();
        add(false, vec![call::unshare(last)], format!("Only now, for {}.", reasons.join(", and ")));
    }
    add(false, vec![call::umask(0)], "What is made from here on has exactly the mode that is asked for.".to_owned());
    if let Program::Command(_) | Program::Init(_) = container.init.program {
        add(false, vec![call::trace_me()], "Stops at execve until the launcher has looked at it: what is reported of the container is what it was born with.".to_owned());
    }
    operations
}

fn is_directory(fixture: &[FixtureEntry], path: &str) -> bool {
    path == "/" || fixture.iter().any(|entry| entry.path == path && matches!(entry.kind, FixtureKind::Dir))
}
