//! What engines are known to make otherwise of an image that is built.

use std::path::Path;

use crate::{
    scenario::{
        image::{Build, Command, Instruction},
        model::{Container, IdOrName, Preset, User},
    },
    spec,
};

/// Whether an image that is built, once it has been, lacks the directory that the container is to begin in, and nothing is mounted there.
pub(super) fn lacks_its_working_directory(container: &Container) -> bool {
    let built = container.image.as_ref().filter(|image| image.build().is_some()).and_then(|image| image.made.as_ref());
    let (Some(image), Some(dir)) = (built, container.working_dir.as_deref()) else { return false };
    let is_mounted = container.targets().any(|target| Path::new(dir).starts_with(target));
    dir != "/" && !is_mounted && image.tree.get(dir.trim_start_matches('/')).is_none()
}

/// Whether a Dockerfile has a SHELL and behind it a command for it.
pub(super) fn has_other_shell(build: &Build) -> bool {
    let lines = build.dockerfile.lines.iter().map(|line| &line.what);
    let behind = lines.skip_while(|line| !matches!(line, Instruction::Shell(_)));
    let is_line = |line: &Instruction| {
        matches!(line, Instruction::Cmd(Command::Shell(_)) | Instruction::Entrypoint(Command::Shell(_)))
    };
    behind.into_iter().any(is_line)
}

/// Whether podman makes something else of a user of an image, once it has been made, because it goes by the name.
pub(super) fn is_told_by_name(container: &Container, user: Option<&User>) -> bool {
    let image = container.image.as_ref().and_then(|image| image.made.as_ref());
    let (Some(image), Some(user)) = (image, user) else { return false };
    let is_root = spec::owner(image, user).is_ok_and(|(uid, _)| uid == 0);
    let has_ambient =
        matches!(&user.user, IdOrName::Name(name) if name != "root") && is_root && !container.cap_add.is_empty();
    has_ambient || container.preset != Preset::Podman && spec::is_further_name(image, user)
}

/// Whether a Dockerfile has a WORKDIR behind a USER who is not root.
pub(super) fn has_workdir_of_user(build: &Build) -> bool {
    let mut is_root = true;
    build.dockerfile.lines.iter().any(|line| {
        if let Instruction::User(user) = &line.what {
            is_root = ["root", "0", "root:root", "0:0"].contains(&user.as_str());
        }
        !is_root && matches!(line.what, Instruction::Workdir(_))
    })
}
