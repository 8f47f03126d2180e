//! What an engine needs as files of the real machine, the helper and the fixture host, and who removes all of a run's when
//! caplab is killed.

use std::{
    fs, io,
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use caplab_init::wire::{FileReport, FixtureEntry, FixtureKind};
use rustix::fs::{
    AtFlags, Mode, OFlags, ResolveFlags, StatVfsMountFlags, StatxAttributes, StatxFlags, openat2, statvfs, statx,
};

use super::{build::BUILT, client::Client, command_line::Dialect};
use crate::engine::{EngineError, lab::helper};

/// The label that every container of caplab's carries; its value says whose it is: [`owner`].
pub(super) const LABEL: &str = "caplab.owner";
/// How the folders of all runs begin.
const PREFIX: &str = "caplab-engine-";

/// Waits for the end of whoever holds the other end of its standard input. Where that was not the orderly one, what the engine
/// still runs is removed: three times, since a call may be under way, and each for a bounded time, since it may hang. A runtime that is at `create`
/// for five seconds (hung.rs has the same in words) is ended, its half in the container first: nobody can remove the container as long as it lives. `$1` the
/// label, `$2` the folder, `$3` how `rm` is told not to wait, `$4` and `$5` the repository and the beginning of the tags of what was built,
/// the rest the engine's command.
const GUARD: &str = r#"label=$1 dir=$2 hurry=$3 built=$4 tag=$5; shift 5
creating() {
    for line in $(grep -l -e --bundle /proc/[0-9]*/cmdline 2>/dev/null); do
        bundle=$(tr '\000' '\n' <"$line" | sed -n '/^create$/,$ { /^--bundle$/ { n; p; q } }')
        [ -z "$bundle" ] || ! grep -qF "/${dir##*/}/helper\"" "$bundle/config.json" || { one=${line%/*}; echo "${one##*/}"; }
    done 2>/dev/null
}
end_hung() {
    left=25
    while pids=$(creating); [ "$pids" ] && [ "$left" -gt 0 ]; do sleep 0.2; left=$((left - 1)); done
    for pid in $pids; do
        for status in $(grep -l "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status 2>/dev/null); do
            status=${status%/*}; kill -KILL "${status##*/}"
        done
    done
    [ -z "$pids" ] || { sleep 1; pids=$(creating); [ -z "$pids" ] || kill -KILL $pids; }
}
read -r word
if [ "$word" != done ]; then
    for pause in 0 1 2; do
        sleep "$pause"
        end_hung
        ids=$(timeout -k 1 20 "$@" ps --all --quiet --filter "label=$label")
        [ -z "$ids" ] || timeout -k 1 20 "$@" rm --force --volumes $hurry $ids
        ids=$(timeout -k 1 20 "$@" images --format '{{.Repository}}:{{.Tag}}' --filter "reference=$built" | grep -F ":$tag-")
        ids="$ids $(timeout -k 1 20 "$@" images --quiet --filter dangling=true --filter "label=$label")"
        [ "$ids" = ' ' ] || timeout -k 1 20 "$@" rmi --force $ids
    done
fi
rm -rf -- "$dir""#;

/// A folder of this run and its guard.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    guard: Child,
    /// Something may still run: the guard is not told that all is done.
    pub(super) dirty: bool,
}

impl Place {
    /// Makes the folder with the helper in it, and starts the guard.
    pub(super) fn make(client: &Client, dialect: Dialect) -> Result<Self, EngineError> {
        let failed =
            |what: &str, error: io::Error| EngineError(format!("a folder for {}: {what}: {error}", client.name));
        let owner = owner();
        let above = above().map_err(|error| failed("looking for a place", error))?;
        let made = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{owner}-"))
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir_in(&above)
            .map_err(|error| failed(&above.display().to_string(), error))?;
        let helper = made.path().join("helper");
        fs::write(&helper, helper::binary()).map_err(|error| failed("the helper", error))?;
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).map_err(|error| failed("the helper", error))?;
        let label = label(made.path());
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "caplab-guard", &label])
            .arg(made.path())
            .arg(dialect.hurry().join(" "))
            .args([BUILT, tag(made.path())])
            .arg(&client.program)
            .args(&client.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is meant for caplab; the guard sees that it is gone.
            .process_group(0)
            .spawn()
            .map_err(|error| failed("/bin/sh", error))?;
        Ok(Self { dir: made.keep(), guard, dirty: false })
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// `caplab.owner=…`: what this one has made, and none of the other workers of this run. A guard that is not told that all is done
    /// removes whatever carries it, and they may still be at it.
    pub(super) fn label(&self) -> String {
        label(&self.dir)
    }

    /// How the tags of what is built here begin, which nobody else's do: with the owner.
    pub(super) fn tag(&self) -> &str {
        tag(&self.dir)
    }

    /// The folder's name, which is unique.
    pub(super) fn folder(&self) -> &str {
        self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// A name for a container, which nobody else has.
    pub(super) fn name(&self, container: &str) -> String {
        format!("{}-{container}", self.folder())
    }

    /// Where the fixture host lies.
    pub(super) fn fixture(&self) -> PathBuf {
        self.dir.join("host")
    }

    /// Makes the fixture host.
    pub(super) fn make_fixture(&self, entries: &[FixtureEntry]) -> Result<(), EngineError> {
        let root = self.fixture();
        let make = |path: &Path, entry: Option<&FixtureEntry>| -> io::Result<()> {
            match entry.map(|entry| &entry.kind) {
                None | Some(FixtureKind::Dir) => fs::DirBuilder::new().mode(0o700).create(path)?,
                // A case with one is another engine's (expressible.rs).
                Some(FixtureKind::Socket) => return Err(io::ErrorKind::Unsupported.into()),
                Some(FixtureKind::File(content)) => {
                    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)?;
                }
            }
            let (uid, gid, mode) = entry.map_or((0, 0, 0o755), |entry| (entry.uid, entry.gid, entry.mode));
            chown(path, Some(uid), Some(gid))?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        };
        let failed = |path: &str, error: io::Error| EngineError(format!("the fixture host's {path}: {error}"));
        make(&root, None).map_err(|error| failed("/", error))?;
        for entry in entries {
            let path = root.join(entry.path.trim_start_matches('/'));
            make(&path, Some(entry)).map_err(|error| failed(&entry.path, error))?;
        }
        Ok(())
    }

    /// Removes it, with whatever containers have put there.
    pub(super) fn remove_fixture(&self) {
        // Links are not followed. What cannot be removed now goes with the folder.
        fs::remove_dir_all(self.fixture()).ok();
    }

    /// What a file of the fixture host is now.
    pub(super) fn look(&self, path: &str, limit: usize) -> Result<FileReport, rustix::io::Errno> {
        let root = rustix::fs::open(self.fixture(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // A container may have put links there: they are followed as the fixture host's, never as the machine's.
        let open = |how: OFlags| {
            let how = how | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            openat2(&root, path.trim_start_matches('/'), how, Mode::empty(), ResolveFlags::IN_ROOT)
        };
        let handle = match open(OFlags::PATH) {
            Err(rustix::io::Errno::NOENT) => {
                return Ok(FileReport::default());
            }
            opened => opened?,
        };
        let status = rustix::fs::fstat(&handle)?;
        let (mut content, mut names) = (Vec::new(), Vec::new());
        let broken = |_| rustix::io::Errno::IO;
        match rustix::fs::FileType::from_raw_mode(status.st_mode) {
            rustix::fs::FileType::RegularFile => {
                let file = fs::File::from(open(OFlags::RDONLY)?);
                io::Read::read_to_end(&mut io::Read::take(file, limit as u64), &mut content).map_err(broken)?;
            }
            rustix::fs::FileType::Directory => {
                for entry in rustix::fs::Dir::new(open(OFlags::RDONLY | OFlags::DIRECTORY)?)? {
                    names.push(entry?.file_name().to_string_lossy().into_owned());
                }
                names.retain(|name| name != "." && name != "..");
                names.sort_unstable();
            }
            _ => {}
        }
        let attributes = statx(&handle, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?.stx_attributes;
        let mounted = attributes.contains(StatxAttributes::MOUNT_ROOT);
        let (mode, uid, gid) = (status.st_mode & 0o7777, status.st_uid, status.st_gid);
        let kind = rustix::fs::FileType::from_raw_mode(status.st_mode).as_raw_mode();
        Ok(FileReport { exists: true, mounted, mode, uid, gid, kind, content, names })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut told) = self.guard.stdin.take()
            && !self.dirty
        {
            // A guard that was killed leaves the folder to the next run.
            told.write_all(b"done\n").ok();
        }
        if !self.dirty {
            self.guard.wait().ok();
        }
    }
}

/// A folder of this machine in which owners, modes, devices and set-uid mean what they say.
fn above() -> io::Result<PathBuf> {
    let candidates = [std::env::temp_dir(), "/var/tmp".into(), "/tmp".into(), "/run".into()];
    let hindering =
        StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV | StatVfsMountFlags::NOEXEC | StatVfsMountFlags::RDONLY;
    let fit = |dir: &PathBuf| statvfs(dir).is_ok_and(|about| !about.f_flag.intersects(hindering));
    candidates.into_iter().find(fit).ok_or_else(|| {
        io::Error::other(
            "TMPDIR, /var/tmp, /tmp and /run are each mounted nosuid, nodev, noexec or read-only; set TMPDIR",
        )
    })
}

/// Who this process is as long as the machine runs: its pid and when it was started, proc_pid_stat(5) field 22.
fn owner() -> String {
    let pid = std::process::id();
    format!("{pid}.{}", started(&pid.to_string()).unwrap_or_default())
}

fn started(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

fn label(dir: &Path) -> String {
    format!("{LABEL}={}", tag(dir))
}

/// The folder's own part of its name: who has made it, and what makes it one of its own.
fn tag(dir: &Path) -> &str {
    dir.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default()
}

/// Whether the run whose label or tag this is still goes on.
pub(super) fn is_alive(owner: &str) -> bool {
    let owner = owner.split('-').next().unwrap_or_default();
    owner.split_once('.').is_some_and(|(pid, start)| started(pid).is_some_and(|seen| seen == start))
}

/// The folders of runs that are no more.
pub(super) fn abandoned() -> Vec<PathBuf> {
    let Ok(above) = above() else { return Vec::new() };
    let entries = fs::read_dir(above).into_iter().flatten().flatten();
    entries.filter(|entry| is_abandoned(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

/// Whether this is the name of a folder of a run that is no more.
pub(super) fn is_abandoned(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('-'));
    owner.is_some_and(|(owner, _)| !is_alive(owner))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// The guard of a worker that is not sure of all being gone removed what another worker of the same run was at.
    #[test]
    fn two_workers_of_a_run_have_labels_of_their_own() {
        let client = Client {
            name: "none",
            program: "/bin/true".into(),
            options: Vec::new(),
            version: "",
            folder: None,
            hung: Cell::new(false),
        };
        let [one, other] = [(); 2].map(|()| Place::make(&client, Dialect::Docker).expect("a place"));
        assert_ne!(one.label(), other.label());
        for place in [&one, &other] {
            let value = place.label().split_once('=').map(|(_, value)| value.to_owned()).expect("a value");
            assert!(is_alive(&value), "{value}");
            assert!(place.name("box").ends_with(&format!("{value}-box")), "{value}");
        }
        assert!(!is_alive("1.1-abc") && !is_alive(""));
    }
}
