//! How to be let in: TLS, password or token, headers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use tokio_rustls::rustls::ClientConfig;

use super::secret::{self, Fresh, SecretError};
use super::tls::TlsFiles;

/// How to prove who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// The file with the password.
        password_file: PathBuf,
    },
    /// A token or the like.
    Token {
        /// What stands before it, such as `Bearer`.
        kind: String,
        /// The file with the token.
        credentials_file: PathBuf,
    },
}

/// As Prometheus' `basic_auth` has it; a password beside the name is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicAuth {
    pub(super) username: String,
    pub(super) password_file: PathBuf,
}

/// As Prometheus' `authorization` has it; a token in the place of a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorization {
    #[serde(default = "bearer", rename = "type")]
    pub(super) kind: String,
    pub(super) credentials_file: PathBuf,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

/// What one needs to be let in somewhere. Files are read when they are needed, and again from time to time.
#[derive(Debug)]
pub struct Access {
    pub(super) tls: TlsFiles,
    credentials: Option<Credentials>,
    headers: Vec<(HeaderName, HeaderValue)>,
    config: Fresh<Arc<ClientConfig>>,
    authorization: Fresh<HeaderValue>,
}

impl Default for Access {
    fn default() -> Self {
        Self::new(TlsFiles::default(), None, Vec::new())
    }
}

impl Access {
    /// Access by these files.
    #[must_use]
    pub const fn new(
        tls: TlsFiles,
        credentials: Option<Credentials>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self { tls, credentials, headers, config: Fresh::new(), authorization: Fresh::new() }
    }

    /// The same with more headers, those given last in the place of their namesakes.
    #[must_use]
    pub fn with_headers(&self, more: &[(HeaderName, HeaderValue)]) -> Self {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
        headers.extend_from_slice(more);
        Self::new(self.tls.clone(), self.credentials.clone(), headers)
    }

    /// Reads all files once, so that what is wrong with them is said before anything is asked.
    ///
    /// # Errors
    ///
    /// Which file cannot be used, and why; never what is in it.
    pub fn check(&self) -> Result<(), SecretError> {
        if self.tls != TlsFiles::default() {
            self.config()?;
        }
        self.authorization().map(|_| ())
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, SecretError> {
        self.config.get(|| self.tls.config())
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, SecretError> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        self.authorization.get(|| credentials.header()).map(Some)
    }
}

impl Credentials {
    fn header(&self) -> Result<HeaderValue, SecretError> {
        let (text, path) = match self {
            Self::Basic { username, password_file } => {
                let password = secret::line(password_file)?;
                let pair = format!("{username}:{password}");
                (format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)), password_file)
            }
            Self::Token { kind, credentials_file } => {
                (format!("{kind} {}", secret::line(credentials_file)?), credentials_file)
            }
        };
        sensitive(&text, path)
    }
}

/// A header that no log shows.
fn sensitive(text: &str, path: &Path) -> Result<HeaderValue, SecretError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| SecretError::unusable(path, "it holds what cannot be in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}
