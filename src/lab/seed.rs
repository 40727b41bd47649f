//! What a lab's database and cache hold before the first request.

use std::path::Path;

use super::LabError;
use super::postgres::Settings;

/// Cached templates; the app asks for no others.
pub(super) const TEMPLATES: u64 = 2_000;
/// Sessions of logged-in people.
pub(super) const SESSIONS: u64 = 500;
/// Users; their rows are what the app updates.
pub(super) const USERS: u64 = 500;
/// Size of a cached template, bytes.
pub(super) const TEMPLATE_BYTES: usize = 2_048;

/// The lab's database: few connections, two tables.
pub(super) fn postgres(bin_dir: Option<&Path>) -> Settings {
    let server = [("max_connections", "50"), ("max_wal_size", "64MB"), ("min_wal_size", "32MB")];
    let setup = [
        "SET SESSION AUTHORIZATION app".to_owned(),
        "CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, plan text NOT NULL, visits int NOT NULL \
         DEFAULT 0, seen timestamptz) WITH (fillfactor = 50)"
            .to_owned(),
        format!(
            "INSERT INTO users SELECT n, 'user' || n || '@example.org', 'free' FROM generate_series(1, {USERS}) n"
        ),
        "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, total int NOT NULL)".to_owned(),
        format!(
            "INSERT INTO orders SELECT n, 1 + n % {USERS}, (n * 7919) % 10007 FROM generate_series(1, 20000) n"
        ),
        "ANALYZE".to_owned(),
    ];
    Settings {
        bin_dir: bin_dir.map(Path::to_owned),
        server: server.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        setup: setup.to_vec(),
        standby_of: None,
        standby_from: None,
    }
}

/// Fills the cache with what a warm app would have in it.
pub(super) fn cache(port: u16) -> Result<(), LabError> {
    let mut pipe = redis::pipe();
    let template = "x".repeat(TEMPLATE_BYTES);
    for n in 0..TEMPLATES {
        pipe.set(format!("cache:templates:{n}"), &template).ignore();
    }
    for n in 0..SESSIONS {
        pipe.set(format!("sess:{n}"), "{\"user\":1}").ignore();
    }
    redis::Client::open(format!("redis://127.0.0.1:{port}/0"))
        .and_then(|client| client.get_connection())
        .and_then(|mut connection| pipe.query::<()>(&mut connection))
        .map_err(|why| LabError::Refused(format!("the lab's cache could not be filled: {why}")))
}
