//! A Dockerfile through docker's and podman's own build: the file as it was written, in the scenario's own context, but for its FROM. The image
//! lasts as long as who asked for it.

use std::{fs, sync::Arc};

use caplab_init::wire::{ExecReport, Exit};
use serde_json::Value;

use super::{
    client::{Client, PATIENCE},
    command_line::{Dialect, bind},
    image,
    place::Place,
};
use crate::{
    engine::{EngineError, RootTree},
    image::Config,
    scenario::image::{Base, Build, Command, Instruction, Line, SHELL, expand},
    spec,
};

/// The repository of what was built. Of this registry nobody is asked, whatever an engine does about an image that is not there.
pub(super) const BUILT: &str = "localhost/caplab-build";
/// The label of all that one build makes.
const OF_BUILD: &str = "caplab.build";

/// A build, while it goes on.
struct Site<'a> {
    client: &'a Client,
    dialect: Dialect,
    place: &'a Place,
    build: &'a Build,
    /// The tag that the image is to have.
    tag: String,
}

/// Builds an image, the one of this number here: its name.
///
/// # Errors
/// What the engine says where it fails. The native engine has built the same before.
pub(super) fn build(
    client: &Client,
    dialect: Dialect,
    place: &Place,
    build: &Build,
    number: usize,
) -> Result<String, EngineError> {
    let site = Site { client, dialect, place, build, tag: format!("{}-{number}", place.tag()) };
    let built = site.all();
    let cleared = site.clear();
    let image = built?;
    cleared.map(|()| image)
}

