//! Security modules: which are active, and what `AppArmor` or SELinux keeps the process from.
//!
//! `/sys/kernel/security/lsm` lists the active ones where securityfs is mounted. `/proc/self/attr/current` is
//! `docker-default (enforce)` under `AppArmor` and `system_u:system_r:container_t:s0:c1,c2` under SELinux; with both,
//! `AppArmor` also has `/proc/self/attr/apparmor/current`.

use tierprobe_model::Isolation;
use tierprobe_model::isolation::SecurityModules;

use super::Reader;
use crate::printable::printable;

/// Types of SELinux that forbid nothing that root may do.
const UNCONFINED_TYPES: &[&str] = &["unconfined_t", "spc_t", "kernel_t", "init_t", "initrc_t"];

/// Reads the process' attributes.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let apparmor = reader.text("/proc/self/attr/apparmor/current");
    let current = reader.text("/proc/self/attr/current");
    let mut modules = apparmor.as_deref().and_then(parse_apparmor).or_else(|| {
        let current = current.as_deref()?;
        parse_selinux(current).or_else(|| parse_apparmor(current))
    });
    if let Some(modules) = modules.as_mut().filter(|modules| modules.module.as_deref() == Some("selinux")) {
        match reader.text("/sys/fs/selinux/enforce").as_deref().map(str::trim) {
            Some("1") => modules.mode = Some("enforce".to_owned()),
            Some("0") => {
                modules.mode = Some("permissive".to_owned());
                modules.confined = Some(false);
            }
            _ => {}
        }
    }
    let mut modules = modules.unwrap_or_default();
    modules.active = reader.text("/sys/kernel/security/lsm").map(|list| {
        list.trim().split(',').map(printable).filter(|name| !name.is_empty()).take(MOST_MODULES).collect()
    });
    isolation.security_modules = modules;
}

/// More modules than any kernel has.
const MOST_MODULES: usize = 16;

/// `docker-default (enforce)`, `unconfined`.
fn parse_apparmor(text: &str) -> Option<SecurityModules> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let module = Some("apparmor".to_owned());
    if text == "unconfined" {
        return Some(SecurityModules {
            module,
            profile: Some(text.to_owned()),
            confined: Some(false),
            ..SecurityModules::default()
        });
    }
    let (profile, mode) = text.strip_suffix(')')?.rsplit_once(" (")?;
    // Any other mode (complain, prompt, unconfined) lets pass, or asks.
    let confined = match mode {
        "enforce" | "kill" => Some(true),
        "complain" | "unconfined" => Some(false),
        _ => None,
    };
    let [profile, mode] = [profile, mode].map(|text| Some(printable(text)));
    Some(SecurityModules { module, profile, mode, confined, active: None })
}

/// `user:role:type:level`.
fn parse_selinux(text: &str) -> Option<SecurityModules> {
    let context = printable(text);
    let mut parts = context.splitn(4, ':');
    let (user, role, kind) = (parts.next()?, parts.next()?, parts.next()?);
    if !(user.ends_with("_u") && role.ends_with("_r") && kind.ends_with("_t")) {
        return None;
    }
    let confined = Some(!UNCONFINED_TYPES.contains(&kind));
    Some(SecurityModules {
        module: Some("selinux".to_owned()),
        profile: Some(context),
        confined,
        ..SecurityModules::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_in_enforce_mode_confines() {
        let docker = parse_apparmor("docker-default (enforce)\n").unwrap();
        assert_eq!(docker.profile.as_deref(), Some("docker-default"));
        assert_eq!((docker.mode.as_deref(), docker.confined), (Some("enforce"), Some(true)));
        assert_eq!(parse_apparmor("usr.bin.x (complain)").unwrap().confined, Some(false));
        assert_eq!(parse_apparmor("unconfined\n").unwrap().confined, Some(false));
        assert_eq!(parse_apparmor("kernel\0"), None);
    }

    #[test]
    fn a_context_confines_unless_its_type_is_meant_not_to() {
        let container = parse_selinux("system_u:system_r:container_t:s0:c201,c745\0").unwrap();
        assert_eq!(container.profile.as_deref(), Some("system_u:system_r:container_t:s0:c201,c745"));
        assert_eq!(container.confined, Some(true));
        assert_eq!(parse_selinux("system_u:system_r:spc_t:s0").unwrap().confined, Some(false));
        assert_eq!(parse_selinux("docker-default (enforce)"), None);
        assert_eq!(parse_selinux("a:b:c:d"), None);
    }
}
