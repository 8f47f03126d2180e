//! A seccomp profile in docker's JSON format: the text, and what it says.

use std::{collections::BTreeSet, fmt, sync::LazyLock};

use oci_spec::runtime::{Arch, LinuxSeccompAction, LinuxSeccompArg};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    capability::Capability,
    text::{hex, nearest},
};

/// A profile that an author brings, `security_opt: ["seccomp=FILE"]`.
#[derive(Debug)]
pub struct ProfileFile {
    /// The file, as the author names it.
    pub name: String,
    /// The whole of it, which is what docker and podman are given.
    pub text: String,
    /// What it says.
    pub profile: Profile,
}

impl ProfileFile {
    /// What tells it from another one, `3f2a90b1c4d5 (default errno, 12 rules)`: the first digits of the SHA-256 of its JSON without white
    /// space and comments, keys in their order.
    #[must_use]
    pub fn identity(&self) -> String {
        // It has been read once already.
        let document = serde_json::from_str(&self.text).map(normal).unwrap_or_default();
        let digest = hex(&Sha256::digest(document.to_string())[..6]);
        let action = document.get("defaultAction").and_then(Value::as_str).unwrap_or_default();
        let action = action.strip_prefix("SCMP_ACT_").unwrap_or(action).to_ascii_lowercase();
        let count = self.profile.syscalls.len();
        format!("{digest} (default {action}, {count} {})", if count == 1 { "rule" } else { "rules" })
    }
}

/// A document as every writer of it would write it. What is `null` is not there.
fn normal(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(fields) => {
            let said = fields.into_iter().filter(|(key, value)| key != "comment" && !value.is_null());
            let mut said: Vec<_> = said.map(|(key, value)| (key, normal(value))).collect();
            said.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(said.into_iter().collect())
        }
        other => other,
    }
}

/// moby, profiles/seccomp/seccomp.go `Seccomp`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    pub(crate) default_action: LinuxSeccompAction,
    #[serde(default)]
    pub(crate) default_errno_ret: Option<u32>,
    /// The old way to name machines; not beside `archMap`.
    #[serde(default)]
    pub(crate) architectures: Vec<Arch>,
    #[serde(default)]
    pub(crate) arch_map: Vec<Architectures>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) syscalls: Vec<Rule>,
}

/// A machine and what else it can execute.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Architectures {
    pub(crate) architecture: Arch,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) sub_architectures: Vec<Arch>,
}

/// One rule: what is done about these calls, under these conditions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// The old way to name one call; not beside `names`.
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) names: Vec<String>,
    pub(crate) action: LinuxSeccompAction,
    #[serde(default)]
    pub(crate) errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) args: Vec<LinuxSeccompArg>,
    #[serde(default)]
    pub(crate) includes: Filter,
    #[serde(default)]
    pub(crate) excludes: Filter,
    #[serde(default, rename = "comment")]
    _comment: Option<String>,
}

/// When a rule is, or is not, one of the container's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Filter {
    #[serde(default)]
    pub(crate) caps: Vec<String>,
    #[serde(default)]
    pub(crate) arches: Vec<String>,
    #[serde(default)]
    pub(crate) min_kernel: Option<String>,
}

impl Filter {
    /// Whether it says nothing.
    fn is_all(&self) -> bool {
        self.caps.is_empty() && self.arches.is_empty() && self.min_kernel.is_none()
    }
}

