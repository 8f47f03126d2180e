//! What an engine is known to do otherwise, each a row of docs/fidelity.md under the same name. Nothing else may differ.

mod build;
mod tmpfs;

use std::path::Path;

use caplab_init::wire::{IdMap, OpenMode, Probe};

use crate::{
    engine::{ContainerJob, ContainerState, Facts, Job, Kind, Observation, StepJobKind},
    observe::{Namespace, ProcessFacts},
    result::Skip,
    scenario::{
        image::{FromImage, Instruction},
        model::{Action, Case, Container, IdOrName, Owner, Preset, Propagation, Step, User, Volume, VolumeSource},
    },
    spec,
};

use build::{has_other_shell, has_workdir_of_user, is_told_by_name, lacks_its_working_directory};
use tmpfs::{copied_open, opened, sees_mode};

/// A difference that is known.
struct Difference {
    /// Its name in docs/fidelity.md.
    name: &'static str,
    /// Whose it is.
    engines: &'static [Kind],
    /// Why, in a line.
    reason: &'static str,
    /// What is done about it.
    remedy: Remedy,
}

/// What is done about a difference.
enum Remedy {
    /// A case that would see it says nothing about this engine.
    Skip(fn(&Case) -> bool),
    /// A fact that no outcome depends on is told as the preset has it.
    Tell(fn(&ContainerJob, Seen<'_>)),
}

/// A process that was looked at.
struct Seen<'a> {
    facts: &'a mut ProcessFacts,
    /// The groups that it was asked to have, where it was executed as another user than the container's.
    asked_groups: Option<&'a [u32]>,
}

const DRIVEN: &[Kind] = &[Kind::Crun, Kind::Runc, Kind::Podman, Kind::Docker];

const KNOWN: [Difference; 28] = [
    Difference {
        name: "exec-nofile",
        engines: &[Kind::Runc, Kind::Podman, Kind::Docker],
        reason: "runc built with Go 1.19 may raise the soft limit of open files of what it executes to the hard one",
        remedy: Remedy::Skip(|case| {
            case.steps.iter().any(|step| match &step.action {
                Action::Inspect(facts) => {
                    facts.limits.iter().any(|limit| limit.name == "nofile" && limit.soft != limit.hard)
                }
                _ => false,
            })
        }),
    },
    Difference {
        name: "calls-before-the-program",
        engines: DRIVEN,
        reason: "the profile refuses a call that one runtime makes under it before the program, another before it, and the third not at all",
        remedy: Remedy::Skip(|case| {
            let refused = |one: &Container| {
                let profile = one.seccomp_profile.as_ref().filter(|_| one.has_seccomp());
                profile.map_or(0, |file| UNDER_THE_FILTER.iter().filter(|call| file.profile.refuses(call)).count())
            };
            // Where all are refused none comes to run.
            case.containers.iter().any(|one| (1..UNDER_THE_FILTER.len()).contains(&refused(one)))
        }),
    },
    Difference {
        name: "short-nofile",
        engines: DRIVEN,
        reason: "runtimes set the limit of open files before they have opened what they need, and refuse a small one",
        remedy: Remedy::Skip(|case| case.containers.iter().any(|one| has_less(one, "nofile", OPEN_FILES))),
    },
    Difference {
        name: "few-pids",
        engines: &[Kind::Runc, Kind::Podman, Kind::Docker],
        reason: "runc is several threads while it executes something in a container, which count against a limit of processes",
        remedy: Remedy::Skip(|case| {
            let has_few = |one: &Container| one.resources.pids.is_some_and(|pids| pids < PROCESSES);
            case.containers.iter().any(|one| has_few(one) || has_less(one, "nproc", PROCESSES))
        }),
    },
    Difference {
        name: "copy-up-fsize",
        engines: &[Kind::Podman, Kind::Docker],
        reason: "on an overlay who changes a file of the image copies it first, under his own limit of file size, and is killed",
        remedy: Remedy::Skip(|case| {
            let is_limited = |step: &Step| has_less(&case.containers[step.within], "fsize", LONG_FILE);
            case.steps.iter().any(|step| changes_a_file(step) && is_limited(step))
        }),
    },
    Difference {
        name: "accounts-of-a-volume",
        engines: &[Kind::Podman, Kind::Docker],
        reason: "podman looks users and groups up in what is mounted over /etc/passwd and /etc/group, docker a home; the others in the image",
        remedy: Remedy::Skip(|case| {
            let over = |target: &String| ["/etc", "/etc/passwd", "/etc/group"].contains(&target.as_str());
            let named = |index: usize, one: &Container| {
                let mut own = case.steps.iter().filter(|step| step.within == index);
                one.user.is_some()
                    || !one.group_add.is_empty()
                    || own.any(|step| step.as_user.is_some() || matches!(step.action, Action::Run { .. }))
            };
            case.containers.iter().enumerate().any(|(index, one)| one.targets().any(over) && named(index, one))
        }),
    },
    Difference {
        name: "mount-or-bind",
        engines: &[Kind::Crun],
        reason: "where the kernel refuses a new /proc or /dev/mqueue crun binds the host's own, and makes the container",
        remedy: Remedy::Skip(|case| {
            case.containers.iter().any(|one| {
                let shares = |which| matches!(one.sharing.owner(which), Owner::Container(_));
                !(one.uidmap.is_empty() && one.gidmap.is_empty()) && (shares(Namespace::Pid) || shares(Namespace::Ipc))
            })
        }),
    },
    Difference {
        name: "bind-options",
        engines: &[Kind::Crun],
        reason: "in a user namespace crun forgets nosuid, nodev and noexec of a bind that is not read-only, such as a shared /dev/shm",
        remedy: Remedy::Skip(|case| {
            let mapped = case.containers.iter().filter(|one| one.has_user_namespace());
            mapped.into_iter().any(|owner| {
                let name = Owner::Container(owner.name.clone());
                case.containers.iter().any(|one| *one.sharing.owner(Namespace::Ipc) == name)
            })
        }),
    },
    Difference {
        name: "mapped-device",
        engines: &[Kind::Crun],
        reason: "in a user namespace crun makes an asked device itself, as the container's root's, and binds no node of the machine",
        remedy: Remedy::Skip(|case| {
            case.steps.iter().any(|step| {
                let container = &case.containers[step.within];
                container.has_user_namespace() && container.devices.iter().any(|one| looks_at(step, &one.target))
            })
        }),
    },
    Difference {
        name: "peer-in-a-map",
        engines: &[Kind::Crun],
        reason: "crun opens a volume outside of the user namespace, so that a shared one stays the host's peer in it",
        remedy: Remedy::Skip(|case| {
            let shared = |one: &Volume| matches!(one.propagation, Some(Propagation::Shared | Propagation::Rshared));
            case.containers.iter().any(|one| one.has_user_namespace() && one.volumes.iter().any(shared))
        }),
    },
    Difference {
        name: "bind-not-recursive",
        engines: &[Kind::Crun],
        reason: "in a user namespace crun binds a volume without what is mounted below its source",
        remedy: Remedy::Skip(|case| {
            let Some(disk) = &case.host.disk else { return false };
            let mut mapped = case.containers.iter().filter(|one| one.has_user_namespace());
            mapped.any(|one| one.volumes.iter().any(|volume| is_above(&volume.source, &disk.at)))
        }),
    },
    Difference {
        name: "short-fsize",
        engines: &[Kind::Crun],
        reason: "crun sets the container's limit of file size on itself, and then its own files do not fit: it refuses",
        remedy: Remedy::Skip(|case| case.containers.iter().any(|one| has_less(one, "fsize", LONGEST_FILTER))),
    },
    Difference {
        name: "ids-of-31-bits",
        engines: &[Kind::Runc, Kind::Podman, Kind::Docker],
        reason: "runc refuses a user or group above 2147483647, which the kernel takes",
        remedy: Remedy::Skip(|case| {
            let is_high = |id: &IdOrName| matches!(id, IdOrName::Id(id) if i32::try_from(*id).is_err());
            let has_high = |user: &User| is_high(&user.user) || user.group.as_ref().is_some_and(is_high);
            let mut own = case.containers.iter();
            let mut others = case.steps.iter().filter_map(|step| step.as_user.as_ref());
            own.any(|one| one.user.as_ref().is_some_and(has_high) || one.group_add.iter().any(is_high))
                || others.any(has_high)
        }),
    },
    Difference {
        name: "init-is-a-file",
        engines: &[Kind::Podman, Kind::Docker],
        reason: "its init is a file of the container, which a user must reach through the directories of the image",
        remedy: Remedy::Skip(|case| {
            case.containers.iter().any(|one| one.init && one.image.is_some() && one.may_be_a_user())
        }),
    },
    Difference {
        name: "tmpfs-default-mode",
        engines: &[Kind::Crun],
        reason: "crun leaves a tmpfs of which nobody says the mode everybody's (1777), whatever directory it covers",
        remedy: Remedy::Skip(|case| {
            let sees = |step: &Step| {
                let container = &case.containers[step.within];
                opened(container).into_iter().any(|place| sees_mode(step, container, place))
            };
            case.steps.iter().any(sees)
        }),
    },
    Difference {
        name: "tmpfs-copied-mode",
        engines: &[Kind::Runc, Kind::Podman],
        reason: "runc before 1.1.10 copies a directory into a tmpfs (tmpcopyup) with what its umask leaves of the mode",
        remedy: Remedy::Skip(|case| {
            case.steps.iter().any(|step| {
                let container = &case.containers[step.within];
                copied_open(container).iter().any(|place| sees_mode(step, container, place))
            })
        }),
    },
    Difference {
        name: "tmpfs-asked-mode",
        engines: &[Kind::Runc, Kind::Podman, Kind::Docker],
        reason: "runc 1.1 lays the mode of the directory that a tmpfs covers over the one that was asked for",
        remedy: Remedy::Skip(|case| {
            let mut tmpfs = case.containers.iter().flat_map(|one| &one.tmpfs);
            tmpfs.any(|one| one.options.iter().any(|word| word.starts_with("mode=")))
        }),
    },
    Difference {
        name: "map-in-pieces",
        engines: &[Kind::Podman],
        reason: "podman 4.3 fails to mount the root of a container whose id map has lines that do not follow each other",
        remedy: Remedy::Skip(|case| case.containers.iter().any(|one| in_pieces(&one.uidmap) || in_pieces(&one.gidmap))),
    },
    Difference {
        name: "privileged-binds",
        engines: &[Kind::Podman],
        reason: "in a user namespace podman binds every device of the machine into a privileged container, and they are mounts of it",
        remedy: Remedy::Skip(|case| case.containers.iter().any(|one| one.has_user_namespace() && one.privileged)),
    },
    Difference {
        name: "dev-noexec",
        engines: &[Kind::Podman],
        reason: "podman mounts /dev noexec, and no flag of it changes that",
        remedy: Remedy::Tell(|job, seen| {
            let dev = seen.facts.mounts.iter_mut().filter(|mount| mount.target == "/dev" && mount.fstype == "tmpfs");
            if job.asked.preset == Preset::Docker {
                dev.for_each(|mount| mount.options.retain(|word| word != "noexec"));
            }
        }),
    },
    Difference {
        name: "exec-groups",
        engines: &[Kind::Podman],
        reason: "podman exec -u gives no supplementary groups, docker exec -u the primary one, which opens nothing more",
        remedy: Remedy::Tell(|job, seen| {
            if let (Preset::Docker, Some(asked), []) = (job.asked.preset, seen.asked_groups, &seen.facts.groups[..])
                && asked == [seen.facts.gid]
            {
                seen.facts.groups = asked.to_vec();
            }
        }),
    },
    Difference {
        name: "exec-added-groups",
        engines: &[Kind::Podman],
        reason: "podman exec -u gives none of the groups of `group_add`, docker exec -u all of them",
        remedy: Remedy::Skip(|case| {
            let adds = |one: &Container| one.preset == Preset::Docker && !one.group_add.is_empty();
            case.steps.iter().any(|step| step.as_user.is_some() && adds(&case.containers[step.within]))
        }),
    },
    Difference {
        name: "workdir-not-there",
        engines: &[Kind::Podman],
        reason: "podman refuses a working directory that the image it has built does not have, docker makes it",
        remedy: Remedy::Skip(|case| case.containers.iter().any(lacks_its_working_directory)),
    },
    Difference {
        name: "build-shell",
        engines: &[Kind::Podman],
        reason: "podman build gives a CMD or ENTRYPOINT that is a line /bin/sh -c, whatever SHELL says",
        remedy: Remedy::Skip(|case| {
            case.containers.iter().any(|one| one.image.as_ref().and_then(FromImage::build).is_some_and(has_other_shell))
        }),
    },
    Difference {
        name: "group-twice",
        engines: &[Kind::Podman, Kind::Docker],
        reason: "it does not find the name of a group in `group_add` behind the number or the name of the same one",
        remedy: Remedy::Skip(|case| case.containers.iter().any(spec::repeats_a_group)),
    },
    Difference {
        name: "workdir-owner",
        engines: &[Kind::Podman],
        reason: "podman build gives the USER of the lines before what a WORKDIR makes, docker build gives it root",
        remedy: Remedy::Skip(|case| {
            let builds = case.containers.iter().filter(|one| !spec::workdir_is_users(one.preset));
            builds.filter_map(|one| one.image.as_ref()?.build()).any(has_workdir_of_user)
        }),
    },
    Difference {
        name: "further-name",
        engines: &[Kind::Podman],
        reason: "podman looks a user's home up by his name, docker by his number, and who is 0 by another name than root has `cap_add` ambient",
        remedy: Remedy::Skip(|case| {
            let own = case.containers.iter().map(|one| (one, one.user.as_ref()));
            let others = case.steps.iter().map(|step| (&case.containers[step.within], step.as_user.as_ref()));
            own.chain(others).any(|(container, user)| is_told_by_name(container, user))
        }),
    },
    Difference {
        name: "copy-chmod",
        engines: &[Kind::Docker],
        reason: "docker's classic builder refuses `COPY --chmod`, which podman's and BuildKit take",
        remedy: Remedy::Skip(|case| {
            let builds = case.containers.iter().filter_map(|one| one.image.as_ref()?.build());
            let mut lines = builds.flat_map(|build| &build.dockerfile.lines);
            lines.any(|line| matches!(&line.what, Instruction::Copy(copy) if copy.mode.is_some()))
        }),
    },
];

/// Bytes of the longest file of crun's, a seccomp filter: `BPF_MAXINSNS` instructions of a `struct sock_filter` (linux/filter.h).
const LONGEST_FILTER: u64 = 4096 * 8;

/// Calls between a runtime's loading of the filter and execve(2), of runc 1.1.5, crun 1.8.1 or the native engine, that not all of them make
/// there: measured with a profile that refuses each alone.
const UNDER_THE_FILTER: [&str; 14] = [
    "capget",
    "chdir",
    "close",
    "getcwd",
    "getdents64",
    "mmap",
    "newfstatat",
    "openat",
    "rt_sigaction",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
];

/// Open files with which every runtime makes a container, with some to spare: crun fails at 16 and makes it at 24, runc at 8 and at 12.
const OPEN_FILES: u64 = 64;

/// Threads with which runc always gets along, with some to spare: it fails now and then at 4.
const PROCESSES: u64 = 16;

/// Files that a step may change are shorter.
const LONG_FILE: u64 = 1 << 20;

/// Whether a container's limit of this name is below this.
fn has_less(container: &Container, name: &str, than: u64) -> bool {
    container.ulimits.iter().any(|limit| limit.name == name && limit.soft < than)
}

/// Whether a probe opens a file for writing that is there, or changes whose it is or for whom.
fn changes_a_file(step: &Step) -> bool {
    let Action::Probe { probe, .. } = &step.action else { return false };
    match probe {
        Probe::Open { mode, .. } => !matches!(mode, OpenMode::Read | OpenMode::Create),
        Probe::Chown { .. } | Probe::Chmod { .. } => true,
        _ => false,
    }
}

/// Whether a step asks for what is at a place, or a command names it.
fn looks_at(step: &Step, place: &str) -> bool {
    match &step.action {
        Action::Run { argv, .. } => argv.iter().any(|word| word.contains(place)),
        Action::Probe {
            probe: Probe::Open { path, .. } | Probe::Chown { path, .. } | Probe::Chmod { path, .. },
            ..
        } => path == place,
        _ => false,
    }
}

/// Whether what is bound has a place of the fixture host below it.
fn is_above(source: &VolumeSource, place: &str) -> bool {
    match source {
        VolumeSource::Fixture(path) => path != place && Path::new(place).starts_with(path),
        VolumeSource::RealHost(_) => false,
    }
}

/// Whether a line of a map does not go on where the one before it ends, inside and outside (containers/storage, idtools
/// IsContiguous).
fn in_pieces(map: &[IdMap]) -> bool {
    map.windows(2).any(|lines| {
        let follows = |one: u32, next: u32| u64::from(one) + u64::from(lines[0].count) == u64::from(next);
        !(follows(lines[0].inside, lines[1].inside) && follows(lines[0].outside, lines[1].outside))
    })
}

fn of(engine: Kind) -> impl Iterator<Item = &'static Difference> {
    KNOWN.iter().filter(move |one| one.engines.contains(&engine))
}

