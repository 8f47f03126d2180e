//! Volumes and tmpfs.

use super::{
    Fields,
    scalar::{boolean, path, path_text},
    text,
};
use crate::scenario::{
    diagnostic::{Fault, Place},
    format,
    model::{Propagation, Tmpfs, Volume, VolumeSource},
    problems::Problems,
    tree::{Node, Value},
};

/// `source:target[:ro,rslave]`, or the long form.
pub(super) fn volume(node: &Node, problems: &Problems) -> Result<Volume, Fault> {
    if let Value::Map(_) = node.value {
        return long(node, problems);
    }
    let text = text(node)?;
    let parts: Vec<&str> = text.split(':').collect();
    let (source, goal, options) = match parts.as_slice() {
        [source, goal] => (source, goal, None),
        [source, goal, options] => (source, goal, Some(*options)),
        _ => {
            return Err(Fault::new(node.at, format!("`{text}` is no volume")).help(
                "`source:target` or `source:target:ro`; a volume without a source has nothing of the host in it",
            ));
        }
    };
    let (mut read_only, mut propagation) = (None, None);
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        let twice = match (option, Propagation::from_name(option)) {
            ("ro" | "rw", _) => read_only.replace(option == "ro").is_some(),
            (_, Some(one)) => propagation.replace(one).is_some(),
            _ => {
                return Err(Fault::new(node.at, format!("`{option}` is not supported yet as a volume's option"))
                    .help(format!("`ro` or `rw`, {}", Propagation::ALL.map(Propagation::name).join(", "))));
            }
        };
        if twice {
            return Err(Fault::new(node.at, format!("`{option}` beside another one of its kind"))
                .help("`ro` or `rw`, and one propagation"));
        }
    }
    if !source.starts_with('/') {
        return Err(Fault::new(
            node.at,
            format!("`{source}` is no absolute path: named volumes are not supported yet"),
        )
        .help("the source is a path of the fixture host, `/etc:/mnt`"));
    }
    let source = VolumeSource::Fixture(path_text(node.at, source)?);
    Ok(Volume { source, target: target(node.at, goal)?, read_only: read_only.unwrap_or(false), propagation })
}

fn long(node: &Node, problems: &Problems) -> Result<Volume, Fault> {
    let fields = Fields::of(node, &format::container::VOLUME, problems)?;
    fields.read("type", |kind| match text(kind)? {
        "bind" => Ok(()),
        word => {
            Err(Fault::new(kind.at, format!("a volume of type `{word}` is not supported yet")).help("`type: bind`"))
        }
    });
    let source = fields.need("source", path);
    let target = fields.need("target", |goal| target(goal.at, text(goal)?));
    let real_host = fields.read("real_host", boolean).unwrap_or(false);
    // What is of the real machine is read-only unless the file says otherwise.
    let read_only = fields.read("read_only", boolean).unwrap_or(real_host);
    let source = source.map(if real_host { VolumeSource::RealHost } else { VolumeSource::Fixture });
    let propagation = fields.read("bind", |node| {
        let bind = Fields::of(node, &format::container::BIND, problems)?;
        Ok(bind.read("propagation", propagation))
    });
    let propagation = propagation.flatten();
    if real_host && let Some(one) = propagation.filter(|one| !one.is_private()) {
        let at = fields.get("bind").map_or(node.at, |node| node.at);
        problems.tell(
            Fault::new(at, format!("a volume of the real machine that is {}", one.name()))
                .help("what a scenario mounts stays on the fixture host: take a path of it"),
        );
    }
    Ok(Volume { source: source?, target: target?, read_only, propagation })
}

fn propagation(node: &Node) -> Result<Propagation, Fault> {
    let word = text(node)?;
    Propagation::from_name(word).ok_or_else(|| {
        Fault::new(node.at, format!("no propagation `{word}`")).help(Propagation::ALL.map(Propagation::name).join(", "))
    })
}

/// Where something is mounted.
fn target(at: Place, text: &str) -> Result<String, Fault> {
    let target = path_text(at, text)?;
    if target == "/" {
        return Err(Fault::new(at, "a mount over the container's root").help("mount below it, `/mnt`"));
    }
    if ["/proc", "/sys", "/dev"].iter().any(|own| target == *own || target.starts_with(&format!("{own}/"))) {
        return Err(Fault::new(at, format!("a mount at {target}, which is the kernel's own file system"))
            .help("what the engines mount there is what is tested; mount somewhere else"));
    }
    Ok(target)
}

/// Option words that a tmpfs takes alone.
const WORDS: [&str; 10] = ["ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "noatime", "strictatime"];

/// Two options that say something of the same.
fn twice(options: &[String]) -> Option<[&String; 2]> {
    let about = |option: &str| match option.split('=').next().unwrap_or(option) {
        "ro" | "rw" => "rw".to_owned(),
        "noatime" | "strictatime" => "atime".to_owned(),
        word => word.trim_start_matches("no").to_owned(),
    };
    options.iter().enumerate().find_map(|(index, later)| {
        let first = options[..index].iter().find(|first| about(first) == about(later))?;
        Some([first, later])
    })
}

/// `target[:options]`.
pub(super) fn tmpfs(node: &Node, problems: &Problems) -> Result<Tmpfs, Fault> {
    let text = text(node)?;
    let (goal, options) = text.split_once(':').unwrap_or((text, ""));
    let options: Vec<String> = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    for option in &options {
        let valid = match option.split_once('=') {
            None => WORDS.contains(&option.as_str()),
            Some(("size", size)) => {
                let digits = size.trim_end_matches(['k', 'm', 'g', 'K', 'M', 'G']);
                size.len() - digits.len() <= 1 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
            Some(("mode", mode)) => {
                (3..=4).contains(&mode.len()) && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
            }
            Some(("uid" | "gid" | "nr_inodes", number)) => {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u32>().is_ok()
            }
            Some(_) => false,
        };
        if !valid {
            problems.tell(
                Fault::new(node.at, format!("`{option}` is no option of a tmpfs"))
                    .help(format!("size=64m, mode=1777, uid=, gid=, nr_inodes=, {}", WORDS.join(", "))),
            );
        }
    }
    if let Some([first, later]) = twice(&options) {
        let fault = Fault::new(node.at, format!("a tmpfs of `{first}` and of `{later}`"));
        problems.tell(fault.help("one of them: engines differ in which of two counts"));
    }
    Ok(Tmpfs { target: target(node.at, goal)?, options })
}
