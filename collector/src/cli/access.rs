//! Flags that say how sources are asked over HTTP; `compare` and others have them in common.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::duration;
use crate::http::rules::RulesError;
use crate::http::tls::TlsFiles;
use crate::http::{Files, Net, Rules};
use crate::source::scrape::Pace;

/// How to ask agents, stores and lists of targets. Secrets are read from files and again from time to time.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Asking sources over HTTP")]
pub struct Args {
    /// Rules that say for which address which certificates, password, token, headers and labels are; the first that
    /// matches holds in the place of the flags below
    #[arg(long = "source.config", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Trust the certificate authorities in FILE and not those of the system
    #[arg(long = "source.ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Show this certificate to whoever demands one
    #[arg(long = "source.cert-file", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,

    /// The key of the certificate
    #[arg(long = "source.key-file", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,

    /// The name that certificates of sources must be for [default: the host of the address]
    #[arg(long = "source.server-name", value_name = "NAME")]
    server_name: Option<String>,

    /// Take any certificate: whoever is in between can read and change everything
    #[arg(long = "source.insecure-skip-verify")]
    insecure_skip_verify: bool,

    /// User name; its password comes from --source.password-file
    #[arg(long = "source.username", value_name = "NAME", requires = "password_file")]
    username: Option<String>,

    /// File with the password
    #[arg(long = "source.password-file", value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,

    /// File with a bearer token
    #[arg(long = "source.bearer-file", value_name = "FILE", conflicts_with = "username")]
    bearer_file: Option<PathBuf>,

    /// How long a scrape may take
    #[arg(long = "source.timeout", value_name = "DURATION", default_value = "10s", value_parser = above_zero)]
    pub timeout: Duration,

    /// Most scrapes that are under way at the same time
    #[arg(long = "source.concurrency", value_name = "NUMBER", default_value_t = Pace::CONCURRENCY)]
    pub concurrency: usize,

    /// Ask this name server, IP:PORT, and not those of /etc/resolv.conf; repeatable
    #[arg(long = "source.dns-server", value_name = "ADDRESS")]
    dns_servers: Vec<SocketAddr>,
}

impl Args {
    /// Which access goes to which address.
    ///
    /// # Errors
    ///
    /// Which file cannot be used, and why.
    pub fn rules(&self) -> Result<Arc<Rules>, RulesError> {
        let files = Files {
            tls: TlsFiles {
                ca_file: self.ca_file.clone(),
                cert_file: self.cert_file.clone(),
                key_file: self.key_file.clone(),
                server_name: self.server_name.clone(),
                insecure_skip_verify: self.insecure_skip_verify,
            },
            username: self.username.clone(),
            password_file: self.password_file.clone(),
            bearer_file: self.bearer_file.clone(),
        };
        Rules::new(files, self.config.as_deref()).map(Arc::new)
    }

    /// What all clients share.
    #[must_use]
    pub fn net(&self) -> Arc<Net> {
        Arc::new(Net::new(self.dns_servers.clone()))
    }
}

pub(super) fn above_zero(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if duration.is_zero() { Err("it must be above 0".to_owned()) } else { Ok(duration) }
}