/// Go writes a list that is not there as `null`, and old profiles are full of them.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Profile {
    /// Reads one that an author brings. docker passes over what it does not know, and a rule that is passed over is a claim that was
    /// not tested: here it is refused. So is what docker and podman do not do alike.
    pub(crate) fn read(text: &str) -> Result<Self, Invalid> {
        let profile: Self = serde_json::from_str(text)
            .map_err(|error| Invalid(if error.is_data() { error.to_string() } else { format!("not JSON: {error}") }))?;
        profile.check().map_err(Invalid)?;
        Ok(profile)
    }

    /// Names that no machine has a system call of, each with the one that was meant. A name that is like none is left alone: it may be of a
    /// kernel to come.
    pub(crate) fn misspelled(&self) -> Vec<(&str, &'static str)> {
        let names = self.syscalls.iter().flat_map(Rule::calls).map(String::as_str);
        let unknown = names.filter(|name| !CALLS.contains(name) && !is_a_later_form(name));
        let mut found: Vec<(&str, &'static str)> = Vec::new();
        for name in unknown.take(MOST_UNKNOWN) {
            let meant = nearest(name, CALLS.iter().copied());
            if let Some(meant) = meant.filter(|_| found.iter().all(|(known, _)| *known != name)) {
                found.push((name, meant));
            }
        }
        found
    }

    /// Whether it refuses a call whatever its arguments are, and whoever makes it.
    pub(crate) fn refuses(&self, call: &str) -> bool {
        let permits = |action| matches!(action, LinuxSeccompAction::ScmpActAllow | LinuxSeccompAction::ScmpActLog);
        let of_it = || self.syscalls.iter().filter(|rule| rule.calls().any(|name| name == call));
        if permits(self.default_action) {
            let is_whole = |rule: &Rule| rule.args.is_empty() && rule.includes.is_all() && rule.excludes.is_all();
            return of_it().any(|rule| !permits(rule.action) && is_whole(rule));
        }
        !of_it().any(|rule| permits(rule.action))
    }

    fn check(&self) -> Result<(), String> {
        if !self.architectures.is_empty() && !self.arch_map.is_empty() {
            return Err("both `architectures` and `archMap`, which docker and podman refuse".to_owned());
        }
        // 1 is EPERM, what both say where nothing is said.
        if self.default_errno_ret.is_some_and(|errno| errno != 1) {
            return Err(
                "`defaultErrnoRet`, which docker 20.10 passes over and podman does not: say it with `errnoRet` of rules"
                    .to_owned(),
            );
        }
        action(self.default_action)?;
        for (index, rule) in self.syscalls.iter().enumerate() {
            rule.check().map_err(|what| format!("rule {} of `syscalls`: {what}", index + 1))?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        match (&self.name, self.names.as_slice()) {
            (Some(_), [_, ..]) => return Err("both `name` and `names`, which docker and podman refuse".to_owned()),
            (None, []) => return Err("it names no call".to_owned()),
            _ => {}
        }
        if self.calls().any(|name| !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')) {
            return Err("a name that no system call can have".to_owned());
        }
        action(self.action)?;
        if self.errno_ret.is_some_and(|errno| errno > 4095) {
            return Err("`errnoRet` is beyond every errno (4095)".to_owned());
        }
        if let Some(arg) = self.args.iter().find(|arg| arg.index() > 5) {
            return Err(format!("a system call has the arguments 0 to 5, none of index {}", arg.index()));
        }
        for filter in [&self.includes, &self.excludes] {
            if let Some(name) = filter.caps.iter().find(|name| Capability::from_name(name).is_none()) {
                return Err(format!("no capability `{name}`"));
            }
        }
        if self.excludes.min_kernel.is_some() {
            return Err("`minKernel` of `excludes`, which is not supported yet".to_owned());
        }
        let version = self.includes.min_kernel.as_deref();
        if let Some(text) = version.filter(|text| version_of(text).is_none()) {
            return Err(format!("`minKernel` is a version like 4.8, not `{text}`"));
        }
        Ok(())
    }

    /// The calls it is about, under whichever key.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &String> {
        self.name.iter().chain(&self.names)
    }
}

/// Each is compared with every call there is.
const MOST_UNKNOWN: usize = 64;

/// The system calls of every machine that docker's own profile is for: it names those of all of them, wherever it is used.
static CALLS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    /// Arm's private calls, arch/arm/include/uapi/asm/unistd.h, in libseccomp's words.
    const OF_ARM: [&str; 5] = ["breakpoint", "cacheflush", "set_tls", "usr26", "usr32"];
    let mut calls: BTreeSet<&'static str> = OF_ARM.into();
    calls.extend(syscalls::aarch64::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::arm::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::powerpc64::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::riscv64::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::s390x::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::x86::Sysno::iter().map(|call| call.name()));
    calls.extend(syscalls::x86_64::Sysno::iter().map(|call| call.name()));
    calls
});

/// Whether a name is what the kernel calls a younger brother of a call: `close_range2`, `setxattrat`.
fn is_a_later_form(name: &str) -> bool {
    let stems =
        [name.strip_suffix("at").unwrap_or(name), name.trim_end_matches(|letter: char| letter.is_ascii_digit())];
    stems.into_iter().any(|stem| stem != name && CALLS.contains(stem))
}

fn action(action: LinuxSeccompAction) -> Result<(), String> {
    match action {
        LinuxSeccompAction::ScmpActNotify => Err("SCMP_ACT_NOTIFY, which is not supported yet".to_owned()),
        _ => Ok(()),
    }
}

