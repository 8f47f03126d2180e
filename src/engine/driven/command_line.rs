//! A container and a step as docker's and podman's flags.

use std::{fs, path::Path};

use caplab_init::wire::{IdMap, runtime::HELPER};
use oci_spec::runtime::Spec;

use crate::{
    engine::{ContainerJob, FIXTURE_ROOT, OWN_ROOT},
    host::device,
    image::Config,
    scenario::{
        model::{CapList, CgroupNamespace, Container, IdOrName, OwnIpc, Owner, Preset, Sharing, User},
        resources::{limit_text, processors},
    },
};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// docker.
    Docker,
    /// podman.
    Podman,
}

impl Dialect {
    /// How `rm` is told not to wait for what it kills (podman gives ten seconds, docker none), and to take a container whose
    /// namespaces another one still has.
    pub(super) fn hurry(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &[],
            Self::Podman => &["--time=0", "--depend"],
        }
    }
}

/// What of a run's folder is on the machine.
pub(super) struct Files<'a> {
    /// The fixture host.
    pub(super) fixture: &'a Path,
    /// The helper.
    pub(super) helper: &'a Path,
    /// The seccomp profile, where the engine's own is not that.
    pub(super) seccomp: Option<&'a Path>,
    /// podman's init: it looks in one place for what distributions have in several.
    pub(super) init: Option<&'a Path>,
    /// What the engine calls a container of the scenario.
    pub(super) name: &'a dyn Fn(&str) -> String,
}

/// Everything after `run --detach …` and before the image. What that says of itself, `said`, needs no flag.
pub(super) fn create(dialect: Dialect, job: &ContainerJob, files: &Files<'_>, said: &Config) -> Vec<String> {
    let container = &job.asked;
    let mut flags = Flags(Vec::new());
    // HEALTHCHECK is passed over: what it executes would be one process more.
    flags.on(container.image.as_ref().is_some_and(|image| image.build().is_some()), "--no-healthcheck");
    namespaces(dialect, job, files, &mut flags);
    flags.on(container.privileged, "--privileged");
    flags.on(container.init, "--init");
    if let (true, Dialect::Podman, Some(init)) = (container.init, dialect, files.init) {
        flags.add("--init-path", &init.to_string_lossy());
    }
    capabilities(container, &mut flags);
    if let Some(user) = container.user.as_ref().filter(|user| said.user.as_ref() != Some(user)) {
        flags.add("--user", &user.to_string());
    }
    for group in &container.group_add {
        flags.add("--group-add", &group.to_string());
    }
    for (flag, map) in [("--uidmap", &container.uidmap), ("--gidmap", &container.gidmap)] {
        for IdMap { inside, outside, count } in map {
            flags.add(flag, &format!("{inside}:{outside}:{count}"));
        }
    }
    flags.on(container.read_only, "--read-only");
    flags.on(container.no_new_privs, "--security-opt=no-new-privileges");
    if container.seccomp_unconfined {
        flags.add("--security-opt", "seccomp=unconfined");
    } else if let Some(profile) = files.seccomp {
        flags.add("--security-opt", &format!("seccomp={}", profile.display()));
    }
    let paths = &container.system_paths;
    flags.on(paths.unconfined, "--security-opt=systempaths=unconfined");
    for (option, list) in [("mask", &paths.mask), ("unmask", &paths.unmask)] {
        if !list.is_empty() {
            flags.add("--security-opt", &format!("{option}={}", list.join(":")));
        }
    }
    for device in &container.devices {
        flags.add(
            "--device",
            &format!(
                "{}:{}:{}",
                device.source,
                device.target,
                device::access(device, &crate::scenario::model::Host::default())
            ),
        );
    }
    for rule in &container.device_cgroup_rules {
        flags.add("--device-cgroup-rule", &rule.to_string());
    }
    if let Some(bytes) = container.shm_size {
        flags.add("--shm-size", &bytes.to_string());
    }
    for (name, value) in &container.sysctls {
        flags.add("--sysctl", &format!("{name}={value}"));
    }
    mounts(dialect, job, files, &mut flags);
    for (name, value) in container.environment.iter().filter(|own| !said.environment.contains(own)) {
        flags.add("--env", &format!("{name}={value}"));
    }
    if let Some(dir) = container.working_dir.as_ref().filter(|dir| said.working_dir.as_ref() != Some(dir)) {
        flags.add("--workdir", dir);
    }
    for ulimit in &container.ulimits {
        flags.add("--ulimit", &format!("{}={}:{}", ulimit.name, limit_text(ulimit.soft), limit_text(ulimit.hard)));
    }
    if container.rootless.is_some() {
        // Without a session of his own a user may make no control group.
        flags.add("--cgroups", "disabled");
    } else {
        limits(dialect, container, &mut flags);
    }
    if dialect == Dialect::Podman {
        podman(job, &mut flags);
    }
    flags.0
}

