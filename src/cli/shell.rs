//! `caplab shell`.

use std::{env, io, io::IsTerminal};

use clap::Args;

use super::{USAGE, complain, run::engine, say_error, select::select};
use crate::{
    engine::Kind,
    host::{Machine, requirement},
    report::pretty,
    runner,
    scenario::model::{Rootfs, User},
    session::{self, Ask, Client, Meeting, Place, Scene, status},
    terminal::{self, Signals},
};

// Arguments of `caplab shell`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Shell {
    /// A scenario, by file or name; a case of it, `capabilities/sweep[cap=KILL,who=root]`
    #[arg(value_name = "SCENARIO")]
    what: String,
    /// In which container, where there are several
    #[arg(long = "in", value_name = "CONTAINER")]
    within: Option<String>,
    /// As whom, as docker exec -u; else as the container's own user
    #[arg(long = "as", value_name = "USER[:GROUP]")]
    as_user: Option<User>,
    /// On the fixture host, as its root: of a `caplab shell` that runs, else of its own
    #[arg(long, conflicts_with_all = ["within", "rootfs"])]
    host: bool,
    /// In the containers of a `caplab shell` that runs, of the one with this pid where there are several
    #[arg(long, value_name = "PID", num_args = 0..=1, require_equals = true, conflicts_with = "rootfs")]
    join: Option<Option<u32>>,
    /// `host` adds this machine's programs, read-only, where the scenario has none
    #[arg(long, value_name = "ROOTFS", value_parser = ["host"])]
    rootfs: Option<String>,
    /// Who makes the containers: `native` alone
    #[arg(long, value_name = "ENGINE", default_value = "native", value_parser = engine)]
    engine: Kind,
    /// Let scenarios look at the real machine's paths, where they ask for that
    #[arg(long)]
    trust_host: bool,
    /// What is executed in place of a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  caplab shell users/run-as-6667
  caplab shell --host users/run-as-6667               from a second terminal: its host, its files, its processes
  caplab shell --join users/run-as-6667               from a third: the same container once more
  caplab shell --as 6667 --rootfs host mine/clock     as another user, and with the machine's programs
  caplab shell mine/two --in a -- id -u               one command in one of two containers
  echo 'cat /proc/self/status' | caplab shell mine/clock

The container is what `caplab run` makes of the scenario; its steps are not taken. The terminal is of the container's own
devpts where stdin and stdout are one, else there are pipes, as with docker exec -i. Everything ends with the first shell.

Exit status: that of the shell or command, 128+N where signal N ended it or caplab; 125 caplab failed, 126 the command
cannot be executed, 127 there is none; 2 usage or an invalid scenario.";

/// Of an ordinary user's.
const USERS: &str = "its host is a user namespace of yours: what the kernel asks for in the first one is refused here,
  whatever the container has (docs/rootless.md)";

impl Shell {
    pub(super) fn main(self) -> u8 {
        if self.engine != Kind::Native {
            return complain(&self.other_engine());
        }
        // Before anything else runs: threads and programs that are started have what this one has.
        let signals = match Signals::watch() {
            Ok(signals) => signals,
            Err(error) => return failed(status::FAILED, &format!("signalfd: {error}")),
        };
        let scene = match self.scene() {
            Ok(scene) => scene,
            Err(message) => return complain(&message),
        };
        let place = if self.host { Place::Host } else { Place::Container(self.within.clone()) };
        if let (false, Err(message)) = (self.host, scene.container(self.within.as_deref())) {
            return complain(&message);
        }
        let ask = Ask::Open {
            place,
            as_user: self.as_user.as_ref().map(User::to_string),
            command: self.command.clone(),
            window: terminal::is_there().then(terminal::size),
            term: env::var("TERM").ok(),
        };
        match self.client(&scene) {
            Ok(Some(client)) => attend(client, &ask, &signals, &[]),
            Ok(None) => self.own(scene, &ask, &signals),
            Err(message) => complain(&message),
        }
    }

    /// What is meant.
    fn scene(&self) -> Result<Scene, String> {
        let selection = select(std::slice::from_ref(&self.what))?;
        if let Some(diagnostic) = selection.invalid().next() {
            return Err(diagnostic.to_string());
        }
        let (scenario, case) = selection.only(&self.what)?;
        let mut scene = Scene {
            name: pretty::name(&scenario.name, case.name.as_deref()),
            // Those that came with the binary are no files.
            file: std::path::absolute(&scenario.path).ok().filter(|path| path.exists()).unwrap_or_default(),
            case: case.clone(),
            machine: Machine::probe(self.trust_host),
        };
        scene.case.steps.clear();
        if self.rootfs.is_some() {
            scene.with_programs();
        }
        Ok(scene)
    }

