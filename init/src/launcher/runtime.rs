//! Containers that an OCI runtime makes, driven as a command: runc, crun.
//!
//! It runs in the lab host, as the launcher does: whatever it makes dies with the launcher's pid namespace, and its state, its
//! bundles and the fixture host are on a tmpfs that goes with the mount namespace. What stays are its control groups; they lie
//! below one directory in each hierarchy, which the guard removes.

use alloc::{borrow::ToOwned, ffi::CString, format, string::String, vec, vec::Vec};
use core::time::Duration;

use caplab_init::wire::{
    Bundle, Container, ExecReport, Exit, Op, Phase, Process, Program, Refusal, Runtime, runtime::HELPER_SOURCE,
    runtime::PLACE, runtime::cgroups,
};

use super::{Lab, container::Running, exec};
use crate::{
    setup::{self, Place, refusal},
    sys::{
        Fail, Result,
        fd::{self, OwnedFd},
        file, mount, path, process, system,
    },
};

/// How long the runtime itself may take for a container.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes kept of what it says.
const WORDS: usize = 16 << 10;

/// A place for bundles and state, and the helper as a file that can be bound into containers.
pub(super) fn prepare(runtime: &Runtime) -> core::result::Result<(), Refusal> {
    let made = || -> Result<()> {
        path::make_directory(path::directory("/mnt")?.as_fd(), "oci", 0o755)?;
        mount::attach_new("tmpfs", PLACE, "mode=0755,size=256m")?;
        file::save(HELPER_SOURCE, 0o755, &file::read("/proc/self/exe")?)?;
        if runtime.hide_unified {
            // crun 1.8 refuses a machine that has both versions. This is the lab's own mount namespace.
            mount::detach("/sys/fs/cgroup/unified").ok();
        }
        Ok(())
    };
    made().map_err(|fail| refusal(Phase::Plumbing, fail))
}

/// Removes the place. What still runs has been killed before.
pub(super) fn remove() {
    mount::detach(PLACE).ok();
}

/// Writes the bundle and has it run; waits until pid 1 is what it should be.
pub(super) fn start(
    lab: &Lab,
    runtime: &Runtime,
    container: &Container,
    bundle: &Bundle,
) -> core::result::Result<Running, Refusal> {
    let plumbing = |fail| refusal(Phase::Plumbing, fail);
    let dir = format!("{PLACE}/{}", container.name);
    write_bundle(container, bundle, &dir).map_err(plumbing)?;
    let pid_file = format!("{dir}/pid");
    let args = ["run", "--detach", "--bundle", &dir, "--pid-file", &pid_file, &container.name];
    let report = command(lab, runtime, &args, PATIENCE, WORDS)?;
    if report.exit != Exit::Code(0) {
        return Err(said("run", runtime, &report));
    }
    let found = file::read_text(&pid_file).map_err(plumbing)?;
    let pid = found.trim().parse().map_err(|_| plumbing(Fail::new("pid-file", libc::EINVAL)))?;
    let pidfd = process::descriptor(pid).map_err(plumbing)?;
    let is_pause = matches!(container.init.program, Program::Pause);
    if is_pause && report.stdout.first() != Some(&setup::READY) {
        return Err(refusal(Phase::Exec, Fail::new("execve", libc::ESRCH)));
    }
    Ok(Running::of_runtime(pid, pidfd, container))
}

/// Has a process run in a container.
pub(super) fn exec(
    lab: &Lab,
    runtime: &Runtime,
    container: &Container,
    process: &Process,
    timeout: Duration,
    limit: usize,
) -> core::result::Result<ExecReport, Refusal> {
    let plumbing = |fail| refusal(Phase::Plumbing, fail);
    let document = format!("{PLACE}/{}/process.json", container.name);
    let log = format!("{PLACE}/log");
    file::save(&document, 0o644, process.document.as_deref().unwrap_or_default()).map_err(plumbing)?;
    file::save(&log, 0o644, &[]).map_err(plumbing)?;
    let args = ["exec", "--process", &document, &container.name];
    let report = command(lab, runtime, &args, timeout, limit)?;
    // The runtime's own failures are in its log; the process's are not.
    let complaint = file::read_text(&log).unwrap_or_default();
    match complaint.lines().rfind(|line| line.contains("error")) {
        Some(line) if !matches!(report.exit, Exit::Code(0) | Exit::TimedOut) => {
            Err(Refusal { phase: Phase::Runtime, call: runtime.call("exec"), errno: 0, detail: line.to_owned() })
        }
        _ => Ok(ExecReport { exit: shell_status(report.exit), ..report }),
    }
}