/// A flag before the image and words behind it that make it execute this argv.
pub(super) fn executed(argv: Vec<String>, said: &Config) -> (Option<String>, Vec<String>) {
    let Config { entrypoint, command, .. } = said;
    match argv.strip_prefix(entrypoint.as_slice()) {
        Some(rest) if rest == command => (None, Vec::new()),
        Some(rest) if !rest.is_empty() => (None, rest.to_vec()),
        // The image's command goes with its entry point.
        _ => match argv.split_first() {
            Some((first, rest)) => (Some(format!("--entrypoint={first}")), rest.to_vec()),
            None => (None, argv),
        },
    }
}

/// Limits of control groups.
fn limits(dialect: Dialect, container: &Container, flags: &mut Flags) {
    let asked = &container.resources;
    // podman gives 2048 where nobody says otherwise, which is its own preset's default and no other's.
    let none = (dialect == Dialect::Podman && container.preset != Preset::Podman).then_some(u64::MAX);
    if let Some(pids) = asked.pids.or(none) {
        flags.add("--pids-limit", &limit_text(pids));
    }
    for (flag, bytes) in [("--memory", asked.memory), ("--memory-swap", asked.memory_swap)] {
        if let Some(bytes) = bytes {
            flags.add(flag, &limit_text(bytes));
        }
    }
    if let Some(billionths) = asked.nano_cpus {
        flags.add("--cpus", &processors(billionths));
    }
}

/// Whose namespaces it is in.
fn namespaces(dialect: Dialect, job: &ContainerJob, files: &Files<'_>, flags: &mut Flags) {
    let Sharing { pid, ipc, network, uts, own_ipc, cgroup, .. } = &job.asked.sharing;
    let shared = |owner: &Owner| match owner {
        Owner::Own => None,
        Owner::Host => Some("host".to_owned()),
        Owner::Container(name) => Some(format!("container:{}", (files.name)(name))),
    };
    // No scenario speaks to anybody: the native engine has loopback only, and so has this.
    flags.add("--network", shared(network).as_deref().unwrap_or("none"));
    // docker refuses a name beside another's network: it gives that one's.
    let named = !(dialect == Dialect::Docker && matches!(network, Owner::Container(_)));
    if let Some(name) = job.spec.hostname().as_deref().filter(|_| named) {
        flags.add("--hostname", name);
    }
    for (flag, owner) in [("--pid", pid), ("--ipc", ipc), ("--uts", uts)] {
        if let Some(words) = shared(owner) {
            flags.add(flag, &words);
        }
    }
    match own_ipc {
        OwnIpc::Default => {}
        OwnIpc::Private => flags.add("--ipc", "private"),
        OwnIpc::Shareable => flags.add("--ipc", "shareable"),
        OwnIpc::None => flags.add("--ipc", "none"),
    }
    match cgroup {
        Some(CgroupNamespace::Private) => flags.add("--cgroupns", "private"),
        Some(CgroupNamespace::Host) => flags.add("--cgroupns", "host"),
        None => {}
    }
}

/// What only podman needs to be told.
fn podman(job: &ContainerJob, flags: &mut Flags) {
    let container = &job.asked;
    // It gives 1048576 of both where nobody says otherwise, and fails without CAP_SYS_RESOURCE. Of processes it takes itself no
    // more than the machine has ids for.
    use rustix::process::{Resource, getrlimit};
    let ids = fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse().ok());
    let default = 1 << 20;
    for (name, resource, least) in
        [("nofile", Resource::Nofile, default), ("nproc", Resource::Nproc, ids.unwrap_or(default))]
    {
        let most = getrlimit(resource).maximum.unwrap_or(default).min(least);
        if most < default && !container.ulimits.iter().any(|own| own.name == name) {
            flags.add("--ulimit", &format!("{name}={most}:{most}"));
        }
    }
    if container.preset != Preset::Docker {
        return;
    }
    // What makes podman 4.3's defaults docker's; the capabilities are in containers.conf. /dev without noexec it cannot make.
    if container.sharing.ipc == Owner::Own && container.sharing.own_ipc != OwnIpc::None && container.shm_size.is_none()
    {
        flags.add("--shm-size", "65536k");
    }
    flags.add("--read-only-tmpfs", "false");
    flags.on(true, "--unsetenv=TERM");
    flags.on(true, "--unsetenv=container");
    flags.on(true, "--passwd=false");
    if !container.privileged && !container.system_paths.unconfined {
        flags.add("--security-opt", "mask=/proc/asound");
        flags.add("--security-opt", "unmask=/sys/fs/selinux:/sys/dev/block");
    }
    // docker's processes have the primary group among the supplementary ones, what podman executes has only those that were added.
    let groups = job.spec.process().as_ref().and_then(|process| process.user().additional_gids().clone());
    for group in groups.iter().flatten() {
        if !container.group_add.contains(&IdOrName::Id(*group)) {
            flags.add("--group-add", &group.to_string());
        }
    }
    let linux = job.spec.linux().clone().unwrap_or_default();
    let mut sysctls: Vec<_> = linux.sysctl().iter().flatten().collect();
    sysctls.sort();
    for (name, value) in sysctls {
        flags.add("--sysctl", &format!("{name}={value}"));
    }
}

