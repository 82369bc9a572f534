//! Names into IP addresses.
//!
//! The collector is one static binary, and the C library's own look-up loads other libraries at run time. So names
//! are looked for in `/etc/hosts` and by DNS as `/etc/resolv.conf` says; what only nsswitch.conf(5) would find, such
//! as names of mDNS or of LDAP, is not found.

use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::HttpError;

/// Longest that one name server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks up names.
#[derive(Debug, Default)]
pub struct Names {
    servers: Vec<SocketAddr>,
    /// Made at the first name: whoever only uses IP addresses needs no `/etc/resolv.conf`.
    resolver: OnceLock<Result<TokioResolver, NetError>>,
}

impl Names {
    /// Asks these name servers; without any, those of `/etc/resolv.conf`.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, resolver: OnceLock::new() }
    }

    /// The addresses of a host, which may be written as an address.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, HttpError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let failed = |error: &NetError| HttpError::Name { host: host.to_owned(), why: error.to_string() };
        let found = self.resolver().map_err(failed)?.lookup_ip(host).await.map_err(|error| failed(&error))?;
        Ok(found.iter().collect())
    }

    /// The resolver itself, for other kinds of records.
    pub(crate) fn resolver(&self) -> Result<&TokioResolver, &NetError> {
        self.resolver.get_or_init(|| self.build()).as_ref()
    }

    fn build(&self) -> Result<TokioResolver, NetError> {
        let mut builder = if self.servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = self.servers.iter().map(server).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = options.timeout.min(PATIENCE);
        builder.build()
    }
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}
