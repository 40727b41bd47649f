//! A password in a config is told to the server it is for, and to nobody else: no output of any verb, no
//! error of any kind of target, nothing left behind and no screen holds it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::format_push_string, reason = "a test's configuration is short")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use warroom::lab;
use warroom::sources::KINDS;

use super::pty::{Start, Terminal};
use super::redis::{client, run};

const SECRET: &str = "hunter2";

/// How each kind is addressed with a password, and what else its target must say.
fn target(kind: &str) -> (String, &'static str) {
    let login = format!("u:{SECRET}@127.0.0.1:PORT");
    let web = |path: &str| format!("http://{login}{path}");
    match kind {
        "host" => (String::new(), ""),
        "ssh" => (format!("ssh://{login}"), ""),
        "memcached" => (format!("memcached://{login}"), ""),
        "varnish" => (format!("tcp://{login}"), ""),
        "prometheus" => (web("/metrics"), "preset = \"envoy\""),
        "puma" => (web(&format!("/?token={SECRET}")), "token_env = \"TOKEN\""),
        "node_exporter" => (web(&format!("/metrics?key={SECRET}")), ""),
        "prometheus_hosts" | "rabbitmq" | "haproxy" | "nginx" | "uwsgi" | "php_fpm" => (web("/status"), ""),
        "redis" | "rq" | "celery" | "sidekiq" | "bullmq" | "dramatiq" | "arq" | "resque" | "asynq"
        | "laravel" => (format!("redis://{login}/0"), ""),
        "redis_list" | "redis_stream" => (format!("redis://{login}/0"), "queues = [\"mail\"]"),
        "sql" => (format!("postgres://{login}/app"), "statement = \"select 1\""),
        _ => (format!("postgres://{login}/app?password={SECRET}"), ""),
    }
}

/// Where the secret stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Config,
    Environment,
    File,
}

/// A home whose config has a target of every kind, all at this port.
struct Home {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Home {
    fn new(port: u16, kept: Kept, kinds: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut env = vec![("TOKEN".to_owned(), SECRET.to_owned())];
        let mut config = String::new();
        for kind in kinds {
            let (url, more) = target(kind);
            let url = url.replace("PORT", &port.to_string());
            config += &format!("[[target]]\nid = \"{kind}\"\nkind = \"{kind}\"\n{more}\n");
            match kept {
                _ if url.is_empty() => {}
                Kept::Config => config += &format!("url = \"{url}\"\n"),
                Kept::Environment => {
                    let name = format!("URL_{kind}");
                    config += &format!("url_env = \"{name}\"\n");
                    env.push((name, url));
                }
                Kept::File => {
                    let name = format!("{kind}.url");
                    fs::write(folder.path().join(&name), url + "\n").unwrap();
                    config += &format!("url_file = \"{name}\"\n");
                }
            }
        }
        fs::write(folder.path().join("warroom.toml"), config).unwrap();
        Self { folder, env }
    }

    fn config(&self) -> String {
        fs::read_to_string(self.folder.path().join("warroom.toml")).unwrap()
    }

    /// Everything a verb writes; none may hold the secret.
    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warroom"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(args).env_clear().env("HOME", self.folder.path()).env("PATH", path);
        command.envs(self.env.iter().cloned()).current_dir(self.folder.path()).stdin(Stdio::null());
        let out = command.output().unwrap();
        let told = [out.stdout, out.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!told.contains(SECRET), "{args:?}: {told}");
        assert!(!told.contains("panicked"), "{args:?}: {told}");
        told
    }

    /// Nothing it left behind holds the secret.
    fn assert_clean(&self) {
        fn walk(folder: &Path) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let given =
                    path.extension().is_some_and(|end| end == "url") || path.ends_with("warroom.toml");
                if path.is_dir() {
                    walk(&path);
                } else if !given {
                    let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                    assert!(!text.contains(SECRET), "{}: {text}", path.display());
                }
            }
        }
        walk(self.folder.path());
    }
}

