//! What a PostgreSQL's URL leaves to libpq's habits and the driver does not know: a service file, an IPv6
//! address in brackets, several hosts.

use std::path::{Path, PathBuf};

/// What a service may say of a connection; what else it says is for others.
const KNOWN: [&str; 10] =
    ["host", "hostaddr", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/// The URL as the driver understands it: its service's settings added where the URL says nothing itself, as
/// libpq has it. `env` looks a variable up.
///
/// # Errors
/// A sentence without any part of the URL but the service's name.
pub(super) fn understood(
    url: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, String> {
    let given = Given::of(url.unwrap_or("postgres:///"));
    if given.host.contains(',') {
        return Err("url names several hosts: give each of them a target of its own".into());
    }
    let mut more = Vec::new();
    if let Some(service) = given.value("service").or_else(|| env("PGSERVICE")).filter(|name| !name.is_empty())
    {
        more = settings(&service, &env)?;
        more.retain(|(key, _)| !given.has(key));
    } else if url.is_none() {
        return Ok(None);
    }
    if let Some(address) = given.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        more.push(("hostaddr".into(), address.into()));
    }
    let mut out = url.unwrap_or("postgres:///").to_owned();
    for (key, value) in more {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(&key);
        out.push('=');
        encode(&value, &mut out);
    }
    Ok(Some(out))
}

/// The parts of a URL, as written.
struct Given<'a> {
    user: &'a str,
    password: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
    query: Vec<(&'a str, &'a str)>,
}

impl<'a> Given<'a> {
    fn of(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let end = place.rfind(']').map_or(0, |at| at + 1);
        let colon = place.get(end..).and_then(|tail| tail.find(':')).map(|at| at + end);
        let (host, port) = match colon {
            Some(at) => (&place[..at], &place[at + 1..]),
            None => (place, ""),
        };
        let query = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        Self { user, password, host, port, path, query }
    }

    fn value(&self, wanted: &str) -> Option<String> {
        self.query.iter().find(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned())
    }

    /// Whether the URL itself tells this.
    fn has(&self, key: &str) -> bool {
        let place =
            || !self.host.is_empty() || self.value("host").is_some() || self.value("hostaddr").is_some();
        self.value(key).is_some()
            || match key {
                "host" | "hostaddr" => place(),
                "port" => !self.port.is_empty(),
                "dbname" => !self.path.is_empty(),
                "user" => !self.user.is_empty(),
                "password" => !self.password.is_empty(),
                _ => false,
            }
    }
}

/// The settings of a service: the user's own file, or the one that stands in its place, then the system's.
fn settings(service: &str, env: &impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, String> {
    let own = env("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| Some(PathBuf::from(env("HOME")?).join(".pg_service.conf")));
    let shared = env("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into());
    let files: Vec<PathBuf> = own.into_iter().chain([Path::new(&shared).join("pg_service.conf")]).collect();
    for file in &files {
        // A file that is not there is as good as one without the service.
        let found = std::fs::read_to_string(file).ok().and_then(|text| section(&text, service));
        if let Some(settings) = found {
            return Ok(settings);
        }
    }
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    Err(format!("there is no service {service:?} in {}", files.join(" or ")))
}

/// What stands under `[service]`, of what is known.
fn section(text: &str, service: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| {
        line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).is_some_and(|name| name == service)
    })?;
    let inside = lines.take_while(|line| !line.starts_with('['));
    let pairs = inside.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let pairs = pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    Some(pairs.filter(|(key, value)| KNOWN.contains(&key.as_str()) && !value.is_empty()).collect())
}

/// Writes a value so that it can stand in a URL, whatever is in it.
fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from_digit(half.into(), 16).unwrap_or('0'));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_address_in_brackets_is_told_without_them() {
        let url = understood(Some("postgres://app@[fe80::1]:6432/x?sslmode=require"), no_env);
        assert_eq!(
            url.expect("good"),
            Some("postgres://app@[fe80::1]:6432/x?sslmode=require&hostaddr=fe80%3a%3a1".into())
        );
        assert_eq!(understood(Some("postgres://db/x"), no_env), Ok(Some("postgres://db/x".into())));
        assert_eq!(understood(None, no_env), Ok(None), "libpq's own environment is left to the driver");
    }

    #[test]
    fn a_service_fills_in_what_the_url_leaves_open() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("services");
        std::fs::write(
            &file,
            "[other]\nhost=no\n# the one\n[prod]\nhost = db1\nport=6000\nuser=app\npassword=a&b %c\nconnect_timeout=3\n[last]\nport=1\n",
        )
        .expect("written");
        let env = |name: &str| match name {
            "PGSERVICEFILE" => Some(file.display().to_string()),
            "PGSERVICE" => Some("prod".to_owned()),
            _ => None,
        };
        let all = "host=db1&port=6000&user=app&password=a%26b%20%25c";
        assert_eq!(understood(None, env), Ok(Some(format!("postgres:///?{all}"))));
        let only_file = |name: &str| env(name).filter(|_| name == "PGSERVICEFILE");
        assert_eq!(
            understood(Some("postgres://root@:7000/x?service=prod"), only_file),
            Ok(Some("postgres://root@:7000/x?service=prod&host=db1&password=a%26b%20%25c".into()))
        );
        let refused = understood(Some("postgres:///?service=prot"), only_file).expect_err("no such service");
        assert!(refused.contains("no service \"prot\" in ") && !refused.contains("a&b"), "{refused}");
    }

    #[test]
    fn several_hosts_are_refused_in_words() {
        let refused = understood(Some("postgres://u:s3cret@a,b/x"), no_env).expect_err("two hosts");
        assert!(refused.contains("a target of its own") && !refused.contains("s3cret"), "{refused}");
    }
}
