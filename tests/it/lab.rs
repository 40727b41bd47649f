//! The lab's own servers: each answers as it should and is gone afterwards.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use sqlx::{Connection, PgConnection};
use warroom::lab;

#[tokio::test]
async fn postgres_answers_with_the_roles_of_the_lab() {
    let server = lab::postgres::start(None).unwrap();
    let mut connection = PgConnection::connect(&server.url("warroom")).await.unwrap();
    let (monitor, signal, superuser): (bool, bool, bool) = sqlx::query_as(
        "select pg_has_role(current_user,'pg_monitor','member'),
                pg_has_role(current_user,'pg_signal_backend','member'),
                (select rolsuper from pg_roles where rolname=current_user)",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(monitor && signal && !superuser);
    let mut owner = PgConnection::connect(&server.url("app")).await.unwrap();
    sqlx::raw_sql("create table t (id int)").execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn a_dropped_postgres_leaves_no_process_and_no_folder() {
    let mut server = lab::postgres::start(None).unwrap();
    let family = server.process().record().family();
    assert!(family.len() > 3, "the postmaster and its children: {family:?}");
    let folder = server.sockets().parent().unwrap().to_owned();
    assert!(folder.exists());
    server.process().freeze();
    drop(server);
    assert!(family.iter().all(|one| !one.alive()), "still alive: {family:?}");
    assert!(!folder.exists());
}

#[test]
fn redis_answers_and_takes_settings() {
    let server = lab::redis::start(&["--maxmemory", "64mb"]).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"CONFIG GET maxmemory\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("67108864"), "{answer}");
}

#[test]
fn haproxy_tells_its_statistics_by_its_socket() {
    let port = lab::free_port().unwrap();
    let server = lab::haproxy::start(&format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    default_backend app\nbackend app\n    server web1 127.0.0.1:1 maxconn 2\n"
    ))
    .unwrap();
    let mut stream = UnixStream::connect(server.socket()).unwrap();
    stream.write_all(b"show stat\n").unwrap();
    let mut csv = String::new();
    stream.read_to_string(&mut csv).unwrap();
    assert!(csv.contains("app,web1,"), "{csv}");
}

#[test]
fn a_server_that_refuses_its_settings_says_why() {
    let error = lab::redis::start(&["--maxmemory", "plenty"]).unwrap_err().to_string();
    assert!(error.contains("redis ended at once"), "{error}");
}
