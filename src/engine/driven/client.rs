//! One call of an engine's command line, bounded in time and output.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use caplab_init::wire::{ExecReport, Exit};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::engine::EngineError;

/// How long an engine may take for what is not a step: making, looking, removing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long one may take to say its version, where it is asked whether it is there at all.
pub(super) const HELLO: Duration = Duration::from_secs(10);
/// Bytes kept of what it says then.
const WORDS: usize = 64 << 10;
/// After a call has ended, what its background children still hold open is read for this long.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long a build, or a call whose time is over, may take to end and to remove what it has made, once it is no longer wanted.
const LAST_WISH: Duration = Duration::from_secs(15);
/// A build's RUN outlives its client: of podman's build it is a process of nobody's, and in the way of all that is left. So a build is ended from
/// outside, when its time is over or caplab is gone, which is when standard input ends: who is below the client and in another pid namespace is the RUN,
/// and with it gone podman fails and removes what it has made. docker's client has nobody below it, and its daemon ends with it.
/// `$1` the signal for the client, the rest the command.
const HELD: &str = r#"signal=$1; shift
exec 3<&0
"$@" 3<&- </dev/null & build=$!
{
    read -r word <&3
    left=100
    while [ "$left" -gt 0 ] && kill "-$signal" "$build"; do
        for one in /proc/[0-9]*; do
            up=${one#/proc/}
            [ "$one/ns/pid" -ef /proc/self/ns/pid ] || while [ "$up" -gt 1 ]; do
                [ "$up" != "$build" ] || { kill -KILL "${one#/proc/}"; break; }
                read -r stat <"/proc/$up/stat" || break
                stat=${stat##*) } stat=${stat#? } up=${stat%% *}
            done
        done
        sleep 0.1
        left=$((left - 1))
    done
    kill -KILL "$build"
} >/dev/null 2>&1 & watch=$!
exec 3<&-
wait "$build"
status=$?
kill "$watch" 2>/dev/null
exit "$status""#;

/// An engine's program and what every call of it has.
#[derive(Debug, Clone)]
pub(super) struct Client {
    /// `docker`.
    pub(super) name: &'static str,
    /// Its path.
    pub(super) program: PathBuf,
    /// Options before the verb.
    pub(super) options: Vec<String>,
    /// `--format` of its `version` for the half that does the work.
    pub(super) version: &'static str,
    /// Where it is called: conmon, podman's, writes a file `oom` there where the kernel has killed what `exec` began.
    pub(super) folder: Option<PathBuf>,
    /// It did not answer once: from now on it is asked whether it is there before anything is asked of it.
    pub(super) hung: Cell<bool>,
}

impl Client {
    /// A call; its exit status is the caller's to judge. `environment` is added to this process's own.
    pub(super) fn call(
        &self,
        arguments: &[String],
        environment: &[(&str, String)],
        timeout: Duration,
        limit: usize,
    ) -> Result<ExecReport, EngineError> {
        self.call_or(arguments, environment, timeout, limit, || false)
    }

    /// The same. Where its time is over it is asked whether something was done about that: then it has some more to say so itself, and to
    /// clean up.
    pub(super) fn call_or(
        &self,
        arguments: &[String],
        environment: &[(&str, String)],
        timeout: Duration,
        limit: usize,
        is_mended: impl FnOnce() -> bool,
    ) -> Result<ExecReport, EngineError> {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        self.run(command, arguments, environment, timeout, limit, is_mended)
    }

    /// A call of `build`: it has ended, and so has what it runs, when this is over.
    pub(super) fn build(
        &self,
        signal: &str,
        arguments: &[String],
        environment: &[(&str, String)],
        timeout: Duration,
    ) -> Result<ExecReport, EngineError> {
        let mut command = Command::new("/bin/sh");
        // Ctrl-C is meant for caplab, with which the build ends.
        command.args(["-c", HELD, "caplab-build", signal]).arg(&self.program).stdin(Stdio::piped()).process_group(0);
        self.run(command, arguments, environment, timeout, WORDS, || false)
    }

    fn run(
        &self,
        mut command: Command,
        arguments: &[String],
        environment: &[(&str, String)],
        timeout: Duration,
        limit: usize,
        is_mended: impl FnOnce() -> bool,
    ) -> Result<ExecReport, EngineError> {
        command.args(&self.options).args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        run(command, timeout, limit, is_mended)
            .map_err(|error| EngineError(format!("{} cannot be called: {error}", self.program.display())))
    }

    /// Asks it for its version; its exit status is the caller's to judge.
    pub(super) fn hello(&self) -> Result<ExecReport, EngineError> {
        self.call(&["version".to_owned(), self.version.to_owned()], &[], HELLO, 4096)
    }

    /// Makes sure that it is there: a step's time may be over because the engine hangs, which says nothing of the container.
    pub(super) fn must_be_there(&self) -> Result<(), EngineError> {
        let report = self.hello()?;
        self.hung.set(report.exit == Exit::TimedOut);
        match report.exit {
            Exit::Code(0) => Ok(()),
            _ => Err(self.failed(&["version".to_owned()], &report)),
        }
    }

    /// A call that must succeed: what it printed.
    pub(super) fn must(&self, arguments: &[&str]) -> Result<String, EngineError> {
        self.must_within(PATIENCE, arguments)
    }

    /// The same, in this time.
    pub(super) fn must_within(&self, time: Duration, arguments: &[&str]) -> Result<String, EngineError> {
        let owned: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let report = self.call(&owned, &[], time, WORDS)?;
        match report.exit {
            Exit::Code(0) => Ok(String::from_utf8_lossy(&report.stdout).trim_end().to_owned()),
            _ => Err(self.failed(&owned, &report)),
        }
    }

    /// What a call that was not expected to fail says, as an error.
    pub(super) fn failed(&self, arguments: &[String], report: &ExecReport) -> EngineError {
        let verb: Vec<&str> =
            arguments.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).take(2).collect();
        let call = format!("{} {}", self.name, verb.join(" "));
        if report.exit == Exit::TimedOut {
            self.hung.set(true);
            return EngineError(format!(
                "{call} did not answer in time: does its daemon hang? `{} version` tells",
                self.name
            ));
        }
        let words = last_line(&report.stderr);
        let remedy = match () {
            () if words.contains("no space left") => "; free space where the engine keeps its images",
            () if words.contains("Cannot connect") || words.contains("connection refused") => {
                "; its daemon does not run: systemctl start docker"
            }
            () => "",
        };
        EngineError(format!("{call}: {words}{remedy}"))
    }
}

/// What a program said last that says something. docker ends a complaint with "See 'docker run --help'", or, from 23 on, "Run …".
pub(super) fn last_line(bytes: &[u8]) -> String {
    let words = String::from_utf8_lossy(bytes);
    let is_advice = |line: &str| ["See 'docker", "Run 'docker"].iter().any(|begin| line.starts_with(begin));
    let told = words.lines().map(str::trim).rfind(|line| !line.is_empty() && !is_advice(line));
    told.unwrap_or("it said nothing").to_owned()
}

/// Runs a program to its end, or kills it when its time is over.
fn run(
    mut command: Command,
    timeout: Duration,
    limit: usize,
    is_mended: impl FnOnce() -> bool,
) -> io::Result<ExecReport> {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // What is held by it ends by itself once it is let go.
    let mut held = child.stdin.take();
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let mut streams = [
        Stream::new(child.stdout.take().map(OwnedFd::from), limit),
        Stream::new(child.stderr.take().map(OwnedFd::from), limit),
    ];
    let mut deadline = started + timeout;
    let mut ended = None;
    let mut is_mended = Some(is_mended);
    while ended.is_none() || streams.iter().any(|stream| stream.from.is_some()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            if ended.is_none() && is_mended.take().is_some_and(|asked| asked()) {
                deadline = Instant::now() + LAST_WISH;
                continue;
            }
            break;
        }
        if take(&mut streams, ended.is_none().then_some(&process), left)? {
            ended = Some(child.wait()?);
            deadline = Instant::now() + LAST_WORDS;
        }
    }
    if ended.is_none() {
        if held.take().is_some() {
            let time = Timespec::try_from(LAST_WISH).map_err(io::Error::other)?;
            poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&time)).ok();
        }
        child.kill()?;
        child.wait()?;
    }
    let [out, err] = streams;
    Ok(ExecReport {
        exit: ended.map_or(Exit::TimedOut, exit),
        stdout: out.kept,
        stderr: err.kept,
        stdout_cut: out.cut,
        stderr_cut: err.cut,
        nanos: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
    })
}

