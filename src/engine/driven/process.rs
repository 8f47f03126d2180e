//! Processes of containers, as this machine's /proc shows them.

use std::{
    fs,
    io::{self, Read, Seek},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use caplab_init::wire::{ProcessText, report};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::host::controllers;

/// How long a runtime may take from saying that it has started a container to executing its command.
const EXECVE: Duration = Duration::from_secs(10);

/// The pid 1 of a container.
pub(super) struct Init {
    /// As this machine numbers it.
    pub(super) pid: u32,
    /// /proc/PID/status, opened once: of another process with the same number it says nothing.
    status: fs::File,
}

impl Init {
    /// Finds it, and waits until it has become the container's command.
    ///
    /// # Errors
    /// ESRCH where it has ended by then.
    pub(super) fn find(pid: u32) -> io::Result<Self> {
        let init = Self { pid, status: fs::File::open(format!("/proc/{pid}/status"))? };
        let until = Instant::now() + EXECVE;
        while !init.is_executed()? {
            if Instant::now() > until {
                return Err(io::Error::other("its command was not executed within 10 s"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(init)
    }

    /// Until execve(2) it is the runtime: a copy of runc or crun in memory, or the file. The new memory gets its arguments only
    /// after the new credentials are in force (fs/exec.c begin_new_exec, then binfmt_elf.c create_elf_tables).
    fn is_executed(&self) -> io::Result<bool> {
        if !self.is_alive() {
            return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
        }
        let program = fs::read_link(format!("/proc/{}/exe", self.pid))?;
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let is_runtime = ["runc", "crun"].iter().any(|runtime| name.contains(runtime)) || name == "exe";
        Ok(!is_runtime && !fs::read(format!("/proc/{}/cmdline", self.pid))?.is_empty())
    }

    /// Whether it runs.
    pub(super) fn is_alive(&self) -> bool {
        let mut text = String::new();
        let mut status = &self.status;
        let read = status.rewind().and_then(|()| status.read_to_string(&mut text));
        read.is_ok() && !text.lines().any(|line| line.starts_with("State:\tZ") || line.starts_with("State:\tX"))
    }

    /// Whether it ends within this time. With it the kernel kills everybody in its pid namespace.
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while self.is_alive() {
            if Instant::now() > until {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// What /proc says about a process. A file that cannot be read is left empty: who understands it says which one is missed.
pub(super) fn read(pid: u32) -> ProcessText {
    let path = |file: &str| format!("/proc/{pid}/{file}");
    let text = |file: &str| fs::read_to_string(path(file)).unwrap_or_default();
    let cmdline = fs::read(path("cmdline")).unwrap_or_default();
    ProcessText { host_namespaces: host_namespaces(), ..ProcessText::read(text, cmdline, namespaces(&pid.to_string())) }
}

/// The same of a container's pid 1, the limits of its control groups, and these sysctls of its namespaces.
pub(super) fn read_init(pid: u32, names: &[String]) -> ProcessText {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    ProcessText { resources: resources(&cgroup), sysctls: sysctls(pid, names), ..read(pid) }
}

/// The kernel shows each thread the sysctls of its own namespaces, so that one goes there and ends. Into those of a user namespace that
/// an ordinary user's podman made it may not, and `None` is what comes of that.
fn sysctls(pid: u32, names: &[String]) -> Option<Vec<(String, String)>> {
    let read = || {
        for (name, kind) in [("net", LinkNameSpaceType::Network), ("ipc", LinkNameSpaceType::InterProcessCommunication)]
        {
            let namespace = fs::File::open(format!("/proc/{pid}/ns/{name}")).ok()?;
            move_into_link_name_space(namespace.as_fd(), Some(kind)).ok()?;
        }
        let value = |name: &String| {
            let text = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).unwrap_or_default();
            (name.clone(), text.trim_end().to_owned())
        };
        Some(names.iter().map(value).collect())
    };
    if names.is_empty() { Some(Vec::new()) } else { thread::scope(|scope| scope.spawn(read).join().ok()?) }
}

/// The limits of the groups that a process is in, by its /proc/PID/cgroup.
fn resources(cgroup: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for hierarchy in controllers().hierarchies(|_| true) {
        let directory = hierarchy.directory(cgroup);
        for name in &hierarchy.files {
            let text = directory.as_ref().and_then(|directory| fs::read_to_string(format!("{directory}/{name}")).ok());
            found.push((name.clone(), text.unwrap_or_default()));
        }
    }
    found
}

/// The same of a process that has described itself in the container of this pid 1.
pub(super) fn resources_inside(text: &ProcessText, init: u32) -> Vec<(String, String)> {
    let outside = fs::read_to_string(format!("/proc/{init}/cgroup")).unwrap_or_default();
    let hierarchies = controllers().hierarchies(|_| true);
    let lines = hierarchies.iter().filter_map(|one| one.as_the_host(&text.cgroup, &text.init_cgroup, &outside));
    resources(&lines.collect::<String>())
}

/// The host's namespaces: this process's.
pub(super) fn host_namespaces() -> Vec<(String, String)> {
    namespaces("self")
}

fn namespaces(pid: &str) -> Vec<(String, String)> {
    report::namespaces(|name| Some(fs::read_link(format!("/proc/{pid}/ns/{name}")).ok()?.to_str()?.to_owned()))
}

/// A process and its ancestors up to the machine's pid 1. Of who has more capabilities than this process the kernel tells no
/// namespaces (ptrace(2), PTRACE_MODE_READ); its command it tells to everybody.
pub(super) fn lineage(pid: u32) -> Vec<ProcessText> {
    report::lineage(pid, read)
}
