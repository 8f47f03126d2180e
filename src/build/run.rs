//! RUN: a command in a container of the native engine, docker's as everything that is not said otherwise, and what it leaves.

use std::sync::Arc;

use super::Site;
use crate::{
    engine::{ContainerState, Engine, native::Native},
    image::{Image, Tree},
    observe::Outcome,
    scenario::{
        image::{Base, FromImage, Origin},
        model::{Case, Container, Host, Rootfs, Step},
    },
    spec, verdict,
};

/// So many of its last lines are shown where it fails.
const LAST_LINES: usize = 12;

impl Site<'_> {
    /// The root as the command leaves it.
    pub(super) fn run(&mut self, argv: Vec<String>) -> Result<Tree, String> {
        let before = Arc::new(self.image.clone().finished(self.image.config.clone())?);
        let case = self.case(argv, Arc::clone(&before));
        let mut job = spec::job(&case, self.machine, self.build.timeout).map_err(|error| error.to_string())?;
        job.capture = true;
        // One of its own: what is built is built once, and whoever needs it waits.
        let mut engine = Native::start().map_err(|error| error.to_string())?;
        let seen = engine.observe(&job).map_err(|error| error.to_string())?;
        if let Some(ContainerState::Refused(outcome)) = seen.containers.first() {
            return Err(format!("RUN: its container could not be made: {}", verdict::words(outcome)));
        }
        if let Some(point) = seen.deviations(&job).first() {
            return Err(format!("RUN: {point}"));
        }
        let step = seen.steps.first().ok_or("RUN: the engine took no step")?;
        if step.outcome != Outcome::Allowed {
            let mut why = match step.outcome {
                Outcome::TimedOut => format!(
                    "RUN: took longer than {:?}, and was killed; `timeout: 10m` in `build` gives it more",
                    self.build.timeout
                ),
                _ => format!("RUN: {}", verdict::words(&step.outcome)),
            };
            let said = [&step.stdout, &step.stderr].map(|output| output.text.trim_end().to_owned()).join("\n");
            let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                why.push_str(&format!("\n  | {line}"));
            }
            return Err(why);
        }
        let captured = seen.captured.ok_or("RUN: the engine did not read the root")??;
        if captured.special > 0 {
            self.image.left_out.push(format!("{} devices, sockets and FIFOs that a RUN has made", captured.special));
        }
        let mut after = Tree::of_files(captured.files)?;
        // A layer of docker's or podman's has no mode and owner of the root directory.
        after.keep_root(&before.tree);
        // What is mounted there is none of the image; neither is what the engine writes into every container.
        let engines = job.containers[0].root.by_engine.iter().map(|(path, ..)| path);
        for path in captured.covered.iter().chain(engines) {
            after.put_back(path.trim_start_matches('/'), &before.tree);
        }
        Ok(after)
    }

    /// A container of the image so far, with one step.
    fn case(&self, argv: Vec<String>, image: Arc<Image>) -> Case {
        let rootfs = if self.build.dockerfile.from == Base::Host { Rootfs::Host } else { Rootfs::Toolbox };
        let container = Container {
            rootfs,
            user: image.config.user.clone(),
            environment: self.variables(),
            working_dir: image.config.working_dir.clone(),
            image: Some(FromImage {
                origin: Arc::new(Origin::Build(self.build.clone())),
                own_entrypoint: false,
                made: Some(image),
            }),
            ..Container::of_docker("build")
        };
        let steps = vec![Step::of_command(0, None, argv)];
        Case { name: None, host: Host::default(), containers: vec![container], steps, requires: Vec::new() }
    }
}