fn exit(status: ExitStatus) -> Exit {
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)
}

/// Waits until something can be read, and reads it; true where the process has ended.
fn take(streams: &mut [Stream; 2], process: Option<&OwnedFd>, time: Duration) -> io::Result<bool> {
    let open = streams.iter().map(|stream| stream.from.as_ref().map(AsFd::as_fd));
    let watched: Vec<_> = open.chain([process.map(AsFd::as_fd)]).enumerate().collect();
    let (places, mut polled): (Vec<usize>, Vec<PollFd<'_>>) = watched
        .into_iter()
        .filter_map(|(place, fd)| Some((place, PollFd::from_borrowed_fd(fd?, PollFlags::IN))))
        .unzip();
    let time = Timespec::try_from(time).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&time)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<usize> =
        places.into_iter().zip(&polled).filter(|(_, fd)| !fd.revents().is_empty()).map(|(place, _)| place).collect();
    for place in &ready {
        if let Some(stream) = streams.get_mut(*place) {
            stream.take()?;
        }
    }
    Ok(ready.contains(&streams.len()))
}

/// A stream that is being read.
struct Stream {
    from: Option<File>,
    kept: Vec<u8>,
    limit: usize,
    cut: bool,
}

impl Stream {
    fn new(from: Option<OwnedFd>, limit: usize) -> Self {
        Self { from: from.map(File::from), kept: Vec::new(), limit, cut: false }
    }

    /// Reads once; beyond the limit it is read, so that the writer goes on, and thrown away.
    fn take(&mut self) -> io::Result<()> {
        let Some(from) = &mut self.from else { return Ok(()) };
        let mut buffer = [0; 16 << 10];
        let count = from.read(&mut buffer)?;
        if count == 0 {
            self.from = None;
        }
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&buffer[..count.min(room)]);
        self.cut |= count > room;
        Ok(())
    }
}
