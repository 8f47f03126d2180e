//! Presets: whose defaults a container starts from. Each is a table of facts with its source; docs/presets.md has
//! them for a reader.

mod bare;
mod docker;
mod kubernetes;
mod podman;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use super::seccomp::BuiltIn;
use crate::{capability::CapSet, scenario::model::Preset};

/// What an engine gives a container that asks for nothing.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Capabilities; `None` is every one that the machine's root has.
    pub(crate) capabilities: Option<CapSet>,
    /// What the inheritable set holds.
    pub(crate) inheritable: Inheritable,
    /// What becomes of the sets of a user other than root.
    pub(crate) users: UserCapabilities,
    /// Supplementary groups.
    pub(crate) groups: Groups,
    /// A user without an entry in /etc/passwd is given one.
    pub(crate) names_unknown_user: bool,
    /// HOME is that of the name that was asked for; else it is that of the first account of the user's number.
    pub(crate) home_of_name: bool,
    /// What a WORKDIR of a Dockerfile makes belongs to the USER before it.
    pub(crate) workdir_is_users: bool,
    /// File systems, in the order they are mounted.
    pub(crate) mounts: &'static [MountFact],
    /// Options that a `tmpfs` of the author's has beside his own, `tmpcopyup` among them where the runtime copies what it covers.
    pub(crate) tmpfs: &'static [&'static str],
    /// Where a container with a read-only root still has a tmpfs, of these options.
    pub(crate) read_only_tmpfs: &'static [&'static str],
    /// linux.readonlyPaths.
    pub(crate) readonly_paths: &'static [&'static str],
    /// linux.maskedPaths.
    pub(crate) masked_paths: &'static [&'static str],
    /// linux.sysctl.
    pub(crate) sysctls: &'static [(&'static str, &'static str)],
    /// Environment beyond PATH, HOSTNAME and HOME.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// The device list, on top of what every runtime allows.
    pub(crate) devices: &'static [DeviceRule],
    /// Processes at once (linux.resources.pids); `None` is no limit.
    pub(crate) pids_limit: Option<u64>,
    /// The seccomp profile.
    pub(crate) seccomp: Option<&'static BuiltIn>,
    /// A cgroup namespace of its own also where cgroups are v1.
    pub(crate) always_cgroup_namespace: bool,
}

/// What the inheritable set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inheritable {
    /// Nothing.
    Empty,
    /// What the permitted set holds.
    Full,
}

/// What becomes of the sets of a user other than root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserCapabilities {
    /// The bounding set stays, the rest is empty.
    BoundingOnly,
    /// What `cap_add` names, ambient; `exec` as another user than the container's gets none.
    AddedAmbient,
}

/// Which supplementary groups a process has, beyond `group_add`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Groups {
    /// Its primary group and those /etc/group lists it in.
    PrimaryAndMemberships,
    /// podman's: the container's own process has the primary group of a user who is named; one that is executed has the groups that
    /// list its user, and `group_add` where it is the container's own user (libpod, container_internal_linux.go and
    /// oci_conmon_exec_common.go prepareProcessExec; measured).
    PrimaryOfNamedUser,
    /// None.
    None,
}

/// The list of a privileged container (moby, oci/devices_linux.go; measured in config.json).
pub(crate) const ALL_DEVICES: &[DeviceRule] = &[DeviceRule::EVERYTHING];

/// A line of a device list, in the words of the v1 controller: `c 1:3 rwm`.
#[derive(Debug)]
pub(crate) struct DeviceRule {
    /// Allowed or denied.
    pub(crate) allow: bool,
    /// A character device of these numbers; `None` is every device.
    pub(crate) character: Option<(i64, i64)>,
}

impl DeviceRule {
    /// Every device.
    pub(crate) const EVERYTHING: Self = Self { allow: true, character: None };

    /// Nothing at all.
    pub(crate) const NOTHING: Self = Self { allow: false, character: None };

    /// A character device, to be made, read and written.
    pub(crate) const fn allow(major: i64, minor: i64) -> Self {
        Self { allow: true, character: Some((major, minor)) }
    }

    /// In the runtime-spec's words.
    pub(crate) fn in_spec(&self) -> LinuxDeviceCgroup {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(self.allow).set_access(Some("rwm".to_owned()));
        if let Some((major, minor)) = self.character {
            rule.set_typ(Some(LinuxDeviceType::C)).set_major(Some(major)).set_minor(Some(minor));
        }
        rule
    }
}

/// A file system.
#[derive(Debug)]
pub(crate) struct MountFact {
    /// Where.
    pub(crate) target: &'static str,
    /// Type.
    pub(crate) fstype: &'static str,
    /// Source, as mountinfo shows it.
    pub(crate) source: &'static str,
    /// Options, mount(8)'s words.
    pub(crate) options: &'static [&'static str],
}

/// The facts of a preset.
pub(crate) fn facts(preset: Preset) -> &'static Facts {
    match preset {
        Preset::Docker => &docker::DOCKER,
        Preset::Docker20_10_13 => &docker::DOCKER_20_10_13,
        Preset::Podman => &podman::PODMAN,
        Preset::Kubernetes => &kubernetes::KUBERNETES,
        Preset::Bare => &bare::BARE,
    }
}