    /// To the containers of another `caplab shell`; none where own ones are wanted.
    fn client(&self, scene: &Scene) -> Result<Option<Client>, String> {
        let asked = match self.join {
            Some(pid) => pid,
            None if self.host => None,
            None => return Ok(None),
        };
        let mut running = session::running(&scene.identity());
        let pids: Vec<String> = running.iter().map(|(pid, _)| pid.to_string()).collect();
        if let Some(pid) = asked {
            running.retain(|(known, _)| *known == pid);
        }
        match (running.len(), self.join.is_some()) {
            (1, _) => Ok(running.pop().map(|(_, stream)| Client::new(stream))),
            (0, false) => Ok(None),
            (0, true) => Err(format!("no `caplab shell {}` of yours runs to join", scene.name)),
            _ => Err(format!("several `caplab shell {}` run: --join=PID, one of {}", scene.name, pids.join(", "))),
        }
    }

    /// Makes the containers.
    fn own(&self, scene: Scene, ask: &Ask, signals: &Signals) -> u8 {
        if let Some(words) = self.unfit(&scene) {
            return failed(status::FAILED, &words);
        }
        let (mut notes, name) = (Vec::new(), &scene.name);
        if !scene.machine.lab.initial {
            notes.push(USERS.to_owned());
        }
        let meeting = match Meeting::open() {
            Ok(meeting) => {
                let host =
                    if self.host { String::new() } else { format!("\n  its host:        caplab shell --host {name}") };
                notes.push(format!("from another terminal{host}\n  its containers:  caplab shell --join {name}"));
                Some(meeting)
            }
            Err(error) => {
                notes.push(format!("nobody can join from another terminal: {error}"));
                None
            }
        };
        let server = match session::start(scene, meeting) {
            Ok(server) => server,
            Err(words) => return failed(status::FAILED, &words),
        };
        let (client, gone) = server.split();
        let status = attend(client, ask, signals, &notes);
        gone.wait();
        status
    }

    /// Why there can be no such shell.
    fn unfit(&self, scene: &Scene) -> Option<String> {
        let within = if self.host { 0 } else { scene.container(self.within.as_deref()).ok()? };
        let beyond = || runner::beyond(&scene.case, &scene.machine);
        if let Some(skip) = requirement::unmet(&scene.case, &scene.machine).or_else(beyond) {
            let remedy = skip.remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
            return Some(format!("{}: it cannot be run here: {}{remedy}", scene.name, skip.reason));
        }
        let container = &scene.case.containers[within];
        (!self.host && self.command.is_empty() && container.rootfs == Rootfs::Toolbox).then(|| {
            format!(
                "{} of {} has no shell, nor any other program: it is made of `rootfs: toolbox`, in which probes run and nothing else.\n\
                 With this machine's programs added, read-only, and all else as it is: caplab shell --rootfs host {}",
                container.name, scene.name, self.what
            )
        })
    }

    fn other_engine(&self) -> String {
        let (name, what) = (self.engine.name(), &self.what);
        match self.engine {
            Kind::Docker | Kind::Podman => format!(
                "the container of `caplab shell` is the native engine's; one of {name}'s: `caplab to {name} {what}` prints the line, \
                 add -it and an image; into one that runs: {name} exec -it CONTAINER sh"
            ),
            _ => format!(
                "the container of `caplab shell` is the native engine's; one of {name}'s: `caplab to oci {what}` prints config.json, \
                 then {name} run -b BUNDLE ID, and {name} exec -t ID sh"
            ),
        }
    }
}

/// Until the process has ended.
fn attend(client: Client, ask: &Ask, signals: &Signals, notes: &[String]) -> u8 {
    let running = match client.open(ask) {
        Ok(running) => running,
        Err((status, words)) => return failed(status, &words),
    };
    // Who pipes something in reads what comes out, and nothing else.
    if terminal::is_there() && io::stderr().is_terminal() {
        notes.iter().chain(&running.notes).for_each(|note| say_error(format_args!("\x1b[2mcaplab: {note}\x1b[0m")));
    }
    match running.attend(signals) {
        Ok((status, note)) => {
            if let Some(note) = note {
                say_error(format_args!("caplab: {note}"));
            }
            status
        }
        Err((status, words)) => failed(status, &words),
    }
}

fn failed(status: u8, words: &str) -> u8 {
    debug_assert_ne!(status, USAGE);
    say_error(format_args!("caplab: {words}"));
    status
}