/// Answers whoever comes with these bytes and hangs up; ends when dropped.
struct Answering {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Answering {
    fn with(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || {
                    let mut stream = stream;
                    stream.set_read_timeout(Some(Duration::from_secs(1))).ok();
                    if stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                        stream.write_all(answer).ok();
                    }
                });
            }
        });
        Self { port, over }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

fn kinds() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

/// What answers where a server was meant to be.
const ANSWERS: [&[u8]; 4] = [
    b"\xff\x00 nothing known\r\n",
    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: http://u:hunter2@127.0.0.1:1/?key=hunter2\r\ncontent-length: 0\r\n\r\n",
    b"-WRONGPASS invalid username-password pair or user is disabled.\r\n",
];

#[test]
fn no_kind_tells_its_password_whatever_answers() {
    for answer in ANSWERS {
        let server = Answering::with(answer);
        let home = Home::new(server.port, Kept::Config, &kinds());
        home.run(&["check", "--json"]);
        let told = home.run(&["doctor"]);
        for words in ["(sqlx", "hyper", "rustls", "invalid http"] {
            assert!(!told.contains(words), "{words} means nothing to anybody: {told}");
        }
        assert!(answer[0] != 0xff || told.contains("it does not answer in HTTP"), "{told}");
        assert!(!answer.starts_with(b"HTTP/1.1 401") || told.contains("it refuses the user"), "{told}");
        home.assert_clean();
    }
}

#[test]
fn no_verb_tells_a_password_wherever_it_is_kept() {
    let nobody = lab::free_port().unwrap();
    for kept in [Kept::Config, Kept::Environment, Kept::File] {
        let home = Home::new(nobody, kept, &kinds());
        for line in [
            "config check",
            "config show",
            "check",
            "check --json",
            "doctor",
            "kill --target postgres --root-blocker --yes",
            "explain --target postgres select",
            "clear --target redis --namespace pages --yes",
            "pause --target rq --queue mail --yes",
            "server --target haproxy --yes drain app/web1",
            "mark v1",
            "journal --json",
        ] {
            home.run(&line.split(' ').collect::<Vec<_>>());
        }
        home.assert_clean();
    }
}

#[test]
fn no_screen_shows_a_password() {
    let nobody = lab::free_port().unwrap();
    let home = Home::new(nobody, Kept::Config, &["redis", "postgres", "haproxy", "nginx", "rq"]);
    let mut terminal =
        Terminal::start(&Start { size: (200, 50), config: &home.config(), ..Start::default() });
    terminal.until_says("nobody listens");
    terminal.keys("1\r");
    terminal.until_says("esc back");
    terminal.signal(Signal::TERM);
    terminal.end();
    assert!(!String::from_utf8_lossy(&terminal.raw).contains(SECRET));
}

#[tokio::test]
async fn a_redis_that_refuses_the_password_is_named_with_the_mend_by_every_kind() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    run(&mut other, &["ACL", "SETUSER", "u", "on", ">right", "~*", "+@all"]).await;
    let on_redis: Vec<_> = kinds().into_iter().filter(|kind| target(kind).0.starts_with("redis:")).collect();
    assert!(on_redis.len() >= 12, "{on_redis:?}");
    let home = Home::new(server.port(), Kept::Environment, &on_redis);
    let told = home.run(&["doctor"]);
    assert_eq!(told.matches("refused the url's user or password: correct").count(), on_redis.len(), "{told}");
}

/// The address of a socket has no place for a user, and no `://` by which its parts are told apart.
#[test]
fn no_verb_tells_the_password_of_a_socket() {
    let home = Home::new(lab::free_port().unwrap(), Kept::Config, &["host"]);
    let config = home.folder.path().join("warroom.toml");
    let url = format!("unix:/nowhere/redis.sock?db=1&pass={SECRET}");
    fs::write(&config, format!("[[target]]\nid = \"cache\"\nkind = \"redis\"\nurl = \"{url}\"\n")).unwrap();
    for line in ["config show", "check", "check --json", "doctor", "clear --target cache pages --yes"] {
        home.run(&line.split(' ').collect::<Vec<_>>());
    }
    assert!(home.run(&["config", "check"]).contains("holds a password and others can read it"));
    home.assert_clean();
}
