//! What failed, and whether a call did or the kernel answered so.

use nix::errno::Errno;

/// Why something that takes several system calls failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The call that failed; `None` where all went well and the answer is an error.
    pub call: Option<&'static str>,
    /// What it failed with.
    pub errno: Errno,
}

impl Failure {
    /// `call` failed with what is given.
    pub fn of(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { call: Some(call), errno }
    }

    /// What the kernel answered.
    #[must_use]
    pub const fn answer(errno: Errno) -> Self {
        Self { call: None, errno }
    }

    /// Whether somebody forbids it.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        matches!(self.errno, Errno::EPERM | Errno::EACCES)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(call) = self.call {
            write!(f, "{call}: ")?;
        }
        f.write_str(&self.errno.desc().to_lowercase())
    }
}
