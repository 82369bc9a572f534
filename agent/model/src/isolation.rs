//! What holds the process in: data, and findings drawn from it.
//!
//! Everything is optional. What the kernel does not tell is absent, which is neither yes nor no.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{IsolationFinding, Unreadable, label_values};

/// How the kernel filters the system calls of this process.
///
/// A filter costs time in every system call, so comparisons must not mix these states unawares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seccomp {
    /// No filter.
    None,
    /// Only read, write, exit and sigreturn are allowed.
    Strict,
    /// One or more BPF filters run at each system call.
    Filter,
}

label_values!(Seccomp { None = "none", Strict = "strict", Filter = "filter" });

/// The posture of the agent's own process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Isolation {
    /// `Seccomp` of `/proc/self/status`; absent where the kernel does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<Seccomp>,
    /// `Seccomp_filters` of `/proc/self/status` (since Linux 5.9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seccomp_filters: Option<u32>,
    /// `NoNewPrivs` of `/proc/self/status` (since Linux 4.10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_new_privs: Option<bool>,
    /// Effective user id, as seen in the process' own user namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_uid: Option<u32>,
    /// What the process may do beyond its user id.
    #[serde(default, skip_serializing_if = "Capabilities::is_unknown")]
    pub capabilities: Capabilities,
    /// Linux security modules, and the profile that one of them confines the process by.
    #[serde(default, skip_serializing_if = "SecurityModules::is_unknown")]
    pub security_modules: SecurityModules,
    /// Whether each namespace is private, that is, not the kernel's first; those that cannot be told are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub private_namespaces: BTreeMap<String, bool>,
    /// `/proc/self/uid_map`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid_map: Option<Vec<IdRange>>,
    /// `/proc/self/gid_map`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid_map: Option<Vec<IdRange>>,
    /// What the control groups that are visible allow.
    #[serde(default, skip_serializing_if = "Limits::is_unknown")]
    pub limits: Limits,
    /// Whether the root file system is mounted read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_root: Option<bool>,
    /// How the kernel's sensitive paths are mounted. A path that does not exist here is absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel_paths: BTreeMap<String, PathAccess>,
    /// Kernel settings by name, as `kernel.core_pattern`; those that do not exist here are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, Sysctl>,
    /// Whether the process may load kernel modules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_loading: Option<bool>,
    /// Sockets of container engines that exist; absent where the folders that they would be in are not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_sockets: Option<Vec<EngineSocket>>,
    /// What the kernel says about each vulnerability of the processor that it knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vulnerabilities: BTreeMap<String, Vulnerability>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Unreadable>,
    /// What could be better, worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<IsolationFinding>,
}

impl Isolation {
    /// Whether the namespace `name` is private; `None` where that is not known.
    #[must_use]
    pub fn is_private(&self, name: &str) -> Option<bool> {
        self.private_namespaces.get(name).copied()
    }
}

/// The five capability sets of `/proc/self/status`, by the kernel's names in lower case (capabilities(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// `CapInh`: kept over execve of a file that inherits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inheritable: Option<Vec<String>>,
    /// `CapPrm`: what the process may make effective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permitted: Option<Vec<String>>,
    /// `CapEff`: what the kernel checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Vec<String>>,
    /// `CapBnd`: what can ever be gained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounding: Option<Vec<String>>,
    /// `CapAmb`: kept over execve of any file (since Linux 4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambient: Option<Vec<String>>,
}

impl Capabilities {
    /// The sets by name, in the kernel's order.
    #[must_use]
    pub fn by_set(&self) -> [(&'static str, Option<&[String]>); 5] {
        [
            ("inheritable", self.inheritable.as_deref()),
            ("permitted", self.permitted.as_deref()),
            ("effective", self.effective.as_deref()),
            ("bounding", self.bounding.as_deref()),
            ("ambient", self.ambient.as_deref()),
        ]
    }

    /// Whether no set is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.by_set().iter().all(|(_, set)| set.is_none())
    }
}

/// Linux security modules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityModules {
    /// `/sys/kernel/security/lsm`; containers rarely see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Vec<String>>,
    /// The module that the profile is of: `apparmor` or `selinux`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The process' profile or context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `AppArmor`'s mode of the profile, or what SELinux does with violations: `enforce`, `complain`, `permissive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Whether the profile keeps the process from anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confined: Option<bool>,
}

impl SecurityModules {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// One line of a user namespace's map (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// First id inside of the namespace.
    pub inside: u32,
    /// First id outside of it.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// A limit of a control group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The group has the file, and it says that there is none.
    Unlimited,
    /// So much.
    At(f64),
}

/// The tightest limits among the visible control groups around the process.
///
/// Groups above a control group namespace are not visible and may be tighter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// CPUs: quota over period of `cpu.max`, or `cpu.cfs_quota_us` over `cpu.cfs_period_us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Limit>,
    /// Bytes: `memory.max`, or `memory.limit_in_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Limit>,
    /// Processes and threads: `pids.max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Limit>,
}

impl Limits {
    /// Whether none is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// How the mount over a path of the kernel's shows it. Permissions are another matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathAccess {
    /// Something else is mounted over it.
    Masked,
    /// Its mount is read-only.
    ReadOnly,
    /// Its mount can be written to.
    Writable,
}

label_values!(PathAccess { Masked = "masked", ReadOnly = "read_only", Writable = "writable" });

/// A kernel setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sysctl {
    /// Whether each namespace has its own; if not, writing it changes the kernel for all.
    pub namespaced: bool,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether the process may write it: access(2) on a live host, the mount alone in a tree of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
}

/// The socket of a container engine. It was not connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineSocket {
    /// Whose it is.
    pub engine: String,
    /// Where it is.
    pub path: String,
    /// Whether the process may connect, by access(2); absent in a tree of files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
}

/// How a vulnerability of the processor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VulnerabilityState {
    /// This processor does not have it.
    NotAffected,
    /// The kernel closes it.
    Mitigated,
    /// The kernel closes a part of it.
    PartlyMitigated,
    /// Open.
    Vulnerable,
    /// The kernel does not know, as behind a hypervisor that hides the processor.
    Unknown,
}

label_values!(VulnerabilityState {
    NotAffected = "not_affected",
    Mitigated = "mitigated",
    PartlyMitigated = "partly_mitigated",
    Vulnerable = "vulnerable",
    Unknown = "unknown",
});

/// What the kernel says about one vulnerability of the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// How it stands.
    pub state: VulnerabilityState,
    /// The kernel's words.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_written() {
        let nothing = Isolation::default();
        let json = serde_json::to_string(&nothing).unwrap();
        assert_eq!(json, "{}");
        assert_eq!(serde_json::from_str::<Isolation>(&json).unwrap(), nothing);
    }

    #[test]
    fn a_limit_reads_back_and_none_is_not_unlimited() {
        let limits =
            Limits { cpus: Some(Limit::At(1.5)), memory_bytes: Some(Limit::Unlimited), processes: None };
        let json = serde_json::to_string(&limits).unwrap();
        assert_eq!(json, r#"{"cpus":{"at":1.5},"memory_bytes":"unlimited"}"#);
        assert_eq!(serde_json::from_str::<Limits>(&json).unwrap(), limits);
    }
}