/// `4.8`.
pub(crate) fn version_of(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Profile::read(text).map(|_| ()).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_refused_for_everybody_is_known() {
        let read = |text: &str| Profile::read(text).expect("a profile");
        let list = |action: &str, rest: &str| {
            let rules = format!(r#""syscalls":[{{"names":["setuid"],"action":"{action}"{rest}}}]"#);
            let default = if action == "SCMP_ACT_ALLOW" { "SCMP_ACT_ERRNO" } else { "SCMP_ACT_ALLOW" };
            format!(r#"{{"defaultAction":"{default}",{rules}}}"#)
        };
        assert!(read(&list("SCMP_ACT_ERRNO", "")).refuses("setuid"));
        assert!(read(&list("SCMP_ACT_KILL", "")).refuses("setuid"));
        assert!(!read(&list("SCMP_ACT_LOG", "")).refuses("setuid"));
        assert!(!read(&list("SCMP_ACT_ERRNO", "")).refuses("setgid"));
        assert!(!read(&list("SCMP_ACT_ERRNO", r#","excludes":{"caps":["CAP_SETUID"]}"#)).refuses("setuid"));
        assert!(!read(&list("SCMP_ACT_ALLOW", "")).refuses("setuid"));
        assert!(read(&list("SCMP_ACT_ALLOW", "")).refuses("setgid"));
    }

    #[test]
    fn what_docker_reads_is_read() {
        let old = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
            "syscalls":[{"name":"mkdir","action":"SCMP_ACT_ERRNO","args":null,"comment":"so"}]}"#;
        let profile = Profile::read(old).expect("read");
        assert_eq!(profile.syscalls[0].calls().collect::<Vec<_>>(), ["mkdir"]);
        assert!(Profile::read(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":null}"#).is_ok());
    }

    #[test]
    fn a_profile_is_told_from_another_one_by_what_it_says() {
        let identity = |text: &str| {
            let profile = Profile::read(text).expect("read");
            ProfileFile { name: "own.json".to_owned(), text: text.to_owned(), profile }.identity()
        };
        let compact =
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ERRNO","names":["reboot"]}]}"#;
        // As `sha256sum` has it of that very text.
        assert_eq!(identity(compact), "5792d64c9d34 (default allow, 1 rule)");
        let spaced = r#"{ "syscalls": [ {"names": ["reboot"], "comment": "so", "args": null,
            "action": "SCMP_ACT_ERRNO"} ], "defaultAction": "SCMP_ACT_ALLOW" }"#;
        assert_eq!(identity(spaced), identity(compact));
        assert_ne!(identity(&compact.replace("reboot", "mount")), identity(compact));
        let all = identity(r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#);
        assert!(all.ends_with(" (default errno, 0 rules)"), "{all}");
    }

    #[test]
    fn a_misspelled_call_is_told_and_one_of_another_machine_or_time_is_not() {
        let named = |names: &str| {
            let text = format!(
                r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_ERRNO"}}]}}"#
            );
            Profile::read(&text).expect("read")
        };
        let profile = named(r#""chmodd","chmod","opnat","chmodd""#);
        assert_eq!(profile.misspelled(), [("chmodd", "chmod"), ("opnat", "openat")]);
        let profile = named(r#""riscv_flush_icache","s390_pci_mmio_read","chmodat","close_range2","what_nobody_has""#);
        assert_eq!(profile.misspelled(), []);
        for text in [
            include_str!("spec/seccomp/docker.json"),
            include_str!("spec/seccomp/podman.json"),
            include_str!("spec/seccomp/containerd.json"),
        ] {
            assert_eq!(serde_json::from_str::<Profile>(text).expect("read").misspelled(), []);
        }
    }

    #[test]
    fn what_would_be_passed_over_is_refused() {
        let rule = |rule: &str| refused(&format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#));
        for (said, part) in [
            (refused("{}"), "missing field `defaultAction`"),
            (refused("[]"), "invalid"),
            (refused(r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":[]}"#), "unknown field `flags`"),
            (refused(r#"{"defaultAction":"ALLOW"}"#), "unknown variant `ALLOW`"),
            (refused(r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38}"#), "defaultErrnoRet"),
            (rule(r#"{"names":[],"action":"SCMP_ACT_ERRNO"}"#), "rule 1 of `syscalls`: it names no call"),
            (rule(r#"{"name":"a","names":["b"],"action":"SCMP_ACT_ERRNO"}"#), "both `name` and `names`"),
            (rule(r#"{"names":["a"],"action":"SCMP_ACT_NOTIFY"}"#), "SCMP_ACT_NOTIFY"),
            (rule(r#"{"names":["a b"],"action":"SCMP_ACT_ERRNO"}"#), "no system call can have"),
            (rule(r#"{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":4096}"#), "beyond every errno"),
            (rule(r#"{"names":["a"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_X"]}}"#), "no capability"),
            (
                rule(r#"{"names":["a"],"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}"#),
                "index 6",
            ),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
