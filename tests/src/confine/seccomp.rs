//! Seccomp filters (seccomp(2), Documentation/userspace-api/seccomp_filter.rst), put on a process before it becomes the
//! program; they stay on it.
#![expect(unsafe_code, reason = "there is no safe way to put a filter on a child")]

use std::io::Result;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;

/// Where `struct seccomp_data` has the number of the call, its first argument, and how far apart arguments are.
const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = 16;
const ARGUMENT_BYTES: u32 = 8;

/// A call that is refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// Its number.
    pub call: libc::c_long,
    /// Which of its arguments, from 0, must be what for it to be refused; the lower half is looked at.
    pub argument: Option<(u32, u32)>,
    /// What it fails with.
    pub errno: Errno,
}

const fn statement(code: u32, k: u32) -> libc::sock_filter {
    jump(code, k, 0, 0)
}

#[expect(clippy::cast_possible_truncation, reason = "all codes of BPF are below 256")]
const fn jump(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

const fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn answer(k: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, k)
}

/// A filter of so many instructions that allows everything, and runs through all of them at each call.
///
/// It looks at an argument first: of filters that look at the number alone the kernel remembers the answer by call, and
/// they cost nothing.
///
/// # Panics
///
/// For lengths that are none of a filter: 3 to 4096.
#[must_use]
pub fn long(instructions: usize) -> Vec<libc::sock_filter> {
    assert!((3..=4096).contains(&instructions), "the kernel takes filters of up to 4096 instructions");
    let toggle = statement(libc::BPF_ALU | libc::BPF_XOR | libc::BPF_K, 0x5555_5555);
    let mut filter = vec![load(FIRST_ARGUMENT)];
    filter.resize(instructions - 1, toggle);
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter
}

/// A filter that refuses these calls and allows all others.
///
/// # Panics
///
/// For a call without a number.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn refusing(refusals: &[Refusal]) -> Vec<libc::sock_filter> {
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let mut filter = Vec::new();
    for Refusal { call, argument, errno } in refusals {
        let refused = answer(libc::SECCOMP_RET_ERRNO | u32::try_from(*errno as i32).unwrap());
        let call = u32::try_from(*call).unwrap();
        filter.push(load(NUMBER));
        match argument {
            None => filter.extend([jump(equal, call, 0, 1), refused]),
            Some((which, value)) => filter.extend([
                jump(equal, call, 0, 3),
                load(FIRST_ARGUMENT + which * ARGUMENT_BYTES),
                jump(equal, *value, 0, 1),
                refused,
            ]),
        }
    }
    filter.push(answer(libc::SECCOMP_RET_ALLOW));
    filter
}

/// Puts `filter` on what `command` will start.
pub fn confine(command: &mut Command, filter: Vec<libc::sock_filter>) {
    // SAFETY: between fork and exec two system calls are made, on memory of the closure's own.
    unsafe { command.pre_exec(move || install(&filter)) };
}

fn install(filter: &[libc::sock_filter]) -> Result<()> {
    // Without it only root may set a filter.
    nix::sys::prctl::set_no_new_privs()?;
    let len = u16::try_from(filter.len()).map_err(|_| Errno::EINVAL)?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the kernel reads as many instructions as the program says, which are there.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) })?;
    Ok(())
}
