//! The authority that signs for opened hosts: made at each start, its key in memory alone.
//!
//! Whoever trusts it trusts whatever runs this process, and nothing that comes after it. A leaf is
//! for one host and one day.

use crate::limits::EGRESS_LEAVES_MAX;
use crate::model::host::Host;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Signs for opened hosts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    leaves: Mutex<HashMap<Host, Leaf>>,
}

/// What a host's tunnels are opened with, and until when.
struct Leaf {
    config: Arc<ServerConfig>,
    until: SystemTime,
}

/// A certificate cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made: {0}")]
pub struct NoCertificate(String);

/// Clocks of clients may be behind ours.
const BEFORE: Duration = Duration::from_secs(60 * 60);
/// How long a leaf lives; with the hour before, a day.
const LEAF_AGE: Duration = Duration::from_secs(23 * 60 * 60);
/// A leaf that has less than this left is made anew.
const LEAF_REST: Duration = Duration::from_secs(60 * 60);
/// The authority itself ends with the process; some clients refuse years.
const AUTHORITY_AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Authority {
    /// A new one, with a new key.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new() -> Result<Authority, NoCertificate> {
        let key = KeyPair::generate().map_err(wrong)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("toolgate egress");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let now = SystemTime::now();
        params.not_before = (now - BEFORE).into();
        params.not_after = (now + AUTHORITY_AGE).into();
        let certificate = params.self_signed(&key).map_err(wrong)?.der().clone();
        let issuer = Issuer::new(params, key);
        Ok(Authority { issuer, certificate, leaves: Mutex::default() })
    }

    /// Its certificate, for those who shall believe it.
    #[must_use]
    pub fn pem(&self) -> String {
        pem(&self.certificate)
    }

    /// What tunnels to this host are opened with. HTTP/1.1 is all that it speaks.
    ///
    /// # Errors
    /// If no certificate can be made.
    pub fn server(&self, host: &Host) -> Result<Arc<ServerConfig>, NoCertificate> {
        let now = SystemTime::now();
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(host).filter(|leaf| now + LEAF_REST < leaf.until) {
            return Ok(Arc::clone(&leaf.config));
        }
        let until = now + LEAF_AGE;
        let config = self.leaf(host, now, until)?;
        if leaves.len() >= EGRESS_LEAVES_MAX {
            leaves.clear();
        }
        leaves.insert(host.clone(), Leaf { config: Arc::clone(&config), until });
        Ok(config)
    }

    fn leaf(
        &self,
        host: &Host,
        now: SystemTime,
        until: SystemTime,
    ) -> Result<Arc<ServerConfig>, NoCertificate> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("toolgate egress, opened");
        params.subject_alt_names = vec![match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(wrong)?),
            Host::Address(address) => SanType::IpAddress(*address),
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (now - BEFORE).into();
        params.not_after = until.into();
        let key = KeyPair::generate().map_err(wrong)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(wrong)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(wrong)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

/// What clients are to believe: the system's certificates, and this authority's.
#[must_use]
pub fn bundle(authority: &Authority) -> String {
    let system = rustls_native_certs::load_native_certs().certs;
    system.iter().map(pem).chain([authority.pem()]).collect()
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}

fn wrong(error: impl std::fmt::Display) -> NoCertificate {
    NoCertificate(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_kept_for_its_host() {
        let authority = Authority::new().unwrap();
        let host = |text: &str| Host::parse(text).unwrap();
        let first = authority.server(&host("a.example")).unwrap();
        assert!(Arc::ptr_eq(&first, &authority.server(&host("A.example.")).unwrap()));
        assert!(!Arc::ptr_eq(&first, &authority.server(&host("b.example")).unwrap()));
        assert!(authority.server(&host("[2001:db8::1]")).is_ok());
        assert_eq!(first.alpn_protocols, [b"http/1.1".to_vec()]);
    }

    #[test]
    fn each_start_has_another_authority() {
        let (one, other) = (Authority::new().unwrap(), Authority::new().unwrap());
        assert_ne!(one.pem(), other.pem());
        assert!(bundle(&one).ends_with(&one.pem()));
    }
}
