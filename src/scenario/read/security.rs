//! `security_opt`, docker's and podman's.

use std::sync::Arc;

use super::{
    scalar::{path_text, texts},
    text,
};
use crate::{
    profile::{Profile, ProfileFile},
    scenario::{
        beside::Beside,
        diagnostic::{Fault, Place},
        model::SystemPaths,
        problems::Problems,
        tree::Node,
    },
    text::nearest,
};

/// What it says.
#[derive(Default)]
pub(super) struct Security {
    pub(super) no_new_privs: bool,
    pub(super) seccomp_unconfined: bool,
    pub(super) seccomp_runtime_default: bool,
    pub(super) seccomp_profile: Option<Arc<ProfileFile>>,
    pub(super) system_paths: SystemPaths,
}

const NAMES: [&str; 5] = ["no-new-privileges", "seccomp", "systempaths", "mask", "unmask"];
const THERE_IS: &str = "no-new-privileges, seccomp=unconfined, seccomp=FILE, a pod's seccomp=runtime/default, systempaths=unconfined, podman's mask=P:P and unmask=P:P or unmask=ALL";

pub(super) fn security(node: &Node, beside: Beside<'_>, problems: &Problems) -> Result<Security, Fault> {
    let mut security = Security::default();
    let mut said: Vec<String> = Vec::new();
    for item in texts(node)? {
        problems.ok(option(item, beside, &mut security, &mut said));
    }
    Ok(security)
}

fn option(item: &Node, beside: Beside<'_>, security: &mut Security, said: &mut Vec<String>) -> Result<(), Fault> {
    let (option, at) = (text(item)?, item.at);
    // What is older than `=` still takes a colon in its place.
    let colon = ["no-new-privileges", "seccomp"].iter().any(|name| option.starts_with(&format!("{name}:")));
    let (name, value) = match option.split_once(if colon { ':' } else { '=' }) {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    if !matches!(name, "mask" | "unmask") && said.iter().any(|other| other == name) {
        return Err(Fault::new(at, format!("a second `{name}`")).help("only the last would count"));
    }
    said.push(name.to_owned());
    match (name, value) {
        ("no-new-privileges", None) => security.no_new_privs = true,
        ("no-new-privileges", Some(value)) => security.no_new_privs = truth(at, value)?,
        ("seccomp", Some("unconfined")) => security.seccomp_unconfined = true,
        ("seccomp", Some("runtime/default")) => security.seccomp_runtime_default = true,
        ("seccomp", Some(file)) => security.seccomp_profile = Some(Arc::new(profile(at, file, beside)?)),
        ("systempaths", Some("unconfined")) => security.system_paths.unconfined = true,
        ("unmask", Some(paths)) if paths.eq_ignore_ascii_case("all") => security.system_paths.unconfined = true,
        ("unmask", Some(paths)) => {
            for path in paths.split(':') {
                security.system_paths.unmask.push(pattern(at, path)?);
            }
        }
        ("mask", Some(paths)) => {
            for path in paths.split(':') {
                security.system_paths.mask.push(of_the_kernel(at, path)?);
            }
        }
        ("apparmor" | "label" | "proc-opts" | "seccomp", _) => {
            return Err(Fault::new(at, format!("security_opt `{option}` is not supported yet"))
                .help(format!("there are {THERE_IS}")));
        }
        _ => {
            let fault = Fault::new(at, format!("no security_opt `{option}`"));
            return Err(match nearest(name, NAMES) {
                Some(meant) => fault.help(format!("did you mean `{meant}`? There are {THERE_IS}")),
                None => fault.help(format!("there are {THERE_IS}")),
            });
        }
    }
    Ok(())
}

/// Go's strconv.ParseBool, which docker reads it with.
fn truth(at: Place, value: &str) -> Result<bool, Fault> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Fault::new(at, format!("no-new-privileges is not `{value}`")).help("true or false")),
    }
}

fn profile(at: Place, file: &str, beside: Beside<'_>) -> Result<ProfileFile, Fault> {
    let wrong = |what: &dyn std::fmt::Display| Fault::new(at, format!("the seccomp profile {file}: {what}"));
    let text = beside.read(file).map_err(|what| {
        wrong(&what)
            .help("a file in docker's JSON format beside the scenario, `seccomp=profile.json`; or seccomp=unconfined")
    })?;
    let profile = Profile::read(&text).map_err(|what| {
        wrong(&what).help("docker's JSON format, and of it what docker and podman read alike: docs/format.md")
    })?;
    Ok(ProfileFile { name: file.to_owned(), text, profile })
}

/// A path that can be masked.
fn of_the_kernel(at: Place, text: &str) -> Result<String, Fault> {
    let path = path_text(at, text)?;
    if ["/proc/", "/sys/"].iter().any(|own| path.starts_with(own)) {
        return Ok(path);
    }
    Err(Fault::new(at, format!("a mask over {path}, which is not below /proc or /sys, is not supported yet"))
        .help("a tmpfs there hides as much"))
}

/// podman reads it with Go's filepath.Match; of its signs there is `*`, which its manual has.
fn pattern(at: Place, text: &str) -> Result<String, Fault> {
    if text.contains(['?', '[', '\\']) {
        return Err(
            Fault::new(at, format!("`{text}`: only `*` is supported yet in a pattern")).help("`unmask=/proc/*`")
        );
    }
    of_the_kernel(at, text)
}
