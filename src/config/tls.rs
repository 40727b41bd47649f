//! The keys `tls_ca`, `tls_cert` and `tls_key` of a target on Redis: whom to believe, and who we are.

use std::ops::Range;
use std::path::PathBuf;

use super::TargetSpec;
use super::document::{Document, Section};

/// Files for an encrypted connection, each PEM; read when the target is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who signed the server's certificate, in place of the public authorities.
    pub ca: Option<PathBuf>,
    /// Our own certificate, where the server wants one.
    pub cert: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Whether none is given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ca.is_none() && self.cert.is_none()
    }
}

/// Reads them; a certificate needs its key, and the other way round.
pub(super) fn tls_files(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &Range<usize>,
    resolve: impl Fn(&str) -> PathBuf,
    spec: &mut TargetSpec,
) {
    let mut path = |key| doc.text(at, key).map(|(path, _)| resolve(&path));
    spec.tls = TlsFiles { ca: path("tls_ca"), cert: path("tls_cert"), key: path("tls_key") };
    for (given, lacks) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
        if at.has(given) && !at.has(lacks) {
            doc.fault(at, lacks, span, format!("is missing; it belongs to {given}"));
        }
    }
}
