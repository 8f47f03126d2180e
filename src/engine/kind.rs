//! Which engine: chosen when a run begins, never in a scenario.

use std::{fmt, process::Command};

use super::{Engine, EngineError, Pruned, Stock, driven, native::Native, oci::Oci};
use crate::{
    host::{Machine, lab::LabRoot, requirement::engine},
    result::Skip,
    scenario::model::Case,
};

/// An engine, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Kind {
    /// Built in.
    #[default]
    Native,
    /// opencontainers/runc, driven as a command.
    Runc,
    /// containers/crun, driven as a command.
    Crun,
    /// podman, driven by its command line.
    Podman,
    /// docker, driven by its command line.
    Docker,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Native, Self::Runc, Self::Crun, Self::Podman, Self::Docker];

    /// `native`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Why every case is skipped with it here; `None` where it is there.
    #[must_use]
    pub fn lacking(self, machine: &Machine) -> Option<Skip> {
        let skip = |(reason, remedy)| Skip { reason, remedy: Some(remedy) };
        let name = self.name();
        if !matches!(self, Self::Native | Self::Podman) && is_ordinary(machine) {
            let reason = format!("needs root: caplab drives {name} as root alone; the native engine runs without");
            return Some(Skip { reason, remedy: Some(format!("sudo -E caplab run --engine {name}")) });
        }
        match self {
            Self::Native => None,
            Self::Runc | Self::Crun => engine(name)
                .is_none()
                .then(|| skip((format!("the engine {name} is not installed"), format!("apt-get install {name}")))),
            Self::Podman => driven::PODMAN.lacking().map(skip),
            Self::Docker => driven::DOCKER.lacking().map(skip),
        }
    }

    /// Why a case cannot be put to this engine: it has no words for it. `None` where it can.
    #[must_use]
    pub fn inexpressible(self, case: &Case, machine: &Machine) -> Option<Skip> {
        if let Some(skip) = self.run_by_another(case, machine) {
            return Some(skip);
        }
        if self != Self::Native && case.host.runtime.is_some() {
            let reason = format!("{self} is a runtime itself, and the case enters a container through a decoy");
            return Some(Skip { reason, remedy: None });
        }
        if self != Self::Native && case.host.apart {
            let reason = format!(
                "{self} is run by the machine's root, and the case asks for a host whose users are counted apart"
            );
            return Some(Skip { reason, remedy: None });
        }
        let without_init = match self {
            Self::Native | Self::Runc | Self::Crun => None,
            Self::Podman => driven::PODMAN.without_init(case),
            Self::Docker => driven::DOCKER.without_init(case),
        };
        if let Some((reason, remedy)) = without_init {
            return Some(Skip { reason, remedy: Some(remedy) });
        }
        let reason = match self {
            Self::Native | Self::Runc | Self::Crun => None,
            Self::Podman => driven::PODMAN.inexpressible(case, machine),
            Self::Docker => driven::DOCKER.inexpressible(case, machine),
        }?;
        Some(Skip { reason: format!("{self} cannot express it: {reason}"), remedy: None })
    }

    /// Why who runs this engine is not who the case asks for. `rootless` on podman is the real thing: podman run by that very user.
    fn run_by_another(self, case: &Case, machine: &Machine) -> Option<Skip> {
        let asked = case.containers.iter().find_map(|container| container.rootless.as_deref());
        match (self, is_ordinary(machine)) {
            (Self::Native, _) => None,
            (Self::Podman, true) if case.containers.iter().any(|container| container.rootless.is_none()) => {
                Some(Skip {
                    reason: "needs root: the case asks for a podman that the machine's root runs".to_owned(),
                    remedy: Some("sudo -E caplab run --engine podman".to_owned()),
                })
            }
            (Self::Podman, true) => driven::rootless::lacking(case, machine),
            // The machine lacks nothing: it is who called that is another.
            (Self::Podman, false) => asked.map(|user| Skip {
                reason: format!(
                    "podman is run by root here, and the case asks for one that {user} runs: where he calls caplab, it is (docs/rootless.md)"
                ),
                remedy: None,
            }),
            (Self::Docker | Self::Runc | Self::Crun, _) => asked.map(|_| Skip {
                reason: format!("{self} is run by root here, and the case asks for an engine that a user runs"),
                remedy: None,
            }),
        }
    }

    /// Its version; `None` of what is built in, or where it does not say.
    #[must_use]
    pub fn version(self) -> Option<String> {
        match self {
            Self::Native => None,
            Self::Runc | Self::Crun => {
                let output = Command::new(engine(self.name())?).arg("--version").output().ok()?;
                // `runc version 1.1.5+ds1`, `crun version 1.8.1`.
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.lines().next()?.split_whitespace().last().map(str::to_owned)
            }
            Self::Podman => driven::PODMAN.version().ok(),
            Self::Docker => driven::DOCKER.version().ok(),
        }
    }

    /// What of caplab's it has in a store of its own; what native, runc and crun make is gone with a run.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn stock(self) -> Result<Stock, EngineError> {
        match self {
            Self::Native | Self::Runc | Self::Crun => Ok(Stock::default()),
            Self::Podman => driven::PODMAN.stock(),
            Self::Docker => driven::DOCKER.stock(),
        }
    }

    /// Removes what of that no run uses: containers and folders of runs that were killed, and all images.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn prune(self) -> Result<Pruned, EngineError> {
        match self {
            Self::Native | Self::Runc | Self::Crun => Ok(Pruned::default()),
            Self::Podman => driven::PODMAN.prune(),
            Self::Docker => driven::DOCKER.prune(),
        }
    }

    /// Starts one. It serves one thread.
    ///
    /// # Errors
    /// Where the helper cannot be started, or the engine's program is not there.
    pub fn start(self) -> Result<Box<dyn Engine>, EngineError> {
        let name = self.name();
        Ok(match self {
            Self::Native => Box::new(Native::start()?),
            Self::Runc | Self::Crun => {
                let path = engine(name)
                    .ok_or_else(|| EngineError(format!("{name} is not installed: apt-get install {name}")))?;
                Box::new(Oci::start(name, &path)?)
            }
            Self::Podman => Box::new(driven::PODMAN.start()?),
            Self::Docker => Box::new(driven::DOCKER.start()?),
        })
    }
}

/// An ordinary user runs caplab. A lab host that is made for the case alone says nothing about that.
fn is_ordinary(machine: &Machine) -> bool {
    machine.lab.is_made() && !matches!(machine.lab.root, LabRoot::Apart)
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
