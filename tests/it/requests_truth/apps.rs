//! The same for real app servers with one worker each, behind a proxy that sends everything on: the app
//! itself notes how long ago the proxy stamped each request. No server's own word is asked, the kernel's is.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::process::Signal;
use warroom::config::{Secret, TargetSpec};
use warroom::lab::haproxy::Haproxy;
use warroom::lab::{self, Folder, Process, free_port};
use warroom::model::TargetId;

use super::{Row, arrivals, clock, crowd, edge, host, is_told_truly, now, row, watch};

/// Requests a second, to each; the work of each takes 20 ms.
const RATE: f64 = 30.0;
/// Clients that each ask again as soon as they are answered.
const CROWD: usize = 9;

const PYTHON: &str = "import time
out = open('waits', 'a', 1)
def application(env, start):
    stamp, now = env.get('HTTP_X_REQUEST_START'), time.time()
    if stamp: out.write('%f %f\\n' % (now, now * 1e3 - float(stamp[2:]) / 1e3))
    time.sleep(0.02)
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
";
const RUBY: &str = "out = File.open('waits', 'a')
out.sync = true
run lambda { |env|
  stamp, now = env['HTTP_X_REQUEST_START'], Time.now.to_f
  out.write(format(\"%f %f\\n\", now, now * 1e3 - stamp[2..-1].to_f / 1e3)) if stamp
  sleep 0.02
  [200, {'content-type' => 'text/plain'}, ['ok']]
}
";
const PHP: &str = "<?php
$stamp = $_SERVER['HTTP_X_REQUEST_START'] ?? ''; $now = microtime(true);
if ($stamp !== '') file_put_contents(__DIR__ . '/waits',
    sprintf(\"%f %f\\n\", $now, $now * 1e3 - (float) substr($stamp, 2) / 1e3), FILE_APPEND);
usleep(20000);
echo 'ok';
";

/// One app server with one worker.
struct Server {
    name: &'static str,
    port: u16,
    /// How it is asked for its own figures; gunicorn has none.
    own: Option<TargetSpec>,
    folder: Folder,
    _process: Process,
}

impl Server {
    fn start(
        name: &'static str,
        files: &[(&str, &str)],
        gently: Signal,
        url: &str,
        command: impl Fn([u16; 2], &Folder) -> Command,
    ) -> Self {
        let (folder, port, asked) =
            (Folder::temporary(name).unwrap(), free_port().unwrap(), free_port().unwrap());
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let mut command = command([port, asked], &folder);
        command.current_dir(folder.path()).env_remove("PORT");
        let log = folder.path().join("log");
        let mut process = Process::start(name, &mut command, &log, gently).unwrap();
        process.wait_ready(|| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).unwrap();
        let own = (!url.is_empty()).then(|| {
            let id = TargetId::parse(name).unwrap();
            let mut spec = TargetSpec::new(id, &name.replace('-', "_"))
                .with_url(&url.replace("PORT", &asked.to_string()));
            spec.token = (name == "puma").then(|| Secret::new("t"));
            spec.listens = (name != "uwsgi").then(|| format!("127.0.0.1:{port}"));
            spec
        });
        Self { name, port, own, folder, _process: process }
    }

    fn all() -> Vec<Self> {
        let uwsgi = Self::start(
            "uwsgi",
            &[("app.py", PYTHON)],
            Signal::INT,
            "tcp://127.0.0.1:PORT",
            |[port, asked], _| {
                let mut command = Command::new("uwsgi");
                command.args(["--plugin", "python3", "--wsgi-file", "app.py", "--master", "--die-on-term"]);
                command.args(["--processes", "1", "--listen", "100", "--http-socket"]);
                command.arg(format!("127.0.0.1:{port}")).args(["--stats", &format!("127.0.0.1:{asked}")]);
                command
            },
        );
        let gunicorn = Self::start("gunicorn", &[("app.py", PYTHON)], Signal::TERM, "", |[port, _], _| {
            let python = std::env::var("WARROOM_TEST_PYTHON").unwrap();
            let mut command = Command::new(python);
            command.args(["-m", "gunicorn", "-w", "1", "--no-control-socket", "-b"]);
            command.arg(format!("127.0.0.1:{port}")).arg("app:application");
            command
        });
        let puma = Self::start(
            "puma",
            &[("config.ru", RUBY)],
            Signal::TERM,
            "http://127.0.0.1:PORT",
            |[port, asked], _| {
                let mut command = Command::new("puma");
                command.args(["-t", "1:1", "-b", &format!("tcp://127.0.0.1:{port}")]);
                command.args([
                    "--control-url",
                    &format!("tcp://127.0.0.1:{asked}"),
                    "--control-token",
                    "t",
                    "config.ru",
                ]);
                command
            },
        );
        let fpm = Self::start(
            "php-fpm",
            &[("app.php", PHP)],
            Signal::TERM,
            "fcgi://127.0.0.1:PORT/status",
            |[port, asked], folder| {
                let as_root = rustix::process::geteuid().is_root();
                let user = if as_root { "user = root\ngroup = root\n" } else { "" };
                let text = format!(
                    "[global]\nerror_log = {}/error.log\ndaemonize = no\n[www]\nlisten = 127.0.0.1:{port}\n\
                 {user}pm = static\npm.max_children = 1\npm.status_path = /status\n\
                 pm.status_listen = 127.0.0.1:{asked}\n",
                    folder.path().display()
                );
                std::fs::write(folder.path().join("fpm.conf"), text).unwrap();
                let mut command = Command::new(fpm_program());
                command.args(["-F", "-y"]).arg(folder.path().join("fpm.conf"));
                if as_root {
                    command.arg("-R");
                }
                command
            },
        );
        vec![uwsgi, gunicorn, puma, fpm]
    }

    /// The mean of what its requests noted between two moments.
    fn mean_between(&self, from: Instant, to: Instant) -> f64 {
        // Its notes tell the time of day.
        let (clock, now) = (clock() as f64 / 1e6, now());
        let [from, to] = [from, to].map(|at| clock - (now - at).as_secs_f64());
        let notes = std::fs::read_to_string(self.folder.path().join("waits")).unwrap();
        let within: Vec<f64> = notes
            .lines()
            .filter_map(|line| {
                let (at, wait) = line.split_once(' ')?;
                let at: f64 = at.parse().ok()?;
                (at >= from && at < to).then(|| wait.parse().ok())?
            })
            .collect();
        super::mean(&within, 50)
    }
}

/// Debian names it after the version of PHP.
fn fpm_program() -> PathBuf {
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("php-fpm"));
    let all = std::fs::read_dir("/usr/sbin").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    all.filter(named).max().unwrap()
}

#[tokio::test]
async fn so_is_the_wait_for_a_real_app_server() {
    is_told_truly(measure).await;
}

async fn measure() -> Vec<Row> {
    let servers = Server::all();
    let (proxy, port) = proxy(&servers);
    let stop = Arc::new(AtomicBool::new(false));
    for at in 0..servers.len() {
        arrivals(port, at, RATE, &stop);
    }
    let seen = watch(&[host(), edge(&proxy)]).await;
    stop.store(true, Ordering::Relaxed);
    let rows = servers.iter().enumerate().map(|(at, server)| {
        row(at, server.name.to_owned(), true, &seen, |from, to| server.mean_between(from, to))
    });
    rows.collect()
}

/// No machine is watched, so each server's own figures are all there is, told once a second: a crowd that
/// stays as large as it is makes the wait one that so few looks can tell.
#[tokio::test]
async fn so_is_what_an_app_server_tells_of_itself() {
    is_told_truly(measure_own).await;
}

async fn measure_own() -> Vec<Row> {
    let mut servers = Server::all();
    servers.retain(|server| server.own.is_some());
    let (proxy, port) = proxy(&servers);
    let stop = Arc::new(AtomicBool::new(false));
    for at in 0..servers.len() {
        crowd(port, at, CROWD, &stop);
    }
    let mut specs = vec![edge(&proxy)];
    specs.extend(servers.iter().filter_map(|server| server.own.clone()));
    let seen = watch(&specs).await;
    stop.store(true, Ordering::Relaxed);
    let mut rows = Vec::new();
    for (at, server) in servers.iter().enumerate() {
        let row = || row(at, server.name.to_owned(), true, &seen, |from, to| server.mean_between(from, to));
        if server.name == "puma" {
            // It stops accepting when its threads are busy: what waits is in the kernel, of which it knows nothing.
            let said = super::said(at, &seen);
            assert!(said.starts_with("cannot be known"), "{said}");
        } else {
            rows.push(row());
        }
    }
    rows
}

/// A proxy that sends `/<at>` to the server at that place, and its port.
fn proxy(servers: &[Server]) -> (Haproxy, u16) {
    let port = free_port().unwrap();
    let mut body = format!(
        "frontend front\n    bind 127.0.0.1:{port}\n    http-request set-header X-Request-Start t=%[date(0,us)]\n"
    );
    for at in 0..servers.len() {
        body.push_str(&format!("    use_backend b{at} if {{ path /{at} }}\n"));
    }
    for (at, server) in servers.iter().enumerate() {
        let (extra, proto) = if server.name == "php-fpm" {
            ("    use-fcgi-app php\n    http-request set-path /app.php\n", " proto fcgi")
        } else {
            ("", "")
        };
        body.push_str(&format!(
            "backend b{at}\n    option http-server-close\n{extra}    server one 127.0.0.1:{}{proto}\n",
            server.port
        ));
        if server.name == "php-fpm" {
            // A kept connection would hold the only child.
            body.push_str(&format!(
                "fcgi-app php\n    docroot {}\n    no option keep-conn\n",
                server.folder.path().display()
            ));
        }
    }
    (lab::haproxy::start(&body).unwrap(), port)
}
