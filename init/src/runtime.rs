//! What a C library would be there for: the entry point, memory, and the end.
//!
//! The helper is executed several times for each case, and a C library's start costs more than what it does: on a virtual
//! machine each of glibc's eighty CPUID instructions is a trap to the hypervisor. docs/adr/0007 has the figures.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::{asm, global_asm},
    cell::UnsafeCell,
    ffi::{CStr, c_char},
    ptr,
};

use alloc::{string::String, vec::Vec};
use dlmalloc::Dlmalloc;
use syscalls::{Sysno, syscall};

use crate::sys;

// The kernel hands over a stack with the arguments on top, and nothing else. execve(2), and the ABI supplements' "Process
// Initialization".
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym start,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "b {start}",
    start = sym start,
);

/// The first Rust that runs.
///
/// # Safety
/// `stack` is what the kernel left: a count, then that many pointers to C strings and a null one, then those of the environment and
/// a null one.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: by the kernel's promise.
    let (args, env) = unsafe {
        let args = stack.add(1).cast::<*const c_char>();
        (strings(args), strings(args.add(*stack + 1)))
    };
    sys::process::exit_now(crate::main(&args, &env))
}

/// The strings of a list that a null pointer ends.
///
/// # Safety
/// That the list is one; the strings live as long as the process.
unsafe fn strings(list: *const *const c_char) -> Vec<String> {
    // SAFETY: the caller's promise.
    let pointers = (0..).map(|index| unsafe { *list.add(index) }).take_while(|pointer| !pointer.is_null());
    // SAFETY: the same.
    pointers.map(|pointer| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()).collect()
}

/// The only thread's heap.
struct Heap(UnsafeCell<Dlmalloc<Pages>>);

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages)));

// SAFETY: this program has one thread; no signal handler is installed.
unsafe impl Sync for Heap {}

// SAFETY: dlmalloc keeps GlobalAlloc's promises, and with one thread nobody else is inside it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the caller promises that it came from here.
        unsafe { (*self.0.get()).free(memory, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (*self.0.get()).realloc(memory, layout.size(), layout.align(), size) }
    }
}

/// Anonymous memory of mmap(2).
struct Pages;

// SAFETY: what mmap(2) gives is nobody else's, zeroed, and aligned to a page.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at no given address.
        match unsafe { syscall!(Sysno::mmap, 0, size, protection, flags, -1i32, 0) } {
            Ok(address) => (ptr::with_exposed_provenance_mut(address), size, 0),
            Err(_) => (ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, memory: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc gives back what it was given, whole, and nothing points into it.
        unsafe { syscall!(Sysno::munmap, memory, size) }.is_ok()
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        // Larger than any page, which serves as well.
        64 << 10
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    sys::process::complain(&alloc::format!("{info}"));
    sys::process::exit_now(101)
}

// The compiler writes calls of these for copies and comparisons; without a C library somebody has to have them.

/// memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise: both are this long and do not overlap.
    unsafe { forwards(to, from, count) };
    to
}

/// memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise: both are this long. The direction never overwrites what is still to be read.
    unsafe {
        if to.addr().wrapping_sub(from.addr()) >= count {
            forwards(to, from, count);
        } else {
            backwards(to, from, count);
        }
    }
    to
}

/// memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: the caller's promise: it is this long.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..count {
        // SAFETY: as above. Volatile, or the compiler makes a call of memset of this.
        unsafe { to.add(index).write_volatile(byte as u8) };
    }
    to
}

/// memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the caller's promise: both are this long. Volatile, or the compiler makes a call of memcmp of this.
        let (one, other) = unsafe { (left.add(index).read_volatile(), right.add(index).read_volatile()) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller's promise is memcmp's.
    unsafe { memcmp(left, right, count) }
}

/// strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller's promise: there is a NUL. Volatile, or the compiler makes a call of strlen of this.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

unsafe fn forwards(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: the caller's promise: both are this long, and nothing is overwritten that is still to be read.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    for index in 0..count {
        // SAFETY: as above. Volatile, or the compiler makes a call of memcpy of this.
        unsafe { to.add(index).write_volatile(from.add(index).read_volatile()) };
    }
}

unsafe fn backwards(to: *mut u8, from: *const u8, count: usize) {
    for index in (0..count).rev() {
        // SAFETY: the caller's promise: both are this long, and nothing is overwritten that is still to be read.
        unsafe { to.add(index).write_volatile(from.add(index).read_volatile()) };
    }
}

// The compiler's own library was built to unwind and names these two. A panic ends this program where it happens.

/// What unwinding asks about a frame. Never called.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// What goes on with unwinding. Never called.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    sys::process::exit_now(101)
}