/// Why a case says nothing about this engine; `None` where it does.
pub(super) fn known(engine: Kind, case: &Case) -> Option<Skip> {
    let found = of(engine).find(|one| matches!(one.remedy, Remedy::Skip(sees) if sees(case)))?;
    Some(Skip { reason: format!("{engine} differs here ({}): {}", found.name, found.reason), remedy: None })
}

/// Tells facts in which an engine is known to differ as the presets have them.
pub(super) fn tell(engine: Kind, job: &Job, seen: &mut Observation) {
    let rules: Vec<_> = of(engine)
        .filter_map(|one| match one.remedy {
            Remedy::Tell(tell) => Some(tell),
            Remedy::Skip(_) => None,
        })
        .collect();
    let tell = |container: &ContainerJob, facts: &mut ProcessFacts, asked_groups: Option<&[u32]>| {
        for rule in &rules {
            rule(container, Seen { facts, asked_groups });
        }
    };
    for (container, state) in job.containers.iter().zip(&mut seen.containers) {
        if let ContainerState::Running(facts) = state {
            tell(container, facts, None);
        }
    }
    for (step, seen) in job.steps.iter().zip(&mut seen.steps) {
        match (&step.kind, &mut seen.facts) {
            (StepJobKind::Exec { container, process, as_user, .. }, Some(Facts::Process(facts))) => {
                let groups = process.user().additional_gids().as_deref().filter(|_| as_user.is_some());
                tell(&job.containers[*container], facts, groups);
            }
            (StepJobKind::HostProcess { container }, Some(Facts::HostProcess(lineage))) => {
                if let Some(facts) = lineage.first_mut() {
                    tell(&job.containers[*container], facts, None);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn a_directory_that_is_copied_without_its_mode_counts_where_it_is_seen() {
        let said = |preset: &str, tmpfs: &str, step: &str| {
            let text = format!(
                "title: A claim\ncontainer: {{preset: {preset}, tmpfs: [{tmpfs}]}}\nsteps:\n  - {step}\n    as: \"1000\"\n    \
                 expect: allowed\n"
            );
            let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
            known(Kind::Runc, &scenario.cases[0]).map(|skip| skip.reason)
        };
        let (makes, reads) =
            ("probe: {open: {path: /var/tmp/new, mode: create}}", "probe: {open: {path: /var/lib, mode: read}}");
        assert!(said("podman", "/var", makes).is_some_and(|reason| reason.contains("(tmpfs-copied-mode)")));
        // Another tmpfs's own mode is that of what it covers, what is not looked at is no difference, and docker copies nothing.
        assert_eq!(said("podman", "/var/tmp", makes), None);
        assert_eq!(said("podman", "/var", reads), None);
        assert_eq!(said("docker", "/var", makes), None);
    }

    /// docker and podman take `[tty, "5"]`, and `["5", tty]` they do not: measured.
    #[test]
    fn a_group_that_is_named_behind_itself_is_not_found() {
        let said = |groups: &str| {
            let text =
                format!("title: A claim\ncontainer: {{group_add: [{groups}]}}\nsteps:\n  - inspect: {{uid: 0}}\n");
            let scenario = scenario::load("test", Path::new("test.yaml"), &text).expect("valid");
            [Kind::Docker, Kind::Podman, Kind::Runc].map(|engine| known(engine, &scenario.cases[0]).is_some())
        };
        assert_eq!(said("\"5\", tty"), [true, true, false]);
        assert_eq!(said("tty, \"5\""), [false; 3]);
        assert_eq!(said("\"5\", daemon"), [false; 3]);
    }
}
