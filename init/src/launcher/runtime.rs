//! Containers that an OCI runtime makes, driven as a command: runc, crun.
//!
//! It runs in the lab host, as the launcher does: whatever it makes dies with the launcher's pid namespace, and its state, its
//! bundles and the fixture host are on a tmpfs that goes with the mount namespace. What stays are its control groups; they lie
//! below one directory in each hierarchy, which the guard removes.

use alloc::{borrow::ToOwned, format, string::String};
use core::time::Duration;

use caplab_init::wire::{
    Bundle, Container, ExecReport, Exit, Op, Phase, Process, Program, Refusal, Runtime, report, runtime,
    runtime::CONTAINERS, runtime::HELPER_SOURCE, runtime::KILLED, runtime::NOT_EXECUTED, runtime::PLACE,
    runtime::cgroups,
};

use super::{LAB, Lab, container::Running, exec, look};
use crate::{
    setup::{self, Place, image::Owners, refusal},
    sys::{
        Fail, Result, c_strings,
        clock::Instant,
        fd::{self, OwnedFd},
        file, mount, path,
        process::{self, Block, Ended},
        system,
    },
};

/// How long the runtime itself may take for a container.
const PATIENCE: Duration = Duration::from_secs(60);
/// Two devices like /dev/null of the lab host's own: what lies over the machine's, below [`LAB`], and a runtime's standard input, below
/// the place. crun 1.8 makes its standard input the container's user's with fchown(2), and with it the /dev/null of the container, which
/// with a user namespace is a bind of the host's: were they the machine's, that user would own it from then on, and could take it from
/// everybody. They are two, so that where the map has not the host's 0 the container's /dev/null is nobody's as on a machine.
const NULL: &str = "null";
const INPUT: &str = ".null";
/// Where the hierarchies of control groups are mounted.
const HIERARCHIES: &str = "/sys/fs/cgroup";
/// How long a process that is ending, pid 1 or one of the runtime's, may take until it is over.
const LAST_BREATH: Duration = Duration::from_secs(2);
/// How often it is looked whether pid 1 has become the container's program.
const NAP: Duration = Duration::from_millis(1);
/// Bytes kept of what it says.
const WORDS: usize = 16 << 10;

/// A place for bundles and state, and the helper as a file that can be bound into containers.
pub(super) fn prepare(runtime: &Runtime) -> core::result::Result<(), Refusal> {
    let made = || -> Result<()> {
        path::make_directory(path::directory(LAB)?.as_fd(), "oci", 0o755)?;
        mount::attach_new("tmpfs", PLACE, "mode=0755,size=256m")?;
        path::make_directory(path::directory(PLACE)?.as_fd(), ".containers", 0o755)?;
        if runtime.gives_null_away {
            own_null()?;
        }
        path::make_device(path::directory(PLACE)?.as_fd(), INPUT, libc::S_IFCHR | 0o666, 1, 3)?;
        file::save(HELPER_SOURCE, 0o755, &file::read("/proc/self/exe")?)?;
        if runtime.hide_unified {
            // crun 1.8 refuses a machine that has both versions. This is the lab's own mount namespace.
            mount::detach("/sys/fs/cgroup/unified").ok();
        }
        Ok(())
    };
    made().map_err(|fail| refusal(Phase::Plumbing, fail))
}

/// Lays a /dev/null of the lab's own over the machine's, in this mount namespace; an earlier case's is taken back from its user.
fn own_null() -> Result<()> {
    let lab = path::directory(LAB)?;
    match path::make_device(lab.as_fd(), NULL, libc::S_IFCHR | 0o666, 1, 3) {
        Err(fail) if fail.errno == libc::EEXIST => {}
        made => {
            made?;
            let node = mount::clone_tree(path::find(lab.as_fd(), NULL)?.as_fd(), false)?;
            mount::attach(node.as_fd(), path::find(path::directory("/")?.as_fd(), "/dev/null")?.as_fd())?;
        }
    }
    path::set_owner(lab.as_fd(), NULL, 0, 0)?;
    path::set_mode(lab.as_fd(), NULL, 0o666)
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
    write_bundle(lab, container, bundle, &dir).map_err(plumbing)?;
    let pid_file = format!("{dir}/pid");
    let is_helper = matches!(container.init.program, Program::Pause | Program::Init(_));
    // The runtime ends when it has let pid 1 go, and a machine under load may take its time from there to the pause, which says
    // one byte and closes what it has; an init does so when its command has been executed. Where nobody reads that any more SIGPIPE
    // kills it.
    let words = if is_helper { PATIENCE } else { exec::LAST_WORDS };
    let args = ["run", "--detach", "--bundle", &dir, "--pid-file", &pid_file, &container.name];
    let report = command(lab, runtime, &args, (PATIENCE, words), WORDS)?;
    if report.exit != Exit::Code(0) {
        return Err(said("run", runtime, &report));
    }
    let found = file::read_text(&pid_file).map_err(plumbing)?;
    let pid = found.trim().parse().map_err(|_| plumbing(Fail::new("pid-file", libc::EINVAL)))?;
    let pidfd = process::descriptor(pid).map_err(plumbing)?;
    // By this the Spec of another container names its namespaces.
    path::directory(CONTAINERS)
        .and_then(|above| path::make_symlink(above.as_fd(), &container.name, &format!("/proc/{pid}")))
        .map_err(plumbing)?;
    let runs = if is_helper { report.stdout.first() == Some(&setup::READY) } else { executed(runtime, pid, &pidfd) };
    if runs {
        adopted(runtime, pid);
        return Ok(Running::of_runtime(pid, pidfd, container));
    }
    match never_ran(runtime, pid, &report) {
        Some(refused) => Err(refused),
        None if is_helper => Err(refusal(Phase::Exec, Fail::new("execve", libc::ESRCH))),
        None => Ok(Running::of_runtime(pid, pidfd, container)),
    }
}

