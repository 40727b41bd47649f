//! Why a connection to a Redis did not come about or was lost, and the mend where it is ours.

use redis::RedisError;

use crate::model::{PollError, PollErrorKind};

/// The kind and the words for a failed reading or writing; `at` is where the server is.
pub(super) fn explain(at: &str, error: &RedisError) -> (PollErrorKind, String) {
    let text = error.to_string();
    if let Some(unresolved) = PollError::unresolved(at, &text) {
        return (unresolved.kind, unresolved.says.to_string());
    }
    if text.contains("CertificateRequired") {
        let says = format!("{at} wants to see a certificate of ours: give tls_cert and tls_key");
        (PollErrorKind::Login, says)
    } else if text.contains("received fatal alert") {
        (PollErrorKind::Login, format!("{at} refuses our certificate or our TLS: {text}"))
    } else if text.contains("ertificate") || text.contains("handshake") {
        let says =
            format!("{at} shows a certificate that is not trusted ({text}); tls_ca names whom to trust");
        (PollErrorKind::Login, says)
    } else if error.is_connection_refusal() {
        (PollErrorKind::Unreachable, format!("nobody listens on {at}"))
    } else if error.is_connection_dropped() {
        (PollErrorKind::Garbage, format!("{at} hangs up instead of answering; is it a Redis?"))
    } else {
        (PollErrorKind::Unreachable, format!("{at}: {text}"))
    }
}
