//! What a PostgreSQL's refusal means, by its code.

use std::io::ErrorKind;

use sqlx::Error;

use super::PostgresDial;
use crate::model::{PollError, PollErrorKind};

impl PostgresDial {
    /// What went wrong while connecting.
    pub(super) fn connect_error(&self, error: &Error) -> PollError {
        match error {
            Error::Io(io) if matches!(io.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                PollError::new(
                    PollErrorKind::Garbage,
                    &format!("{} hung up during the login; is it a PostgreSQL?", self.place()),
                )
            }
            other => self.error(other),
        }
    }

    /// What went wrong on an open connection, or could not be opened at all.
    #[must_use]
    pub fn error(&self, error: &Error) -> PollError {
        let at = self.place();
        let (kind, says) = match error {
            Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default();
                let (kind, mend) = self.by_code(&code, refusal.message());
                (kind, format!("{at}: {} ({code}){mend}", refusal.message()))
            }
            Error::Io(io) => match io.kind() {
                ErrorKind::ConnectionRefused => {
                    (PollErrorKind::Unreachable, format!("connection refused at {at}"))
                }
                // Over the network the only files there are, are ours.
                ErrorKind::NotFound | ErrorKind::PermissionDenied if !at.starts_with('/') => {
                    let why = "a file that sslrootcert, sslcert or sslkey names cannot be read";
                    (PollErrorKind::Config, format!("{at}: {why}: {io}"))
                }
                ErrorKind::NotFound => (PollErrorKind::Unreachable, format!("no server socket at {at}")),
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    (PollErrorKind::Unreachable, format!("{at} closed the connection"))
                }
                _ => {
                    if let Some(unresolved) = PollError::unresolved(at, &io.to_string()) {
                        return unresolved;
                    }
                    match mistrust(io) {
                        Some(why) => (PollErrorKind::Login, format!("{at}: {why}")),
                        None => (PollErrorKind::Unreachable, format!("cannot reach {at}: {io}")),
                    }
                }
            },
            Error::Tls(why) => {
                (PollErrorKind::Login, format!("{at}: TLS failed: {why}; see sslmode and sslrootcert"))
            }
            Error::Configuration(why) => (PollErrorKind::Login, format!("{at}: {why}")),
            other => {
                let says = other.to_string();
                let says = says.strip_prefix("encountered unexpected or invalid data: ").unwrap_or(&says);
                // The place in the driver's own code is of no use to anybody here.
                let says = says.split(" (sqlx").next().unwrap_or_default();
                (PollErrorKind::Garbage, format!("{at} does not speak PostgreSQL's protocol: {says}"))
            }
        };
        PollError::new(kind, &says)
    }

    /// The kind of a refusal and, where there is one, its mend with a leading separator.
    fn by_code(&self, code: &str, message: &str) -> (PollErrorKind, String) {
        match code {
            "53300" => (
                PollErrorKind::Exhausted,
                "; every slot is taken: end idle sessions, or (16+) grant pg_use_reserved_connections".into(),
            ),
            "28P01" | "28000" => {
                (PollErrorKind::Login, "; check the url, PGPASSWORD or ~/.pgpass, and pg_hba.conf".into())
            }
            "3D000" => (PollErrorKind::Login, "; name an existing database in the url".into()),
            "42501" => (PollErrorKind::Rights, format!("; grant pg_monitor to {}", self.role())),
            "57014" | "55P03" => (PollErrorKind::Timeout, String::new()),
            _ if code.starts_with("28") => (PollErrorKind::Login, String::new()),
            // PgBouncer refuses the session limits that are sent at startup.
            _ if code.starts_with("08") && message.contains("startup parameter") => (
                PollErrorKind::Unsupported,
                "; a pooler stands there: give the server's own address, where the session limits can be set"
                    .into(),
            ),
            _ if code.starts_with("08") => (PollErrorKind::Garbage, String::new()),
            "0A000" | "42883" | "42P01" | "42703" => (PollErrorKind::Unsupported, String::new()),
            // 57P01 to 57P03 (stopping, starting, recovering), 53xxx (out of disk, memory) and all else.
            _ => (PollErrorKind::Unavailable, String::new()),
        }
    }

    /// Whether a session that answered so can be asked again.
    #[must_use]
    pub fn survives(error: &Error) -> bool {
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08"))
    }

    /// Whether asking again on the same session is pointless: not allowed, or not there in this version or service.
    #[must_use]
    pub fn is_absent(error: &Error) -> bool {
        error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| matches!(&*code, "42501" | "0A000" | "42883" | "42P01" | "42703" | "55000"))
    }
}

/// Why one side does not take the other's certificate, and the mend; nothing for any other trouble.
fn mistrust(io: &std::io::Error) -> Option<String> {
    use rustls::{AlertDescription as Alert, CertificateError as Why, Error as Tls};
    let unknown = "signed by nobody whom we know; give its authority as sslrootcert";
    Some(match io.get_ref()?.downcast_ref::<Tls>()? {
        Tls::InvalidCertificate(why) => match why {
            Why::UnknownIssuer => format!("its certificate is {unknown}"),
            Why::Expired | Why::ExpiredContext { .. } => "its certificate has expired: renew it".into(),
            Why::NotValidYet | Why::NotValidYetContext { .. } => {
                "its certificate is not valid yet: compare the clocks".into()
            }
            Why::NotValidForName | Why::NotValidForNameContext { .. } => {
                "its certificate is for another name: put that name into the url, or take sslmode=verify-ca"
                    .into()
            }
            // An authority of one's own that signs nothing but itself.
            Why::Other(why) if why.to_string().contains("CaUsedAsEndEntity") => {
                format!("its certificate signs itself and so is {unknown}")
            }
            why => format!("its certificate is refused: {why}"),
        },
        Tls::AlertReceived(
            Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateRequired
            | Alert::CertificateExpired
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => format!("it refuses our certificate: {io}; see sslcert and sslkey"),
        _ => return None,
    })
}