/// Waits until pid 1 is no longer the runtime: a copy of it in memory, or its file. The new memory gets its arguments only after the new
/// credentials are in force (fs/exec.c begin_new_exec, then binfmt_elf.c create_elf_tables). False where it has ended before.
fn executed(runtime: &Runtime, pid: i32, pidfd: &OwnedFd) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if is_another(runtime, pid) {
            return true;
        }
        if fd::poll([Some(pidfd.as_fd())], Some(Instant::now() + NAP)).is_ok_and(|[ended]| ended) {
            return false;
        }
    }
    false
}

/// Whether a process is alive and not the runtime: a copy of it in memory, or its file. One that is ending has no arguments any more.
fn is_another(runtime: &Runtime, pid: i32) -> bool {
    let name = runtime.program.rsplit('/').next().unwrap_or_default();
    let program = file::read_link(&format!("/proc/{pid}/exe"));
    let is_runtime = program.is_ok_and(|program| program.contains(name) || program.ends_with("/exe"));
    !is_runtime && file::read(&format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
}

/// Waits until the runtime's own processes have let go of pid 1. The one that forked it is its parent for as long as it takes to end, and
/// whoever asks for pid 1's ancestors would find it among them.
fn adopted(runtime: &Runtime, pid: i32) {
    let until = Instant::now() + LAST_BREATH;
    let parent = || report::parent(&look::status(pid)).map(u32::cast_signed).filter(|parent| *parent > 0);
    while Instant::now() < until && parent().is_some_and(|parent| !is_another(runtime, parent)) {
        fd::poll([None], Some(Instant::now() + NAP)).ok();
    }
}

/// Why pid 1 has ended before it was the container's program. Neither `create` nor `start` of a runtime tells: both are over by then, and
/// well. What could not be executed the runtime's own process says where the container's would write, in its last line; a seccomp
/// profile kills it before it can.
fn never_ran(runtime: &Runtime, pid: i32, report: &ExecReport) -> Option<Refusal> {
    let says = |detail: String| Refusal { phase: Phase::Runtime, call: runtime.call("start"), errno: 0, detail };
    let words = String::from_utf8_lossy(&report.stderr);
    if let Some(line) = words.lines().rfind(|line| line.starts_with(NOT_EXECUTED)) {
        return Some(says(line.trim().to_owned()));
    }
    // What it wrote to is closed before its end is there to be waited for, and until the runtime's own processes have ended it is their
    // child.
    let until = Instant::now() + LAST_BREATH;
    loop {
        match process::wait(pid, Block::No) {
            Ok(Some(Ended::Signal(libc::SIGSYS))) => return Some(says(KILLED.to_owned())),
            Ok(Some(_)) => return None,
            _ if Instant::now() >= until => return None,
            _ => drop(fd::poll([None], Some(Instant::now() + NAP))),
        }
    }
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
    let log = format!("{PLACE}/.log");
    file::save(&document, 0o644, process.document.as_deref().unwrap_or_default()).map_err(plumbing)?;
    file::save(&log, 0o644, &[]).map_err(plumbing)?;
    let args = ["exec", "--process", &document, &container.name];
    let report = command(lab, runtime, &args, (timeout, exec::LAST_WORDS), limit)?;
    // The runtime's own failures are in its log; the process's are not. runc's lines have a level, crun's are failures.
    let complaint = file::read_text(&log).unwrap_or_default();
    let is_failure =
        |line: &&str| if line.contains("level=") { line.contains("level=error") } else { !line.trim().is_empty() };
    match complaint.lines().rfind(is_failure) {
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
    command(lab, runtime, &["delete", "--force", name], (PATIENCE, exec::LAST_WORDS), WORDS).ok();
}

fn command(
    lab: &Lab,
    runtime: &Runtime,
    args: &[&str],
    (timeout, last_words): (Duration, Duration),
    limit: usize,
) -> core::result::Result<ExecReport, Refusal> {
    let own = [runtime.program.as_str()].into_iter().chain(runtime.args.iter().map(String::as_str));
    let strings = c_strings(own.chain(args.iter().copied())).map_err(|fail| refusal(Phase::Plumbing, fail))?;
    // crun 1.8 executes itself once more from a file that it binds over with itself, below /tmp unless this names a directory. Killed
    // before it has removed the file, it leaves it (cloned_binary.c, try_bindfd).
    let copies = format!("_LIBCONTAINER_STATEDIR={PLACE}");
    let env =
        c_strings(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", &copies]).map_err(|fail| refusal(Phase::Plumbing, fail))?;
    exec::on_the_lab_host(lab, timeout, last_words, limit, || {
        let null = file::open(&format!("{PLACE}/{INPUT}"), libc::O_RDONLY);
        if let Err(fail) = null.and_then(|null| fd::duplicate_onto(null.as_fd(), fd::INPUT)) {
            return refusal(Phase::Plumbing, fail);
        }
        let fail = process::execute(&strings[0], &strings, &env);
        refusal(Phase::Exec, fail)
    })
}

fn said(verb: &str, runtime: &Runtime, report: &ExecReport) -> Refusal {
    let words = String::from_utf8_lossy(&report.stderr);
    let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Refusal { phase: Phase::Runtime, call: runtime.call(verb), errno: 0, detail: last.trim().to_owned() }
}

fn write_bundle(lab: &Lab, container: &Container, bundle: &Bundle, dir: &str) -> Result<()> {
    let place = path::directory(PLACE)?;
    path::make_directory(place.as_fd(), &container.name, 0o755)?;
    let own = path::directory(dir)?;
    path::make_directory(own.as_fd(), "rootfs", 0o755)?;
    let root: OwnedFd = path::directory(&format!("{dir}/rootfs"))?;
    file::save(&format!("{dir}/config.json"), 0o644, &bundle.config)?;
    // Modes are those that are asked for; the runtime gets the usual umask back.
    system::set_umask(0);
    let filled = fill(lab, root, container, bundle);
    system::set_umask(0o022);
    filled?;
    if !bundle.read_only.is_empty() {
        path::make_directory(own.as_fd(), "ro", 0o755)?;
    }
    for (index, source) in bundle.read_only.iter().enumerate() {
        lay_read_only(source, &runtime::read_only(&container.name, index))?;
    }
    Ok(())
}

/// A bind of something, with what is mounted below it, that is read-only itself. One of nothing is the runtime's to refuse.
fn lay_read_only(source: &str, place: &str) -> Result<()> {
    let root = path::directory("/")?;
    let found = match path::find(root.as_fd(), source) {
        Err(fail) if [libc::ENOENT, libc::ENOTDIR].contains(&fail.errno) => return Ok(()),
        found => found?,
    };
    let (above, name) = path::parent(root.as_fd(), place)?;
    if path::is_directory(found.as_fd())? {
        path::make_directory(above.as_fd(), &name, 0o755)?;
    } else {
        file::save(place, 0o644, &[])?;
    }
    let tree = mount::clone_tree(found.as_fd(), true)?;
    mount::set_attributes(tree.as_fd(), mount::RDONLY, false)?;
    mount::attach(tree.as_fd(), path::find(root.as_fd(), place)?.as_fd())
}

fn fill(lab: &Lab, root: OwnedFd, container: &Container, bundle: &Bundle) -> Result<()> {
    let (uid, gid) = bundle.owner;
    let again = fd::duplicate(root.as_fd())?;
    let owners = Owners { uids: &container.uid_map, gids: &container.gid_map };
    setup::walk(&mut Place::at(root).with_images(&lab.images, owners), &bundle.root, Phase::Setup)
        .map_err(|refused| Fail::new("rootfs", refused.errno).with(format!("{} {}", refused.call, refused.detail)))?;
    if (uid, gid) != (0, 0) {
        // An image's root has its owner from the image.
        if !bundle.root.iter().any(|op| matches!(op, Op::Image { .. })) {
            path::set_owner(again.as_fd(), ".", uid, gid)?;
        }
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
    let prefix = own.trim_start_matches('/').trim_end_matches(|letter: char| letter.is_ascii_digit());
    // Version 2 alone has its groups here, version 1 a hierarchy for each name.
    let hierarchies = file::names(HIERARCHIES).unwrap_or_default();
    sweep_in(HIERARCHIES, &hierarchies, prefix);
    for name in hierarchies.iter().filter(|name| !name.starts_with('.')) {
        let mount = format!("{HIERARCHIES}/{name}");
        sweep_in(&mount, &file::names(&mount).unwrap_or_default(), prefix);
    }
}

/// The same in one hierarchy, which has these groups and files.
fn sweep_in(mount: &str, names: &[String], prefix: &str) {
    for name in names {
        let Some(pid) = name.strip_prefix(prefix).filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())) else {
            continue;
        };
        let is_alive = pid != format!("{}", process::id()) && file::status(&format!("/proc/{pid}")).is_ok();
        if is_alive {
            continue;
        }
        thaw(&format!("/{name}"));
        let (Ok(directory), Ok(group)) = (path::directory(mount), path::directory(&format!("{mount}/{name}"))) else {
            continue;
        };
        for below in file::names(&format!("{mount}/{name}")).unwrap_or_default() {
            path::remove_directory(group.as_fd(), &below).ok();
        }
        path::remove_directory(directory.as_fd(), name).ok();
    }
}
