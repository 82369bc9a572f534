//! The five capability sets, from `/proc/self/status` (capabilities(7), `linux/capability.h`).

use tierprobe_model::Isolation;

use super::{Reader, field};

/// Names by bit.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

/// Reads `/proc/self/status`.
pub(super) fn read(reader: &mut Reader<'_>, isolation: &mut Isolation) {
    let Some(status) = reader.text("/proc/self/status") else { return };
    let set = |name: &str| field(&status, name).and_then(parse_set);
    let capabilities = &mut isolation.capabilities;
    capabilities.inheritable = set("CapInh");
    capabilities.permitted = set("CapPrm");
    capabilities.effective = set("CapEff");
    capabilities.bounding = set("CapBnd");
    capabilities.ambient = set("CapAmb");
}

/// The names in a set; a bit that is newer than this list is `cap_41` and so on.
fn parse_set(digits: &str) -> Option<Vec<String>> {
    let set = u64::from_str_radix(digits, 16).ok()?;
    let held = (0..u64::BITS).filter(|bit| set >> bit & 1 == 1);
    Some(
        held.map(|bit| {
            let name = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
            name.map_or_else(|| format!("cap_{bit}"), |name| (*name).to_owned())
        })
        .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_set_of_docker_has_fourteen() {
        let set = parse_set("00000000a80425fb").unwrap();
        assert_eq!(set.len(), 14);
        assert!(set.contains(&"cap_mknod".to_owned()) && !set.contains(&"cap_sys_admin".to_owned()));
        assert_eq!(parse_set("0000000000000000"), Some(Vec::new()));
    }

    #[test]
    fn bits_of_newer_kernels_keep_their_number_and_garbage_is_no_set() {
        assert_eq!(parse_set("0000020000000000"), Some(vec!["cap_41".to_owned()]));
        assert_eq!(parse_set("everything"), None);
        assert_eq!(parse_set(""), None);
    }
}
