//! How docker and podman are found and started, and what of caplab's they keep.

use std::{
    cell::Cell,
    collections::HashMap,
    fs,
    sync::{Mutex, OnceLock, PoisonError},
};

use caplab_init::wire::Exit;

use super::{
    Driven,
    client::{Client, HELLO, last_line},
    command_line::Dialect,
    expressible, init,
    place::Place,
    stock,
};
use crate::{
    engine::{EngineError, Pruned, Stock},
    host::{Machine, requirement::engine},
    scenario::model::Case,
};

/// What says where docker's daemon is; the first goes before the other.
const DOCKERS: [&str; 2] = ["DOCKER_HOST", "DOCKER_CONTEXT"];
/// What makes podman the client of another one.
const PODMANS: [&str; 2] = ["CONTAINER_HOST", "CONTAINER_CONNECTION"];

/// The two of them.
pub(in crate::engine) const DOCKER: Driver = Driver(Dialect::Docker);
/// The two of them.
pub(in crate::engine) const PODMAN: Driver = Driver(Dialect::Podman);

/// How one of them is found and started.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Driver(Dialect);

impl Driver {
    fn name(self) -> &'static str {
        match self.0 {
            Dialect::Docker => "docker",
            Dialect::Podman => "podman",
        }
    }

    fn client(self) -> Option<Client> {
        let name = self.name();
        // podman takes crun where it is installed, and that (1.8) refuses a machine with both versions of control groups.
        // An ordinary user's knows no control groups here, and runc refuses that.
        let hybrid = self.0 == Dialect::Podman
            && rustix::process::geteuid().is_root()
            && fs::metadata("/sys/fs/cgroup/unified").is_ok()
            && engine("runc").is_some();
        let options = if hybrid { vec!["--runtime=runc".to_owned()] } else { Vec::new() };
        let (program, version) = (engine(name)?, self.version_format());
        Some(Client { name, program, options, version, folder: None, hung: Cell::new(false) })
    }

    /// What is not as it must be, and the command that mends it; asked once.
    pub(in crate::engine) fn lacking(self) -> Option<(String, String)> {
        static DOCKER: OnceLock<Option<(String, String)>> = OnceLock::new();
        static PODMAN: OnceLock<Option<(String, String)>> = OnceLock::new();
        let known = if self.0 == Dialect::Docker { &DOCKER } else { &PODMAN };
        known.get_or_init(|| self.examine()).clone()
    }

    fn examine(self) -> Option<(String, String)> {
        let name = self.name();
        let package = if self.0 == Dialect::Docker { "docker.io" } else { "podman" };
        let Some(client) = self.client() else {
            return Some((format!("the engine {name} is not installed"), format!("apt-get install {package}")));
        };
        let report = match client.hello() {
            Ok(report) => report,
            Err(error) => return Some((error.to_string(), format!("apt-get install --reinstall {package}"))),
        };
        match (report.exit, self.0) {
            (Exit::Code(0), _) => None,
            (Exit::TimedOut, _) => Some((
                format!("{name} did not answer within {} s", HELLO.as_secs()),
                self.elsewhere().unwrap_or_else(|| "systemctl restart docker".to_owned()),
            )),
            (_, Dialect::Docker) => Some((
                format!("docker's daemon does not answer: {}", last_line(&report.stderr)),
                self.elsewhere().unwrap_or_else(|| "systemctl start docker, or dockerd &".to_owned()),
            )),
            (_, Dialect::Podman) => Some((
                format!("podman does not work: {}", last_line(&report.stderr)),
                self.elsewhere().unwrap_or_else(|| "podman info tells more".to_owned()),
            )),
        }
    }

    /// What to do where the environment says that it is another one which answers: podman then is a client alone, which has fewer flags.
    fn elsewhere(self) -> Option<String> {
        let variables = match self.0 {
            Dialect::Docker => DOCKERS,
            Dialect::Podman => PODMANS,
        };
        let set = variables.into_iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))?;
        Some(format!("unset {set}, which says that it is elsewhere, or mend what it says"))
    }

    /// What of caplab's it has.
    pub(in crate::engine) fn stock(self) -> Result<Stock, EngineError> {
        let client = self.must_have()?;
        let containers = stock::containers(&client, self.0)?;
        let in_use = containers.iter().filter(|one| one.in_use).count();
        Ok(Stock { containers: containers.len(), in_use, images: stock::images(&client)? })
    }

    /// Removes what of caplab's no run uses.
    pub(in crate::engine) fn prune(self) -> Result<Pruned, EngineError> {
        let client = self.must_have()?;
        let swept = stock::sweep(&client, self.0)?;
        let images = stock::remove_images(&client)?;
        swept.stuck.map_or(Ok(Pruned { containers: swept.removed, images }), Err)
    }

    /// Its version, as it says it.
    pub(in crate::engine) fn version(self) -> Result<String, EngineError> {
        self.must_have()?.must(&["version", self.version_format()])
    }

    fn version_format(self) -> &'static str {
        match self.0 {
            Dialect::Docker => "--format={{.Server.Version}}",
            Dialect::Podman => "--format={{.Client.Version}}",
        }
    }

    fn must_have(self) -> Result<Client, EngineError> {
        self.client().ok_or_else(|| EngineError(format!("{} is not installed", self.name())))
    }

    /// Why a case cannot be put to it.
    pub(in crate::engine) fn inexpressible(self, case: &Case, machine: &Machine) -> Option<String> {
        expressible::inexpressible(self.0, case, machine)
    }

    /// Why it has no init for a case that asks for one, and the command that brings it.
    pub(in crate::engine) fn without_init(self, case: &Case) -> Option<(String, String)> {
        let asks = case.containers.iter().any(|one| one.init);
        let client = self.client().filter(|_| asks)?;
        init::find(self.0, &client).is_none().then(|| init::missing(self.0))
    }

    /// Starts one; what runs that were killed have left is removed first.
    pub(in crate::engine) fn start(self) -> Result<Driven, EngineError> {
        if let Some((reason, remedy)) = self.lacking() {
            return Err(EngineError(format!("{reason}: {remedy}")));
        }
        let client = self.must_have()?;
        // Once in a process: its other workers find what it finds.
        static SWEPT: Mutex<Vec<Dialect>> = Mutex::new(Vec::new());
        let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if !swept.contains(&self.0) {
            // What cannot be swept now is the next run's: of this one it says nothing.
            stock::sweep(&client, self.0).ok();
            swept.push(self.0);
        }
        drop(swept);
        let place = Place::make(&client, self.0)?;
        let client = Client { folder: Some(place.dir().to_owned()), ..client };
        Ok(Driven { dialect: self.0, client, place, built: HashMap::new() })
    }
}
