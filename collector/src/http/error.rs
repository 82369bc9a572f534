//! Why there was no answer.

use std::error::Error;
use std::time::Duration;

use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

use super::secret::SecretError;

/// Why a request had no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The name of the host means nothing.
    #[error("cannot find the host {host:?}: {why}")]
    Name {
        /// The host.
        host: String,
        /// What the name servers say.
        why: String,
    },
    /// Nobody listens there, or nobody is there.
    #[error("cannot connect to {place}")]
    Connect {
        /// Host and port.
        place: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The two sides do not trust each other.
    #[error("no trust in {place} over TLS: {why}")]
    Tls {
        /// Host and port.
        place: String,
        /// Why, and what to do.
        why: String,
    },
    /// It takes too long.
    #[error("timeout: no complete answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// What it says is no HTTP, or ends too early.
    #[error("no usable HTTP: {0}")]
    Protocol(String),
    /// The body is larger than it may be, as it comes or unpacked.
    #[error("the answer does not end within {} MiB", .0.div_ceil(1024 * 1024))]
    TooLong(usize),
    /// The body says that it is packed, and cannot be unpacked.
    #[error("the answer is no {encoding} although it says so, or is cut off: {error}")]
    Packed {
        /// How it says that it is packed.
        encoding: &'static str,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// The body is packed in a way that was not asked for.
    #[error("the answer is packed as {0:?}, which was not asked for")]
    Encoding(String),
    /// A file that is needed to be let in.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl HttpError {
    /// What went wrong on a connection that stood: TLS speaks up as late as at the first answer.
    pub(super) fn of(place: &str, error: &(dyn Error + 'static)) -> Self {
        match tls_error(error) {
            Some(tls) => Self::Tls { place: place.to_owned(), why: advice(tls) },
            None => Self::Protocol(crate::error::chain(error)),
        }
    }

    /// What went wrong while the two sides were getting to know each other.
    pub(super) fn of_handshake(place: &str, error: &std::io::Error) -> Self {
        let why = tls_error(error).map_or_else(|| format!("{error}; {NO_TLS}"), advice);
        Self::Tls { place: place.to_owned(), why }
    }
}

const NO_TLS: &str = "does it speak TLS at all? Try http://";

/// The TLS error among the causes.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What is wrong, and what to do about it.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest speaks for itself")]
fn advice(error: &rustls::Error) -> String {
    let advice = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => "give its authority's certificate as ca_file",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it needs a new certificate, or this machine the right time"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "ask by a name that the certificate is for, or give that name as server_name"
            }
            _ => "",
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "it demands a certificate of this side: give cert_file and key_file"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError => {
                "it does not take this side's certificate: check cert_file and key_file"
            }
            _ => "",
        },
        rustls::Error::InvalidMessage(_) => NO_TLS,
        _ => "",
    };
    if advice.is_empty() { error.to_string() } else { format!("{error}; {advice}") }
}
