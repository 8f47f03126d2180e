//! Loop devices, loop(4), linux/loop.h.

use syscalls::{Sysno, syscall};

use super::{Result, check, fd::BorrowedFd};

const LOOP_CTL_REMOVE: u32 = 0x4C81;
const LOOP_CTL_GET_FREE: u32 = 0x4C82;
const LOOP_CONFIGURE: u32 = 0x4C0A;
/// Cleared with its last opener.
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// struct `loop_config`, with what of struct `loop_info64` is set here.
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    /// lo_device, lo_inode, lo_rdevice, lo_offset, lo_sizelimit.
    places: [u64; 5],
    /// lo_number, lo_encrypt_type, lo_encrypt_key_size.
    numbers: [u32; 3],
    flags: u32,
    /// lo_file_name, lo_crypt_name, lo_encrypt_key, lo_init.
    names: [u8; 64 + 64 + 32 + 16],
    reserved: [u64; 8],
}

/// The number of a device that nobody has; the kernel makes one where there is none.
pub(crate) fn free(control: BorrowedFd<'_>) -> Result<u32> {
    // SAFETY: only numbers.
    check("ioctl(LOOP_CTL_GET_FREE)", unsafe { syscall!(Sysno::ioctl, control.number(), LOOP_CTL_GET_FREE, 0) })
        .map(|number| number as u32)
}

/// Puts a file behind a device.
pub(crate) fn configure(device: BorrowedFd<'_>, file: BorrowedFd<'_>) -> Result<()> {
    let config = Config {
        fd: file.number() as u32,
        block_size: 0,
        places: [0; 5],
        numbers: [0; 3],
        flags: LO_FLAGS_AUTOCLEAR,
        names: [0; 176],
        reserved: [0; 8],
    };
    // SAFETY: the kernel reads one struct of this layout, which lives through the call.
    check("ioctl(LOOP_CONFIGURE)", unsafe {
        syscall!(Sysno::ioctl, device.number(), LOOP_CONFIGURE, &raw const config)
    })
    .map(drop)
}

/// Takes a device away that nobody has.
pub(crate) fn remove(control: BorrowedFd<'_>, number: u32) -> Result<()> {
    // SAFETY: only numbers.
    check("ioctl(LOOP_CTL_REMOVE)", unsafe { syscall!(Sysno::ioctl, control.number(), LOOP_CTL_REMOVE, number) })
        .map(drop)
}
