//! Images for the containers of a case: read, or built by the native engine. What an image says about its user, environment, working
//! directory and command becomes the container's own words here, so that no stage behind this one knows of images but for their files.

mod copy;
mod ignore;
mod run;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    engine::EngineError,
    host::Machine,
    image::{self, Config, Image, config},
    scenario::{
        image::{Build, Command, FromImage, Instruction, Origin, SHELL, expand},
        model::{Case, Container},
    },
    spec,
};

/// The case with its images, and with what they say where its author says nothing.
///
/// # Errors
/// An image that cannot be read, or an instruction of a Dockerfile that failed.
pub fn prepared<'a>(case: &'a Case, machine: &Machine) -> Result<Cow<'a, Case>, EngineError> {
    let (case, wrong) = made_of(case, machine, |_| true);
    match wrong.into_iter().next() {
        Some((_, why)) => Err(EngineError(why)),
        None => Ok(case),
    }
}

/// The same as far as nothing is executed for it, and what is wrong: images are read, Dockerfiles are not built. Lines are the containers'.
pub fn read<'a>(case: &'a Case, machine: &Machine) -> (Cow<'a, Case>, Vec<(usize, String)>) {
    made_of(case, machine, |image| image.build().is_none())
}

/// What of a case's images is not there, as far as that shows before anything is built. Lines are the containers'.
#[must_use]
pub fn left_out(case: &Case) -> Vec<(usize, String)> {
    let of = |one: &Container| -> Vec<String> {
        match one.image.as_ref().map(|from| (&from.made, from.build())) {
            Some((Some(made), _)) => made.left_out.clone(),
            Some((None, Some(build))) => spec::base(build).map(|image| image.left_out).unwrap_or_default(),
            _ => Vec::new(),
        }
    };
    case.containers.iter().flat_map(|one| of(one).into_iter().map(|what| (one.line, what))).collect()
}

fn made_of<'a>(
    case: &'a Case,
    machine: &Machine,
    wanted: impl Fn(&FromImage) -> bool,
) -> (Cow<'a, Case>, Vec<(usize, String)>) {
    let mut wrong = Vec::new();
    let lacks = |one: &Container| one.image.as_ref().is_some_and(|image| image.made.is_none() && wanted(image));
    if !case.containers.iter().any(lacks) {
        return (Cow::Borrowed(case), wrong);
    }
    let mut case = case.clone();
    for container in case.containers.iter_mut().filter(|one| lacks(one)) {
        let Some(from) = container.image.clone() else { continue };
        match made(&from.origin, spec::workdir_is_users(container.preset), machine) {
            Ok(image) => apply(container, &from, image),
            Err(why) => {
                let line = container.line;
                wrong.push((line, format!("container {} (line {line}): {why}", container.name)));
            }
        }
    }
    (Cow::Owned(case), wrong)
}

/// Once in a process: its cases, their counterfactuals and its workers have the same image.
fn made(origin: &Arc<Origin>, workdir_is_users: bool, machine: &Machine) -> Result<Arc<Image>, String> {
    type Wanted = (Arc<Origin>, bool);
    type Made = Arc<OnceLock<Result<Arc<Image>, String>>>;
    static KNOWN: Mutex<Option<HashMap<Wanted, Made>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (Arc::clone(origin), workdir_is_users);
    let own = Arc::clone(known.get_or_insert_default().entry(key).or_default());
    // Others need not wait for this one.
    drop(known);
    let image = own.get_or_init(|| {
        let image = match &**origin {
            Origin::Image(location) => image::beside(&location.folder, &location.name),
            Origin::Build(build) => self::build(build, workdir_is_users, machine),
        };
        image.map(Arc::new)
    });
    image.clone()
}

/// What docker makes of a container's own words and its image's (moby, daemon/container.go mergeAndVerifyConfig and
/// runconfig Merge).
fn apply(container: &mut Container, from: &FromImage, image: Arc<Image>) {
    let Config { user, environment, working_dir, entrypoint, command } = image.config.clone();
    container.user = container.user.take().or(user);
    container.working_dir = container.working_dir.take().or(working_dir);
    let own = std::mem::take(&mut container.environment);
    let kept = environment.into_iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
    container.environment = kept.chain(own.iter().cloned()).collect();
    container.command = match container.command.take() {
        // An entry point of its own: the image's command is meant for another one.
        Some(whole) if from.own_entrypoint => Some(whole),
        Some(own) => Some([entrypoint, own].concat()),
        None => Some([entrypoint, command].concat()),
    };
    // Where nobody says what is executed pid 1 waits.
    container.command.take_if(|command| command.is_empty());
    container.image = Some(FromImage { made: Some(image), ..from.clone() });
}

