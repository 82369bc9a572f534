//! Everything that talks to the processor or the kernel below the level of files.
//!
//! The only unsafe code of the agent. Each block has one unsafe operation and says why it is sound.
#![expect(unsafe_code, reason = "CPUID, raw system calls, anonymous memory and forks have no safe form")]

pub mod clock;
pub mod cpuid;
pub mod failure;
pub mod memory;
pub mod netfilter;
pub mod netlink;
pub mod process;
pub mod raw;
pub mod thread;
