//! Isolation: what holds the agent's own process in, and what could be better about it.
//!
//! Each aspect is a file that reads through [`HostFs`] and a row of `ASPECTS`; `rule` and `condition` draw findings from the data,
//! purely. Nothing is written, connected to or tried out. What could not be read is absent: that is neither yes nor no.

mod capability;
mod condition;
mod limit;
mod module;
mod mount;
mod namespace;
mod rule;
mod security_module;
mod socket;
mod status;
mod sysctl;
pub mod text;
mod vulnerability;

use std::collections::BTreeMap;

use tierprobe_model::{Isolation, Kernel, Unreadable};

use crate::host::{HostFs, ReadError};
use nix::errno::Errno;

#[cfg(test)]
pub(crate) use vulnerability::MOST_VULNERABILITIES;

/// One side of the isolation.
struct Aspect {
    /// What its files would have told, for those that cannot be read.
    tells: &'static str,
    /// Reads it. Later aspects see what earlier ones found.
    read: fn(&mut Reader<'_>, &mut Isolation),
}

/// All aspects.
const ASPECTS: &[Aspect] = &[
    Aspect { tells: "seccomp and the user", read: status::read },
    Aspect { tells: "capabilities", read: capability::read },
    Aspect { tells: "the profile of a security module", read: security_module::read },
    Aspect { tells: "which namespaces are private", read: namespace::read },
    Aspect { tells: "limits of control groups", read: limit::read },
    Aspect { tells: "how the kernel's paths are mounted", read: mount::read },
    Aspect { tells: "which kernel settings can be written", read: sysctl::read },
    Aspect { tells: "whether modules can be loaded", read: module::read },
    Aspect { tells: "whether an engine's socket is within reach", read: socket::read },
    Aspect { tells: "vulnerabilities of the processor", read: vulnerability::read },
];

/// The host's files, and a note of those that could not be read.
struct Reader<'a> {
    fs: &'a HostFs,
    tells: &'static str,
    unreadable: Vec<Unreadable>,
    /// Texts that more than one aspect wants.
    read: BTreeMap<String, Option<String>>,
}

impl Reader<'_> {
    /// The text of a file; `None` if it is missing, or unreadable, which is noted.
    fn text(&mut self, path: &str) -> Option<String> {
        if let Some(text) = self.read.get(path) {
            return text.clone();
        }
        let text = self.known(path, self.fs.text(path));
        self.read.insert(path.to_owned(), text.clone());
        text
    }

    /// The value of a read, if there is one; a refusal is noted, a missing file is not.
    fn known<T>(&mut self, path: &str, read: Result<T, ReadError>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            // EINVAL is how files of security modules say that there is no such module.
            Err(ReadError::NotFound | ReadError::Refused(Errno::EINVAL)) => None,
            Err(error) => {
                self.unreadable.push(Unreadable {
                    source: path.to_owned(),
                    reason: error.to_string(),
                    would_tell: self.tells.to_owned(),
                });
                None
            }
        }
    }
}

/// Reads the isolation of the agent's own process. `kernel` says whether that is a wall around it: on a kernel of its
/// own a process has nothing to be kept from.
#[must_use]
pub fn read(fs: &HostFs, kernel: Kernel) -> Isolation {
    let mut reader = Reader { fs, tells: "", unreadable: Vec::new(), read: BTreeMap::new() };
    let mut isolation = Isolation::default();
    for aspect in ASPECTS {
        reader.tells = aspect.tells;
        (aspect.read)(&mut reader, &mut isolation);
    }
    isolation.unreadable = reader.unreadable;
    isolation.findings = rule::findings(&isolation, kernel);
    isolation
}

/// The value behind `name:` in `/proc/self/status` and its like.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests;