/// A runtime hands on a signal as a shell does, 128 and its number.
fn shell_status(exit: Exit) -> Exit {
    match exit {
        Exit::Code(code @ 129..=192) => Exit::Signal(code - 128),
        other => other,
    }
}

/// Kills and removes a container, whatever state it is in.
pub(super) fn delete(lab: &Lab, runtime: &Runtime, name: &str) {
    // Where that fails the launcher's end kills it.
    command(lab, runtime, &["delete", "--force", name], PATIENCE, WORDS).ok();
}

fn command(
    lab: &Lab,
    runtime: &Runtime,
    args: &[&str],
    timeout: Duration,
    limit: usize,
) -> core::result::Result<ExecReport, Refusal> {
    let own = [runtime.program.as_str()].into_iter().chain(runtime.args.iter().map(String::as_str));
    let strings: Result<Vec<CString>> =
        own.chain(args.iter().copied()).map(|text| crate::sys::c_string("execve", text)).collect();
    let strings = strings.map_err(|fail| refusal(Phase::Plumbing, fail))?;
    exec::on_the_lab_host(lab, timeout, limit, || {
        let fail = process::execute(&strings[0], &strings, &[c"PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned()]);
        refusal(Phase::Exec, fail)
    })
}

fn said(verb: &str, runtime: &Runtime, report: &ExecReport) -> Refusal {
    let words = String::from_utf8_lossy(&report.stderr);
    let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Refusal { phase: Phase::Runtime, call: runtime.call(verb), errno: 0, detail: last.trim().to_owned() }
}

fn write_bundle(container: &Container, bundle: &Bundle, dir: &str) -> Result<()> {
    let place = path::directory(PLACE)?;
    path::make_directory(place.as_fd(), &container.name, 0o755)?;
    let own = path::directory(dir)?;
    path::make_directory(own.as_fd(), "rootfs", 0o755)?;
    let root: OwnedFd = path::directory(&format!("{dir}/rootfs"))?;
    file::save(&format!("{dir}/config.json"), 0o644, &bundle.config)?;
    // Modes are those that are asked for; the runtime gets the usual umask back.
    system::set_umask(0);
    let filled = fill(root, bundle);
    system::set_umask(0o022);
    filled
}

fn fill(root: OwnedFd, bundle: &Bundle) -> Result<()> {
    let (uid, gid) = bundle.owner;
    let again = fd::duplicate(root.as_fd())?;
    setup::walk(&mut Place::at(root), &bundle.root, Phase::Setup)
        .map_err(|refused| Fail::new("rootfs", refused.errno).with(refused.call))?;
    if (uid, gid) != (0, 0) {
        path::set_owner(again.as_fd(), ".", uid, gid)?;
        for op in &bundle.root {
            if let Op::Dir { path, .. } | Op::File { path, .. } | Op::Symlink { path, .. } = op {
                let (parent, name) = path::parent(again.as_fd(), path)?;
                path::set_owner(parent.as_fd(), &name, uid, gid)?;
            }
        }
    }
    Ok(())
}

/// Lets go on what a runtime has frozen. runc and crun freeze a container before they kill it, and are killed in between where
/// caplab goes. The freezer of version 1 keeps a process from dying of SIGKILL, and with it the whole pid namespace.
pub(super) fn thaw(name: &str) {
    let below = format!("/sys/fs/cgroup/freezer{name}");
    for group in file::names(&below).unwrap_or_default() {
        // Where there is no such file nothing is frozen: it is none of a container's.
        file::write(&format!("{below}/{group}/freezer.state"), b"THAWED").ok();
    }
}

/// Removes the control groups that this guard's runtime left, and those of guards that are no more.
pub(super) fn sweep() {
    let own = cgroups(process::id());
    let prefix = own.trim_start_matches('/').trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
    let mut roots = vec!["/sys/fs/cgroup".to_owned()];
    roots.extend(file::names("/sys/fs/cgroup").unwrap_or_default().iter().map(|name| format!("/sys/fs/cgroup/{name}")));
    for root in roots {
        let Ok(directory) = path::directory(&root) else { continue };
        for name in file::names(&root).unwrap_or_default() {
            let Some(pid) = name.strip_prefix(&prefix).filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()))
            else {
                continue;
            };
            let is_alive = pid != format!("{}", process::id()) && file::status(&format!("/proc/{pid}")).is_ok();
            if is_alive {
                continue;
            }
            thaw(&format!("/{name}"));
            let Ok(group) = path::directory(&format!("{root}/{name}")) else { continue };
            for below in file::names(&format!("{root}/{name}")).unwrap_or_default() {
                path::remove_directory(group.as_fd(), &below).ok();
            }
            path::remove_directory(directory.as_fd(), &name).ok();
        }
    }
}
