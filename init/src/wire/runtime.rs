//! What is said of an OCI runtime that makes the containers in the launcher's place.

use alloc::{format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::Op;

/// Where bundles lie, each under its container's name, in the lab host; what else does begins with a dot, which no name does.
pub const PLACE: &str = "/mnt/oci";
/// The helper as a file, in the lab host.
pub const HELPER_SOURCE: &str = "/mnt/oci/.helper";
/// Where it is bound into containers.
pub const HELPER: &str = "/.caplab-init";
/// Where the lab host has links to the /proc/PID of each container's pid 1, by its name.
pub const CONTAINERS: &str = "/mnt/oci/.containers";
/// Where the lab host has what containers share as /dev/shm, by the owner's name.
pub const SHARED_MEMORY: &str = "/mnt/shm";
/// Where the lab host has the fixture host.
pub const FIXTURE: &str = "/mnt/host";

/// How a runtime begins to say that a container's program could not be executed: crun "exec container process `x`: …", runc
/// "exec x: …".
pub const NOT_EXECUTED: &str = "exec ";
/// What is said of a pid 1 that SIGSYS killed before it was the container's program.
pub const KILLED: &str =
    "pid 1 was killed by SIGSYS before it ran: its seccomp profile refuses what every program needs";

/// The directory for a run's control groups, in each hierarchy. The guard's pid tells runs apart.
#[must_use]
pub fn cgroups(guard: u32) -> String {
    format!("/caplabrt-{guard}")
}

/// A runtime.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Runtime {
    /// Its path.
    pub program: String,
    /// Its global options.
    pub args: Vec<String>,
    /// It does not work where both versions of control groups are mounted, and is to see only the first.
    pub hide_unified: bool,
    /// It makes a container's /dev/null its user's, also where that is a bind of the host's.
    pub gives_null_away: bool,
}

impl Runtime {
    /// A call of it for a message, `runc run`.
    #[must_use]
    pub fn call(&self, verb: &str) -> String {
        format!("{} {verb}", self.program.rsplit('/').next().unwrap_or_default())
    }
}

/// What a runtime makes a container from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bundle {
    /// config.json.
    pub config: Vec<u8>,
    /// What the root holds: directories, files, links.
    pub root: Vec<Op>,
    /// Whom that belongs to, uid and gid of the host: the container's root.
    pub owner: (u32, u32),
    /// What is bound read-only: each is read-only already where config.json has it from, [`read_only`] of its place here. crun makes what
    /// is missing below a bind, a place for another mount or the working directory, before it makes the bind read-only.
    pub read_only: Vec<String>,
}

/// Where the lab host has the source of a container's read-only bind.
#[must_use]
pub fn read_only(container: &str, index: usize) -> String {
    format!("{PLACE}/{container}/ro/{index}")
}
