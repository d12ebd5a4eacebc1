// SPDX-License-Identifier: BSD-2-Clause
//! Whom TLS trusts (RFC 5425, 5): certificates that a known authority signed for the right name,
//! and those whose fingerprint or all of whose bytes are in the configuration.

use crate::conf::Tls;
use crate::conf::Trust;
use crate::conf::Verify;
use crate::privsep::wire::Pem;
use ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
use ring::digest::SHA256;
use ring::digest::digest;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::Error;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;

/// Certificates of a PEM file.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("a certificate: {e}"))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    // One that cannot be used does not keep the others from being used.
    store.add_parsable_certificates(certificates(pem)?);
    Ok(store)
}

/// Those who are trusted whoever has signed for them.
#[derive(Debug, Default)]
struct Known {
    fingerprints: Vec<String>,
    certs: Vec<CertificateDer<'static>>,
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|b| format!("{b:02X}")).collect();
    pairs.join(":")
}

/// The fingerprints of a certificate (RFC 5425, 4.2.2), as `SHA1:AB:...` and `SHA256:AB:...`.
#[must_use]
pub fn fingerprints(cert: &[u8]) -> [String; 2] {
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, cert);
    let sha256 = digest(&SHA256, cert);
    [
        format!("SHA1:{}", hex(sha1.as_ref())),
        format!("SHA256:{}", hex(sha256.as_ref())),
    ]
}

/// `sha-1:ab...` and `SHA1:AB...` are one.
fn normal(fingerprint: &str) -> String {
    let upper = fingerprint.trim().to_ascii_uppercase();
    match upper.split_once(':') {
        Some((name, rest)) => format!("{}:{rest}", name.replace('-', "")),
        None => upper,
    }
}

impl Known {
    fn new(trust: &Trust, pems: &[Vec<u8>]) -> Result<Known, String> {
        let mut certs = Vec::new();
        for pem in pems {
            certs.extend(certificates(pem)?.into_iter().next());
        }
        Ok(Known {
            fingerprints: trust.fingerprints.iter().map(|f| normal(f)).collect(),
            certs,
        })
    }

    fn has(&self, cert: &CertificateDer<'_>) -> bool {
        self.certs.iter().any(|known| known == cert)
            || fingerprints(cert)
                .iter()
                .any(|one| self.fingerprints.contains(one))
    }

    fn is_empty(&self) -> bool {
        self.certs.is_empty() && self.fingerprints.is_empty()
    }
}

/// Looks at the certificate of a host that we send to.
#[derive(Debug)]
struct Server {
    provider: Arc<CryptoProvider>,
    by_authority: Option<Arc<WebPkiServerVerifier>>,
    known: Known,
    names: Vec<ServerName<'static>>,
    any: bool,
}

impl ServerCertVerifier for Server {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.any || self.known.has(cert) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(verifier) = &self.by_authority else {
            return Err(Error::General(
                "nobody is trusted: no authority and no fingerprint".into(),
            ));
        };
        let mut result = verifier.verify_server_cert(cert, others, name, ocsp, now);
        for name in &self.names {
            if result.is_ok() {
                break;
            }
            result = verifier.verify_server_cert(cert, others, name, ocsp, now);
        }
        result
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Looks at the certificate of a client that sends to us.
#[derive(Debug)]
struct Client {
    provider: Arc<CryptoProvider>,
    by_authority: Option<Arc<dyn ClientCertVerifier>>,
    known: Known,
    mandatory: bool,
    any: bool,
}

impl ClientCertVerifier for Client {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // With a hint a client whose certificate is known by itself would not send it.
        match &self.by_authority {
            Some(verifier) if self.known.is_empty() && !self.any => verifier.root_hint_subjects(),
            _ => &[],
        }
    }

    fn verify_client_cert(
        &self,
        cert: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.any || self.known.has(cert) {
            return Ok(ClientCertVerified::assertion());
        }
        match &self.by_authority {
            Some(verifier) => verifier.verify_client_cert(cert, others, now),
            None => Err(Error::General(
                "nobody is trusted: no authority and no fingerprint".into(),
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Our own certificate and key, if there are both.
fn own(pem: &Pem) -> Result<Option<Own>, String> {
    if pem.cert.is_empty() || pem.key.is_empty() {
        return Ok(None);
    }
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|e| format!("our key: {e}"))?;
    Ok(Some((certificates(&pem.cert)?, key)))
}

/// For connections to a host.
///
/// # Errors
/// Keys or certificates that are none, in words.
pub fn client(trust: &Trust, certs: &[Vec<u8>], pem: &Pem) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(default_provider());
    let store = roots(&pem.ca)?;
    let by_authority = if store.is_empty() {
        None
    } else {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        Some(builder.build().map_err(|e| format!("authorities: {e}"))?)
    };
    let names = trust.subjects.iter().map(|name| {
        ServerName::try_from(name.clone()).map_err(|e| format!("the name '{name}': {e}"))
    });
    let verifier = Server {
        provider: Arc::clone(&provider),
        by_authority,
        known: Known::new(trust, certs)?,
        names: names.collect::<Result<_, _>>()?,
        any: trust.any,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match own(pem)? {
        Some((certs, key)) => builder
            .with_client_auth_cert(certs, key)
            .map_err(|e| format!("our certificate and key: {e}"))?,
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// For connections that come in.
///
/// # Errors
/// There is no key or certificate, or what there is is none, in words.
pub fn server(tls: &Tls, certs: &[Vec<u8>], pem: &Pem) -> Result<Arc<ServerConfig>, String> {
    let provider = Arc::new(default_provider());
    let Some((chain, key)) = own(pem)? else {
        return Err("TLS needs a key and a certificate: tls_key and tls_cert".into());
    };
    let store = roots(&pem.ca)?;
    let by_authority = if store.is_empty() {
        None
    } else {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        Some(builder.build().map_err(|e| format!("authorities: {e}"))?)
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = if tls.verify == Verify::Off {
        builder.with_no_client_auth()
    } else {
        builder.with_client_cert_verifier(Arc::new(Client {
            provider,
            by_authority,
            known: Known::new(&tls.clients, certs)?,
            mandatory: tls.verify == Verify::On,
            any: tls.clients.any,
        }))
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|e| format!("our certificate and key: {e}"))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_in_all_spellings() {
        let [sha1, sha256] = fingerprints(b"abc");
        assert_eq!(
            sha1,
            "SHA1:A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D"
        );
        assert!(sha256.starts_with("SHA256:BA:78:16:BF:8F:01"));
        assert_eq!(normal("sha-1:a9:99"), "SHA1:A9:99");
        assert_eq!(normal(" SHA-256:0a"), "SHA256:0A");
        let trust = Trust {
            fingerprints: vec![sha1.replace("SHA1", "sha-1").to_lowercase()],
            ..Trust::default()
        };
        let known = Known::new(&trust, &[]).expect("known");
        assert!(known.has(&CertificateDer::from(&b"abc"[..])));
        assert!(!known.has(&CertificateDer::from(&b"abd"[..])));
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        let pem = Pem {
            key: b"x".to_vec(),
            cert: b"y".to_vec(),
            ca: Vec::new(),
        };
        let e = server(&Tls::default(), &[], &pem).expect_err("no key");
        assert!(e.contains("our key"), "{e}");
        let e = server(&Tls::default(), &[], &Pem::default()).expect_err("none");
        assert!(e.contains("tls_key"), "{e}");
        client(&Trust::default(), &[], &Pem::default()).expect("one that trusts nobody");
    }
}
