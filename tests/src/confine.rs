//! What a process that a test starts may not do.
//!
//! - [`seccomp`]: filters of a known length, and filters that refuse single calls.
//! - [`cgroup`]: a control group of the test's own.
//! - [`cpu`]: one CPU.
//! - [`files`]: parts of the file system that are hidden or read-only.

pub mod cgroup;
pub mod cpu;
pub mod files;
pub mod seccomp;
