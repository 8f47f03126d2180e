//! Whose namespaces a container is in: Compose's `pid`, `ipc`, `network_mode`, `uts` and `cgroup`.

use caplab_init::wire::Namespace;

/// Whose each of the namespaces is that can be shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sharing {
    /// docker's `--pid`.
    pub pid: Owner,
    /// docker's `--ipc`.
    pub ipc: Owner,
    /// docker's `--network`.
    pub network: Owner,
    /// Its own was asked for by name, `none`; where nothing is said it is the same.
    pub network_none: bool,
    /// docker's `--uts`; only podman shares it between containers.
    pub uts: Owner,
    /// What becomes of an IPC namespace of its own.
    pub own_ipc: OwnIpc,
    /// docker's `--cgroupns`; `None` is the preset's.
    pub cgroup: Option<CgroupNamespace>,
}

/// Whose a namespace is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Owner {
    /// The container's own.
    #[default]
    Own,
    /// The host's: needs `--trust-host`.
    Host,
    /// That of another container of the scenario, by its name.
    Container(String),
}

/// An IPC namespace of a container's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OwnIpc {
    /// Not said: docker's is private, podman's shareable.
    #[default]
    Default,
    /// Nobody else's.
    Private,
    /// Other containers may join.
    Shareable,
    /// Private, and without a /dev/shm.
    None,
}

/// Whose cgroup namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupNamespace {
    /// Its own.
    Private,
    /// The host's. It shows paths and gives nothing away, and is every container's where control groups are of version 1:
    /// no trust is needed.
    Host,
}

impl Sharing {
    /// The namespaces that can be another container's.
    pub const SHARED: [Namespace; 4] = [Namespace::Pid, Namespace::Ipc, Namespace::Network, Namespace::Uts];

    /// Those that a container can have of its own or share with somebody: the host's alone, of cgroup namespaces.
    pub const OWN_OR_SHARED: [Namespace; 5] =
        [Namespace::Pid, Namespace::Ipc, Namespace::Network, Namespace::Uts, Namespace::Cgroup];

    /// Whose one of them is. Whose a cgroup namespace is that nothing is said of depends on the machine: its own.
    #[must_use]
    pub fn owner(&self, namespace: Namespace) -> &Owner {
        match namespace {
            Namespace::Pid => &self.pid,
            Namespace::Ipc => &self.ipc,
            Namespace::Network => &self.network,
            Namespace::Uts => &self.uts,
            Namespace::Cgroup if self.cgroup == Some(CgroupNamespace::Host) => &Owner::Host,
            _ => &Owner::Own,
        }
    }

    /// As Compose writes it: the keys and what they say.
    #[must_use]
    pub fn keys(&self) -> Vec<(&'static str, String)> {
        let shared = |owner: &Owner| match owner {
            Owner::Own => None,
            Owner::Host => Some("host".to_owned()),
            Owner::Container(name) => Some(format!("container:{name}")),
        };
        let own_ipc = match self.own_ipc {
            OwnIpc::Default => None,
            OwnIpc::Private => Some("private".to_owned()),
            OwnIpc::Shareable => Some("shareable".to_owned()),
            OwnIpc::None => Some("none".to_owned()),
        };
        let cgroup = self.cgroup.map(|one| match one {
            CgroupNamespace::Private => "private".to_owned(),
            CgroupNamespace::Host => "host".to_owned(),
        });
        let all = [
            ("network_mode", shared(&self.network).or(self.network_none.then(|| "none".to_owned()))),
            ("pid", shared(&self.pid)),
            ("ipc", shared(&self.ipc).or(own_ipc)),
            ("uts", shared(&self.uts)),
            ("cgroup", cgroup),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// Makes one of them the container's own.
    pub fn take_own(&mut self, namespace: Namespace) {
        match namespace {
            Namespace::Pid => self.pid = Owner::Own,
            Namespace::Ipc => self.ipc = Owner::Own,
            Namespace::Network => self.network = Owner::Own,
            Namespace::Uts => self.uts = Owner::Own,
            Namespace::Cgroup => self.cgroup = Some(CgroupNamespace::Private),
            _ => {}
        }
    }
}
