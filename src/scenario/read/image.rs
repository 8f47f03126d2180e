//! `image:` and `build:`.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    Fields,
    container::pairs,
    scalar::{duration, filled, text},
};
use crate::{
    image::Folder,
    scenario::{
        beside::Beside,
        diagnostic::{Fault, Place},
        dockerfile::{self, Base, Dockerfile, Wrong},
        format,
        image::{Build, FromImage, Location, Origin, RUN_TIMEOUT},
        model::Rootfs,
        problems::Problems,
        tree::{Node, Value},
    },
};

/// What a build's Dockerfile is called where nobody says it.
const DOCKERFILE: &str = "Dockerfile";

/// The image of a container and the root that it begins with.
pub(super) fn image(fields: &Fields<'_>, beside: Beside<'_>) -> Option<(FromImage, Rootfs)> {
    let problems = fields.problems;
    let told = |key: &str, message: &str, help: &str| {
        let at = fields.key(key).map_or(fields.at(), |key| key.at);
        problems.tell(Fault::new(at, message).help(help));
    };
    let key = match (fields.key("image"), fields.key("build")) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            told(
                "build",
                "both `image` and `build`",
                "with Compose the image would be the build's name: leave it away",
            );
            return None;
        }
        (Some(_), None) => "image",
        (None, Some(_)) => "build",
    };
    if fields.get("rootfs").is_some() {
        told("rootfs", &format!("both `rootfs` and `{key}`"), "a Dockerfile begins with `FROM host` or `FROM toolbox`");
    }
    let (origin, rootfs) = if key == "image" {
        let location = fields.read(key, |node| location(node.at, &filled(node)?, beside))?;
        (Origin::Image(location), Rootfs::Toolbox)
    } else {
        let build = fields.read(key, |node| build(node, beside, problems))?;
        let rootfs = if build.dockerfile.from == Base::Host { Rootfs::Host } else { Rootfs::Toolbox };
        (Origin::Build(build), rootfs)
    };
    let own_entrypoint = fields.get("entrypoint").is_some();
    Some((FromImage { origin: Arc::new(origin), own_entrypoint, made: None }, rootfs))
}

/// A path of the scenario's folder at which something is.
fn location(at: Place, name: &str, beside: Beside<'_>) -> Result<Location, Fault> {
    let wrong = |why: &str| {
        Fault::new(at, format!("`{name}`: {why}"))
            .help("a path beside the scenario or below: an OCI layout, an archive of `docker save`, a root file system")
    };
    if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        return Err(wrong("it lies beside the scenario or below: no `/` at its beginning, no `..`"));
    }
    let Some(folder) = beside.folder() else {
        return Err(wrong("this scenario came with the binary, and no image did"));
    };
    Folder::of(folder).and_then(|folder| folder.open(name)).map_err(|why| match why.starts_with("No such file") {
        true if name.ends_with(".tar") => {
            wrong("there is no such file; `docker save -o` makes one of a registry's image")
        }
        true => wrong(&format!(
            "there is no such file; of a registry's image `docker save -o {}.tar {name}` makes one",
            plain(name)
        )),
        false => wrong(&why),
    })?;
    Ok(Location { folder: folder.to_owned(), name: name.to_owned() })
}

/// A registry's name as that of a file.
fn plain(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split([':', '@']).next().unwrap_or(last).to_owned()
}

fn build(node: &Node, beside: Beside<'_>, problems: &Problems) -> Result<Build, Fault> {
    if !matches!(node.value, Value::Map(_)) {
        let context = location(node.at, &filled(node)?, beside)?;
        let dockerfile = of_file(node.at, &format!("{}/{DOCKERFILE}", context.name), beside, &[])?;
        return whole(node.at, Some(context), dockerfile, Vec::new(), RUN_TIMEOUT, beside);
    }
    let fields = Fields::of(node, &format::container::BUILD, problems)?;
    let context = match fields.get("context") {
        Some(node) => Some(location(node.at, &filled(node)?, beside)?),
        None => None,
    };
    let help = "`NAME: value`";
    let args = fields.read("args", |node| pairs(node, help, problems)).unwrap_or_default();
    let args: Vec<(String, String)> = args.into_iter().map(|(_, name, value)| (name, value)).collect();
    let dockerfile = match (fields.get("dockerfile"), fields.get("dockerfile_inline")) {
        (Some(node), Some(_)) => {
            return Err(Fault::new(node.at, "both `dockerfile` and `dockerfile_inline`").help("only one can be meant"));
        }
        (None, Some(node)) => inline(node, &args)?,
        (named, None) => {
            let at = named.map_or(node.at, |node| node.at);
            let name = named.map_or(Ok(DOCKERFILE), text)?;
            let Some(context) = &context else {
                return Err(
                    Fault::new(at, "no `context`").help("`context: .`, or `dockerfile_inline: |` and its lines")
                );
            };
            of_file(at, &format!("{}/{name}", context.name), beside, &args)?
        }
    };
    let timeout = fields.read("timeout", duration).unwrap_or(RUN_TIMEOUT);
    whole(node.at, context, dockerfile, args, timeout, beside)
}

fn whole(
    at: Place,
    context: Option<Location>,
    dockerfile: Dockerfile,
    args: Vec<(String, String)>,
    timeout: Duration,
    beside: Beside<'_>,
) -> Result<Build, Fault> {
    let copies = dockerfile.lines.iter().find(|line| matches!(line.what, dockerfile::Instruction::Copy(_)));
    if let (Some(line), None) = (copies, &context) {
        let message = format!("{} line {}: there is nothing to copy from", dockerfile.name, line.number);
        return Err(Fault::new(at, message).help("`context: .` is the scenario's folder"));
    }
    let folder = beside.folder().map(Path::to_owned);
    if let Base::Image(name) = &dockerfile.from {
        location(at, name, beside)?;
    }
    Ok(Build { context, folder, dockerfile, args, timeout })
}

fn of_file(at: Place, name: &str, beside: Beside<'_>, args: &[(String, String)]) -> Result<Dockerfile, Fault> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let text = beside.read(name).map_err(|why| {
        Fault::new(at, format!("{name}: {why}")).help("`dockerfile: NAME` in the context, or `dockerfile_inline: |`")
    })?;
    let wrong =
        |wrong: Wrong| Fault::new(at, format!("{name}, line {}: {}", wrong.line, wrong.message)).help(wrong.help);
    dockerfile::read(name, &text, args).map_err(wrong)
}

/// A block of lines in the scenario itself: the fault is where its line is.
fn inline(node: &Node, args: &[(String, String)]) -> Result<Dockerfile, Fault> {
    let text = text(node)?;
    dockerfile::read("dockerfile_inline", text, args)
        .map_err(|wrong| Fault::new(node.line(wrong.line), wrong.message).help(wrong.help))
}
