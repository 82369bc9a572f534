//! The tables of legacy iptables.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::{Rules, table_label};
use crate::host::{HostFs, ReadError};
use crate::sys::failure::Failure;
use crate::sys::netfilter::{TableInfo, table_info};

/// One address family: the file that lists its tables, and a socket to ask through.
#[derive(Debug)]
struct Protocol {
    family: &'static str,
    names: &'static str,
    is_ipv6: bool,
    socket: Option<OwnedFd>,
}

/// A table that is there.
#[derive(Debug)]
struct Table {
    protocol: usize,
    name: String,
    /// What it was at the last look.
    info: Option<TableInfo>,
}

/// All tables that are there.
#[derive(Debug)]
pub(super) struct Legacy {
    protocols: [Protocol; 2],
    tables: Vec<Table>,
    rules: Rules,
    /// Whether the tables have been looked for, and asked about since: what was there then is nothing new.
    is_listed: bool,
    is_known: bool,
}

impl Default for Legacy {
    fn default() -> Self {
        let v4 = Protocol { family: "ip", names: "/proc/net/ip_tables_names", is_ipv6: false, socket: None };
        let v6 = Protocol { family: "ip6", names: "/proc/net/ip6_tables_names", is_ipv6: true, socket: None };
        Self {
            protocols: [v4, v6],
            tables: Vec::new(),
            rules: Rules::new(),
            is_listed: false,
            is_known: false,
        }
    }
}

impl Legacy {
    /// Finds the tables that are there; those that were there before keep what was seen of them.
    ///
    /// # Errors
    ///
    /// If the list of tables cannot be read. That there is none is no error: then there are no tables.
    pub(super) fn find_tables(&mut self, fs: &HostFs) -> Result<(), ReadError> {
        let mut found = Vec::new();
        for (protocol, Protocol { names, .. }) in self.protocols.iter().enumerate() {
            match fs.text(names) {
                Ok(text) => found.extend(text.lines().map(|name| (protocol, name.to_owned()))),
                Err(ReadError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        self.is_listed = true;
        self.tables.retain(|table| found.contains(&(table.protocol, table.name.clone())));
        for (protocol, name) in found {
            if !self.tables.iter().any(|table| table.protocol == protocol && table.name == name) {
                self.tables.push(Table { protocol, name, info: None });
            }
        }
        Ok(())
    }

    /// How many tables are new or have another size than at the last look; none at the first.
    ///
    /// # Errors
    ///
    /// The call that failed, and with what.
    pub(super) fn rewrites(&mut self) -> Result<u64, Failure> {
        let mut rewrites = 0;
        self.rules.clear();
        for table in &mut self.tables {
            let Some(protocol) = self.protocols.get_mut(table.protocol) else { continue };
            let info = match protocol.ask(&table.name) {
                Ok(info) => info,
                // It went with its module.
                Err(Failure { errno: Errno::ENOENT, .. }) => continue,
                Err(failure) => return Err(failure),
            };
            let before = table.info.replace(info);
            rewrites += u64::from(self.is_known && before != Some(info));
            // One entry is at the end, and each hook has its policy.
            let rules = info.entries.saturating_sub(info.hooks + 1);
            *self.rules.entry((protocol.family, table_label(&table.name))).or_default() += rules;
        }
        self.is_known = self.is_listed;
        Ok(rewrites)
    }

    /// Whether there are tables to ask about.
    pub(super) const fn is_there(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Rules at the last look.
    pub(super) const fn rules(&self) -> &Rules {
        &self.rules
    }
}

impl Protocol {
    fn ask(&mut self, table: &str) -> Result<TableInfo, Failure> {
        let socket = if let Some(socket) = &self.socket {
            socket
        } else {
            let family = if self.is_ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
            let made = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
            self.socket.insert(made.map_err(Failure::of("socket"))?)
        };
        table_info(socket.as_fd(), self.is_ipv6, table)
    }
}
