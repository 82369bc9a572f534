//! TLS as a client: whom to trust, and what to show.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::secret::{self, SecretError};

/// As Prometheus' `tls_config` has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Certificates of the authorities that are trusted; those of the system where it is not given.
    pub ca_file: Option<PathBuf>,
    /// This side's certificate, for those who demand one.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
    /// The name that the other side's certificate must be for; the host's where it is not given.
    pub server_name: Option<String>,
    /// Whether to take any certificate at all.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

impl TlsFiles {
    /// Reads the files.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, SecretError> {
        let provider = Arc::new(crypto::ring::default_provider());
        let broken = |why: rustls::Error| SecretError::unusable(self.place(), why);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(broken)?;
        let builder = if self.insecure_skip_verify {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let config = match (&self.cert_file, &self.key_file) {
            (Some(cert), Some(key)) => {
                let key_der = PrivateKeyDer::from_pem_slice(&secret::read(key)?)
                    .map_err(|_| SecretError::unusable(key, "no private key in PEM in it"))?;
                let chain = certificates(cert)?;
                builder.with_client_auth_cert(chain, key_der).map_err(|why| {
                    SecretError::unusable(key, format!("{why}; is it the key of {}?", cert.display()))
                })?
            }
            (None, None) | (Some(_), None) | (None, Some(_)) => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, SecretError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.ca_file {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|why| SecretError::unusable(path, why))?;
            }
        } else {
            let found = rustls_native_certs::load_native_certs();
            // Some of a system's certificates may be too old or too odd for rustls; the others are good.
            let (_good, _odd) = roots.add_parsable_certificates(found.certs);
        }
        Ok(roots)
    }

    fn place(&self) -> &std::path::Path {
        self.ca_file.as_deref().unwrap_or_else(|| std::path::Path::new("the system's certificates"))
    }
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, SecretError> {
    let bytes = secret::read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(SecretError::unusable(path, "no certificate in PEM in it")),
    }
}

/// Takes everybody for whom they say they are. Only for who asked for it by name.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