fn capabilities(container: &Container, flags: &mut Flags) {
    let list = |list: &CapList, flag: &'static str, flags: &mut Flags| {
        if list.all {
            flags.add(flag, "ALL");
        }
        for name in list.named.names() {
            flags.add(flag, &name);
        }
    };
    list(&container.cap_add, "--cap-add", flags);
    list(&container.cap_drop, "--cap-drop", flags);
}

fn mounts(dialect: Dialect, job: &ContainerJob, files: &Files<'_>, flags: &mut Flags) {
    let asked = &job.asked;
    for mount in job.spec.mounts().iter().flatten() {
        let target = mount.destination().to_string_lossy();
        let source = mount.source().as_ref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let options = mount.options().as_deref().unwrap_or_default();
        let read_only = options.iter().any(|word| word == "ro");
        match mount.typ().as_deref() {
            // What came with an IPC namespace the engine brings itself.
            Some("bind") if target == "/dev/shm" && !asked.volumes.iter().any(|own| own.target == target) => {}
            // podman's own.
            Some("bind") if source.starts_with(OWN_ROOT) => {}
            Some("bind") => {
                let source = match source.strip_prefix(FIXTURE_ROOT) {
                    Some(inside) => format!("{}{inside}", files.fixture.display()),
                    None => source,
                };
                flags.add("--mount", &bind(&source, &target, read_only));
            }
            Some("tmpfs") if asked.tmpfs.iter().any(|own| own.target == target) => {
                let options = match dialect {
                    // docker completes what its user writes.
                    Dialect::Docker => asked.tmpfs.iter().find(|own| own.target == target).map(|own| &own.options[..]),
                    Dialect::Podman => Some(options),
                };
                let mut options = options.unwrap_or_default().join(",");
                if dialect == Dialect::Podman && asked.preset == Preset::Docker {
                    // podman copies what the image has there into it.
                    options.push_str(if options.is_empty() { "notmpcopyup" } else { ",notmpcopyup" });
                }
                flags.add("--tmpfs", &format!("{target}:{options}"));
            }
            // The preset's own.
            _ => {}
        }
    }
    flags.add("--mount", &bind(&files.helper.to_string_lossy(), HELPER, true));
}

/// `--mount` takes a line of comma-separated values, which are quoted as RFC 4180 says.
pub(super) fn bind(source: &str, target: &str, read_only: bool) -> String {
    let quoted = |field: String| {
        if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    };
    let mut fields = vec!["type=bind".to_owned(), format!("source={source}"), format!("target={target}")];
    if read_only {
        fields.push("readonly".to_owned());
    }
    fields.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// Flags of `exec` for a step.
pub(super) fn exec(as_user: Option<&User>) -> Vec<String> {
    let mut flags = Flags(vec!["exec".to_owned()]);
    if let Some(user) = as_user {
        flags.add("--user", &user.to_string());
    }
    flags.0
}

/// A containers.conf that makes podman's default capabilities those of the Spec's preset.
pub(super) fn containers_conf(spec: &Spec, added: &[String]) -> Option<String> {
    let sets = spec.process().as_ref()?.capabilities().as_ref()?;
    let names: Vec<String> = sets
        .bounding()
        .iter()
        .flatten()
        .map(|capability| format!("CAP_{capability}"))
        .filter(|name| !added.contains(name))
        .map(|name| format!("\"{name}\""))
        .collect();
    Some(format!("[containers]\ndefault_capabilities = [{}]\n", names.join(", ")))
}

/// Flags as they are collected.
struct Flags(Vec<String>);

impl Flags {
    fn add(&mut self, flag: &str, value: &str) {
        self.0.push(format!("{flag}={value}"));
    }

    fn on(&mut self, wanted: bool, flag: &str) {
        if wanted {
            self.0.push(flag.to_owned());
        }
    }
}
