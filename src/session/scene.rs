//! The case whose containers stay, and what is asked of the launcher for a process in one of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use caplab_init::wire::{Case as Planned, FixtureKind};

use crate::{
    build,
    engine::{Job, native},
    host::{Machine, fixture},
    scenario::{
        self,
        model::{Case, Container, IdOrName, Rootfs, Step, User, Volume, VolumeSource},
    },
    spec::{self, Unresolvable},
};

/// A case that stays.
#[derive(Debug, Clone)]
pub struct Scene {
    /// `area/name[cap=KILL]`.
    pub name: String,
    /// Which file that is: several projects have a `mine/clock`.
    pub file: PathBuf,
    /// Without its steps.
    pub case: Case,
    /// The machine.
    pub machine: Machine,
}

/// bash where the container has one, which edits lines, else what every system has.
const SHELL: &str = "if command -v bash >/dev/null; then exec bash; else exec sh; fi";

/// What the shell on the fixture host is in: a container of docker's in the host's pid namespace, that has besides what it takes to look
/// at processes and files of others. Not what changes the machine: no mounts, no devices, no clock, a network of its own.
const HOST: &str = "
title: The fixture host
container:
  preset: docker
  rootfs: host
  read_only: true
  hostname: fixture
  pid: host
  cap_add: [DAC_READ_SEARCH, SYS_PTRACE]
  cap_drop: [MKNOD, NET_RAW]
steps: [{inspect: {uid: 0}}]
";

/// Where the fixture host lies whole, on the host itself, if not all of it could lie where it belongs.
const WHOLE: &str = "/fixture";

/// What is the machine's or the kernel's there.
const NOT_OF_THE_FIXTURE: [&str; 8] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "proc"];
const MADE: [&str; 2] = ["dev", "sys"];

impl Scene {
    /// What others know it by.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("{} {}", self.file.display(), self.name)
    }

    /// The container of this name, the only one where none is named.
    ///
    /// # Errors
    /// None of it, or several.
    pub fn container(&self, name: Option<&str>) -> Result<usize, String> {
        let names = || self.case.containers.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) => self
                .case
                .containers
                .iter()
                .position(|one| one.name == name)
                .ok_or_else(|| format!("there is no container `{name}`: {}", names())),
            None if self.case.containers.len() == 1 => Ok(0),
            None => Err(format!("there are several containers: --in one of {}", names())),
        }
    }

    /// The same with a process as its only step: a shell where no command is given.
    #[must_use]
    pub fn with_process(&self, within: usize, as_user: Option<User>, command: &[String]) -> Case {
        let argv = if command.is_empty() { ["sh", "-c", SHELL].map(str::to_owned).to_vec() } else { command.to_vec() };
        Case { steps: vec![Step::of_command(within, as_user, argv)], ..self.case.clone() }
    }

    /// What is asked of an engine for a case of this scene.
    pub(super) fn job(&self, case: &Case) -> Result<Job, String> {
        let case = build::prepared(case, &self.machine).map_err(|error| error.to_string())?;
        spec::job(&case, &self.machine, Duration::ZERO).map_err(|Unresolvable(words)| words)
    }

    /// What is asked of the launcher.
    pub(super) fn plan(&self, case: &Case) -> Result<Planned, String> {
        native::plan(&self.job(case)?).map_err(|error| error.to_string())
    }

    /// The fixture host for somebody to look around on: what of it is bound where, as the volumes of one more container.
    ///
    /// # Errors
    /// Where it cannot be said.
    pub fn host(&self) -> Result<(Self, Vec<String>), String> {
        let read = scenario::load("host", Path::new("host.yaml"), HOST).map_err(|invalid| invalid.to_string())?;
        let case = read.cases.into_iter().next().ok_or("no case")?;
        let mut container = case.containers.into_iter().next().ok_or("no container")?;
        let bind = |source: &str, target: &str| Volume {
            source: VolumeSource::Fixture(source.to_owned()),
            target: target.to_owned(),
            read_only: false,
            propagation: None,
        };
        let mut hidden = Vec::new();
        for entry in fixture::entries(&self.case.host) {
            let top = entry.path[1..].split('/').next().unwrap_or_default();
            if NOT_OF_THE_FIXTURE.contains(&top) || MADE.contains(&top) {
                hidden.extend((entry.kind != FixtureKind::Dir).then_some(entry.path));
            } else if entry.path.matches('/').count() == 1 {
                container.volumes.push(bind(&entry.path, &entry.path));
            }
        }
        let mut notes = Vec::new();
        if let Some(first) = hidden.first() {
            container.volumes.push(bind("/", WHOLE));
            notes.push(format!("its {first} is at {WHOLE}{first}: programs here are the machine's own"));
        }
        let case = Case { containers: vec![container], steps: Vec::new(), requires: Vec::new(), ..self.case.clone() };
        Ok((Self { case, ..self.clone() }, notes))
    }

    /// A user of the fixture host by his number: its names are not those of a container.
    #[must_use]
    pub fn user_of_host(&self, user: User) -> User {
        let users = fixture::users(&self.case.host);
        let number = |who: IdOrName| match &who {
            IdOrName::Name(name) => users.get(name).map_or(who.clone(), |uid| IdOrName::Id(*uid)),
            IdOrName::Id(_) => who,
        };
        // Everybody there has a group of his own number.
        let own = number(user.user);
        let group = user.group.map(number).or_else(|| Some(own.clone()));
        User { user: own, group }
    }

    /// Gives its containers the machine's own programs, read-only.
    pub fn with_programs(&mut self) {
        let give = |container: &mut Container| container.rootfs = Rootfs::Host;
        self.case.containers.iter_mut().for_each(give);
    }
}