/// A build as far as it has come.
struct Site<'a> {
    build: &'a Build,
    machine: &'a Machine,
    image: Image,
    arguments: Vec<(String, String)>,
    shell: Vec<String>,
    /// The Dockerfile itself has a CMD.
    has_command: bool,
    /// What WORKDIR makes is the user's.
    workdir_is_users: bool,
}

fn build(build: &Build, workdir_is_users: bool, machine: &Machine) -> Result<Image, String> {
    let file = &build.dockerfile;
    let mut image = spec::base(build)?;
    let words = |(line, what): &(usize, String)| format!("{}, line {line}: {what} is passed over", file.name);
    image.left_out.extend(file.ignored.iter().map(words));
    // docker and podman give one to every image that they build, before its first instruction: moby, builder/dockerfile/evaluator.go
    // setDefaultPath; imagebuilder, builder.go FromImage.
    if !image.config.environment.iter().any(|(name, _)| name == "PATH") {
        image.config.environment.insert(0, ("PATH".to_owned(), spec::PATH.to_owned()));
    }
    let shell = SHELL.map(str::to_owned).into();
    let mut site = Site { build, machine, image, arguments: Vec::new(), shell, has_command: false, workdir_is_users };
    for line in &file.lines {
        site.take(&line.what).map_err(|why| format!("{}, line {}: {why}", file.name, line.number))?;
    }
    let config = site.image.config.clone();
    site.image.finished(config).map_err(|why| format!("{}: {why}", file.name))
}

impl Site<'_> {
    fn take(&mut self, instruction: &Instruction) -> Result<(), String> {
        match instruction {
            Instruction::Run(command) => {
                let argv = self.argv(command);
                self.image.tree = self.run(argv)?;
            }
            Instruction::User(text) => self.image.config.user = Some(self.expanded(text)?.parse()?),
            Instruction::Env(pairs) => {
                // All values of a line are as they were before it.
                let pairs = pairs.iter().map(|(name, value)| Ok((name.clone(), self.expanded(value)?)));
                for (name, value) in pairs.collect::<Result<Vec<_>, String>>()? {
                    self.image.config.environment.retain(|(known, _)| *known != name);
                    self.image.config.environment.push((name, value));
                }
            }
            Instruction::Workdir(path) => {
                let path = config::absolute(self.directory(), &self.expanded(path)?);
                // podman makes it nobody's but root's where there is no such user.
                let user = self.image.config.user.as_ref().filter(|_| self.workdir_is_users);
                let owner = user.and_then(|user| spec::owner(&self.image, user).ok()).unwrap_or_default();
                self.image.tree.make_directory(&path, owner)?;
                self.image.config.working_dir = Some(path);
            }
            Instruction::Copy(copy) => self.copy(copy)?,
            Instruction::Entrypoint(command) => {
                self.image.config.entrypoint = self.argv(command);
                if !self.has_command {
                    self.image.config.command.clear();
                }
            }
            Instruction::Cmd(command) => {
                self.image.config.command = self.argv(command);
                self.has_command = true;
            }
            Instruction::Arg(name, Some(value)) => {
                let value = self.expanded(value)?;
                self.arguments.push((name.clone(), value));
            }
            // Nobody gives it a value: it is not set.
            Instruction::Arg(_, None) => {}
            Instruction::Shell(words) => self.shell.clone_from(words),
        }
        Ok(())
    }

    /// Where a relative path begins.
    fn directory(&self) -> &str {
        self.image.config.working_dir.as_deref().unwrap_or("/")
    }

    /// The variables that an instruction sees, the later over the earlier: ENV is over ARG.
    fn variables(&self) -> Vec<(String, String)> {
        self.arguments.iter().chain(&self.image.config.environment).cloned().collect()
    }

    fn expanded(&self, text: &str) -> Result<String, String> {
        expand(text, &self.variables())
    }

    fn argv(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(argv) => argv.clone(),
            Command::Shell(line) => self.shell.iter().cloned().chain([line.clone()]).collect(),
        }
    }
}
