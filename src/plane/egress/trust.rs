//! Whom we believe when we speak TLS ourselves: those that the system believes, and those whom the
//! operator adds. HTTP/1.1 is all that is offered.

use super::reason::Reason;
use super::wire::Stream;
use crate::model::host::Host;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The roots that certificates are held against.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
pub enum NoTrust {
    /// The operator's file holds none.
    #[error("the certificates in `{0}` cannot be read: {1}")]
    File(String, String),
    /// The cryptography does not fit; a test sees to it that it does.
    #[error("TLS cannot be spoken: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// The system's roots, and those in this file.
    ///
    /// # Errors
    /// If the file holds none.
    pub fn of(more: Option<&Path>) -> Result<Trust, NoTrust> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        let (_, strange) = roots.add_parsable_certificates(system.certs);
        if strange > 0 || !system.errors.is_empty() {
            tracing::debug!(strange, errors = system.errors.len(), "some roots cannot be read");
        }
        if let Some(path) = more {
            let wrong = |why: String| NoTrust::File(path.display().to_string(), why);
            let certs =
                CertificateDer::pem_file_iter(path).map_err(|why| wrong(why.to_string()))?;
            let mut any = false;
            for cert in certs {
                let cert = cert.map_err(|why| wrong(why.to_string()))?;
                roots.add(cert).map_err(|why| wrong(why.to_string()))?;
                any = true;
            }
            if !any {
                return Err(wrong("it holds none".to_owned()));
            }
        }
        Trust::only(roots)
    }

    /// These roots and no others.
    ///
    /// # Errors
    /// If the cryptography does not fit.
    pub fn only(roots: RootCertStore) -> Result<Trust, NoTrust> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Trust(Arc::new(config)))
    }

    /// Speaks TLS to a host over this connection.
    ///
    /// # Errors
    /// If its certificate does not verify, or the handshake fails or takes too long.
    pub async fn connect(
        &self,
        stream: TcpStream,
        host: &Host,
        patience: Duration,
    ) -> Result<Box<dyn Stream>, Reason> {
        let name = match host {
            Host::Name(name) => {
                ServerName::try_from(name.as_str().to_owned()).map_err(|_| Reason::UpstreamTls)?
            }
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let handshake = TlsConnector::from(Arc::clone(&self.0)).connect(name, stream);
        match tokio::time::timeout(patience, handshake).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                tracing::debug!(%host, %error, "the upstream's TLS does not verify");
                Err(Reason::UpstreamTls)
            }
            Err(_) => Err(Reason::UpstreamTls),
        }
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}
