//! The bare floor under one container's life: the same system calls as the launcher makes for a container of the `bare`
//! preset, and no more. No messages, no operations, no look at what came of it. Prints `floor_us` and the median.
//!
//! The program that is executed is the helper, given as the first argument, which complains about its arguments and ends.

use std::{ffi::CString, fs, os::fd::AsRawFd, time::Instant};

const LIVES: usize = 300;
const NAMESPACES: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWCGROUP;

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let Some(program) = arguments.get(1) else {
        eprintln!("floor: give the helper's path");
        return;
    };
    let program = fs::File::open(program).expect("the helper");
    // SAFETY: only numbers and static C strings; this process has one thread.
    unsafe {
        assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0, "needs root");
        assert_eq!(
            libc::mount(
                c"none".as_ptr(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null()
            ),
            0
        );
    }
    let mut lives: Vec<u128> = (0..LIVES + 20)
        .map(|_| {
            let started = Instant::now();
            life(program.as_raw_fd());
            started.elapsed().as_nanos()
        })
        .skip(20)
        .collect();
    lives.sort_unstable();
    println!("floor_us {:.0}", lives[LIVES / 2] as f64 / 1000.0);
}

fn life(program: i32) {
    let mut pidfd: i32 = -1;
    let args = [(NAMESPACES | libc::CLONE_PIDFD) as u64, (&raw mut pidfd) as u64, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    // SAFETY: clone_args without a stack is a fork; this process has one thread, so that the child may do anything.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, args.as_ptr(), std::mem::size_of_val(&args)) };
    if pid == 0 {
        become_init(program);
    }
    assert!(pid > 0, "clone3");
    let mut status = 0;
    // SAFETY: the status is this function's own; the descriptor is the kernel's new one.
    unsafe {
        assert_eq!(libc::waitpid(pid as i32, &raw mut status, 0), pid as i32);
        libc::close(pidfd);
    }
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 125, "the helper was executed: {status:#x}");
}

fn become_init(program: i32) -> ! {
    let mount = |source: &str, target: &str, options: &str, flags: libc::c_ulong| {
        let [source, target, options] = [source, target, options].map(|text| CString::new(text).expect("no NUL"));
        // SAFETY: C strings that live until the call returns.
        let done =
            unsafe { libc::mount(source.as_ptr(), target.as_ptr(), source.as_ptr(), flags, options.as_ptr().cast()) };
        assert_eq!(done, 0, "mount {target:?}");
    };
    // SAFETY: numbers and C strings that live through each call; the process ends here.
    unsafe {
        libc::mount(
            c"none".as_ptr(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            std::ptr::null(),
        );
        mount("tmpfs", "/mnt", "mode=755", 0);
        for dir in [
            "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "var", "var/lib",
            "var/tmp",
        ] {
            fs::create_dir(format!("/mnt/{dir}")).expect("mkdir");
        }
        for file in ["passwd", "group", "hostname", "hosts"] {
            fs::write(format!("/mnt/etc/{file}"), "root:x:0:0\n").expect("write");
        }
        mount("proc", "/mnt/proc", "", 0);
        mount("tmpfs", "/mnt/dev", "mode=755,size=65536k", 0);
        fs::create_dir("/mnt/dev/pts").expect("mkdir");
        mount("devpts", "/mnt/dev/pts", "newinstance,ptmxmode=0666,mode=0620", 0);
        mount("sysfs", "/mnt/sys", "", 0);
        for (name, major, minor) in
            [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)]
        {
            let path = CString::new(format!("/mnt/dev/{name}")).expect("no NUL");
            assert_eq!(libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o666, libc::makedev(major, minor)), 0);
        }
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            std::os::unix::fs::symlink(target, format!("/mnt/dev/{name}")).expect("symlink");
        }
        assert_eq!(libc::chdir(c"/mnt".as_ptr()), 0);
        assert_eq!(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()), 0);
        assert_eq!(libc::umount2(c".".as_ptr(), libc::MNT_DETACH), 0);
        libc::sethostname(c"box".as_ptr(), 3);
        // `lo` up.
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as _;
        request.ifr_name[1] = b'o' as _;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as _;
        libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request);
        libc::close(socket);
        // Its complaint goes nowhere.
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for stream in 0..3 {
            libc::dup2(null, stream);
        }
        let args = [c"floor".as_ptr(), std::ptr::null()];
        libc::syscall(
            libc::SYS_execveat,
            program,
            c"".as_ptr(),
            args.as_ptr(),
            args[1..].as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        libc::_exit(1)
    }
}