impl Site<'_> {
    fn all(&self) -> Result<String, EngineError> {
        let head = self.head()?;
        let file = &self.build.dockerfile;
        // docker's build binds nothing into a RUN, and FROM host is the machine's programs bound into everything.
        let runs = self.build.commands().count();
        if self.dialect == Dialect::Docker && file.from == Base::Host && runs > 0 {
            return self.in_pieces(head);
        }
        self.of_file(&format!("{head}{}", file.behind_from()), Some(&self.name()), runs)
    }

    /// A build in docker's old way, by hand: what stands between two RUNs is built, and a RUN is a container of what was built so far, which becomes
    /// the next image.
    fn in_pieces(&self, mut head: String) -> Result<String, EngineError> {
        let mut variables = Variables::default();
        for piece in self.build.dockerfile.pieces() {
            let text = format!("{head}{}", piece.text);
            let Some(run) = piece.run else { return self.of_file(&text, Some(&self.name()), 0) };
            let image = self.of_file(&text, None, 0)?;
            variables.take(piece.lines).map_err(EngineError)?;
            let said = self.client.must(&["image", "inspect", "--format", "{{json .Config}}", &image])?;
            let said: Value = serde_json::from_str(&said)
                .map_err(|error| EngineError(format!("{} image inspect: {error}", self.client.name)))?;
            let after = self.run(&image, run, &said, &variables)?;
            // A container's command is its image's: here it was the RUN's. Its shell and the arguments are nobody's.
            head = format!("FROM {after}\n");
            for (name, value) in &variables.arguments {
                head.push_str(&format!("ARG {name}={}\n", quoted(value)?));
            }
            let mut list = |key: &str, keyword: &str| {
                let list = said[key].as_array().cloned().unwrap_or_default();
                head.push_str(&format!("{keyword} {}\n", Value::from(list)));
            };
            if said["Shell"].is_array() {
                list("Shell", "SHELL");
            }
            list("Entrypoint", "ENTRYPOINT");
            list("Cmd", "CMD");
        }
        Err(EngineError("a Dockerfile without an end".to_owned()))
    }

    /// A RUN: a container of the image so far that sees the machine's programs. What it leaves, as an image.
    fn run(&self, image: &str, run: &Command, said: &Value, variables: &Variables) -> Result<String, EngineError> {
        let texts = |key: &str| -> Vec<String> {
            said[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let env = texts("Env");
        let is_env = |name: &str| env.iter().any(|entry| entry.split_once('=').is_some_and(|(own, _)| own == name));
        let arguments = variables.arguments.iter().filter(|(name, _)| !is_env(name));
        let mut argv: Vec<String> = arguments.map(|(name, value)| format!("{name}={value}")).collect();
        if !argv.is_empty() {
            // With a flag they would be the image's for good.
            argv.insert(0, "env".to_owned());
        }
        match run {
            Command::Exec(words) => argv.extend(words.iter().cloned()),
            Command::Shell(line) => {
                let shell = Some(texts("Shell")).filter(|own| !own.is_empty());
                argv.extend(shell.unwrap_or_else(|| SHELL.map(str::to_owned).into()));
                argv.push(line.clone());
            }
        }
        let name = self.place.name("build");
        let mut call = ["run", "--network=none", "--pull=never", "--no-healthcheck"].map(str::to_owned).to_vec();
        call.extend([format!("--name={name}"), format!("--label={}", self.place.label())]);
        call.extend(spec::programs().iter().map(|path| format!("--mount={}", bind(path, path, true))));
        let (program, rest) = argv.split_first().ok_or_else(|| EngineError("RUN of nothing".to_owned()))?;
        call.extend([format!("--entrypoint={program}"), image.to_owned()]);
        call.extend(rest.iter().cloned());
        let ended = self.client.call(&call, &[], self.build.timeout, 64 << 10);
        let made = match ended {
            Ok(report) if report.exit == Exit::Code(0) => self.client.must(&["commit", &name]),
            Ok(report) => Err(self.failed(&call, &report)),
            Err(error) => Err(error),
        };
        let removed = self.client.must(&["rm", "--force", "--volumes", &name]);
        let made = made?;
        removed.map(|_| made)
    }

    /// What comes before the lines behind FROM.
    fn head(&self) -> Result<String, EngineError> {
        let file = &self.build.dockerfile;
        let base = spec::base(self.build).map_err(EngineError)?;
        let config = base.config.clone();
        let from = if file.from == Base::Scratch {
            "scratch".to_owned()
        } else {
            let tree = RootTree { image: Some(Arc::new(base)), ..RootTree::default() };
            // A name that says whose it is, which podman names after it what it has while it builds. And an image of its own: podman 4.3
            // reads an image's names, changes them and writes them, and two that do so at once, `tag` here and `rmi` there, lose one's.
            let own = self.base();
            image::own(self.client, &tree, &own, self.place.dir())?;
            own
        };
        let owner = self.place.label();
        // In the file and not as a flag: what a RUN of it is executed in has the labels too.
        let labels = format!("LABEL {owner} {OF_BUILD}={}", self.tag);
        Ok(format!("{}FROM {from}\n{labels}\n{}", file.before_from(), said(&config)?))
    }

    /// The engine's own build: the name that the image was given, else its id.
    fn of_file(&self, text: &str, name: Option<&str>, runs: usize) -> Result<String, EngineError> {
        let (dir, empty) = (self.place.dir().join("Dockerfile"), self.place.dir().join("empty"));
        let failed = |error: std::io::Error| EngineError(format!("a Dockerfile for {}: {error}", self.client.name));
        fs::write(&dir, text).map_err(failed)?;
        fs::create_dir_all(&empty).map_err(failed)?;
        let mut call = ["build", "--quiet", "--network=none", "--force-rm"].map(str::to_owned).to_vec();
        let (own, signal): (&[&str], _) = match self.dialect {
            Dialect::Docker => (&["--pull=false", "--no-cache"], "TERM"),
            // Another format has no SHELL.
            Dialect::Podman => (&["--pull=never", "--layers=false", "--format=docker"], "0"),
        };
        call.extend(own.iter().map(|flag| (*flag).to_owned()));
        if self.dialect == Dialect::Podman && runs > 0 {
            // Without a network podman 4.3 gives a RUN no names; docker's and the native one have localhost.
            let hosts = self.place.dir().join("hosts");
            fs::write(&hosts, "127.0.0.1\tlocalhost\n::1\tlocalhost\n").map_err(failed)?;
            call.push(format!("--volume={}:/etc/hosts:ro", hosts.display()));
            if self.build.dockerfile.from == Base::Host {
                call.extend(spec::programs().iter().map(|path| format!("--volume={path}:{path}:ro")));
            }
            call.extend(spec::docker_capabilities().names().iter().map(|name| format!("--cap-add={name}")));
        }
        call.extend(self.build.args.iter().map(|(name, value)| format!("--build-arg={name}={value}")));
        call.extend(name.map(|name| format!("--tag={name}")));
        call.push(format!("--file={}", dir.display()));
        let context = self.build.context.as_ref();
        let context = context.map_or(empty, |context| context.folder.join(&context.name));
        call.push(context.display().to_string());
        // Of docker 23 on it is the old one that knows images of this machine alone.
        let environment = [("DOCKER_BUILDKIT", "0".to_owned())];
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        let report =
            self.client.build(signal, &call, &environment, PATIENCE + self.build.timeout.saturating_mul(runs))?;
        if report.exit != Exit::Code(0) {
            return Err(self.failed(&call, &report));
        }
        let id = String::from_utf8_lossy(&report.stdout).trim().to_owned();
        Ok(name.map_or(id, str::to_owned))
    }

    /// Why a RUN or a build failed. What ran out of time was the author's command, as long as the engine itself answers.
    fn failed(&self, call: &[String], report: &ExecReport) -> EngineError {
        if report.exit == Exit::TimedOut && self.client.must_be_there().is_ok() {
            let (name, time) = (self.client.name, self.build.timeout);
            return EngineError(format!(
                "{name}: a RUN took longer than {time:?}, or waits for something; `timeout: 10m` in `build` gives it more"
            ));
        }
        self.client.failed(call, report)
    }

    fn name(&self) -> String {
        format!("{BUILT}:{}", self.tag)
    }

    fn base(&self) -> String {
        format!("{BUILT}:{}-base", self.tag)
    }

    /// Removes what was needed on the way. What a finished image is made of is none of it, and goes with it.
    fn clear(&self) -> Result<(), EngineError> {
        let label = format!("label={OF_BUILD}={}", self.tag);
        let left = match self.dialect {
            Dialect::Docker => {
                self.client.must(&["images", "--quiet", "--filter", "dangling=true", "--filter", &label])?
            }
            // Its build makes one image or none.
            Dialect::Podman => String::new(),
        };
        let base = self.base();
        let base = (self.build.dockerfile.from != Base::Scratch).then_some(base.as_str());
        let all: Vec<&str> = left.lines().chain(base).collect();
        if all.is_empty() {
            return Ok(());
        }
        self.client.must(&[&["rmi", "--force"], all.as_slice()].concat()).map(drop)
    }
}

/// ARG and ENV as far as they have come.
#[derive(Default)]
struct Variables {
    arguments: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Variables {
    fn take(&mut self, lines: &[Line]) -> Result<(), String> {
        for line in lines {
            let known: Vec<_> = self.arguments.iter().chain(&self.environment).cloned().collect();
            match &line.what {
                Instruction::Arg(name, Some(value)) => self.arguments.push((name.clone(), expand(value, &known)?)),
                Instruction::Env(pairs) => {
                    for (name, value) in pairs {
                        self.environment.push((name.clone(), expand(value, &known)?));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What an image says, as lines of a Dockerfile: an engine imports its files alone.
fn said(config: &Config) -> Result<String, EngineError> {
    let Config { user, environment, working_dir, entrypoint, command } = config;
    let mut lines = Vec::new();
    for (name, value) in environment {
        lines.push(format!("ENV {name}={}", quoted(value)?));
    }
    if let Some(dir) = working_dir {
        lines.push(format!("WORKDIR {}", quoted(dir)?));
    }
    lines.extend(user.as_ref().map(|user| format!("USER {user}")));
    for (keyword, list) in [("ENTRYPOINT", entrypoint), ("CMD", command)] {
        if !list.is_empty() {
            lines.push(format!("{keyword} {}", Value::from(list.clone())));
        }
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// A value of a Dockerfile's line, in which nothing is replaced.
fn quoted(value: &str) -> Result<String, EngineError> {
    if value.contains(['\n', '\r']) {
        return Err(EngineError(format!("no line of a Dockerfile holds a value of several lines: {value:?}")));
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
    Ok(format!("\"{escaped}\""))
}
