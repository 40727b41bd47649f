//! uWSGI on a port and on a socket in the file system.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;
use warroom::config::TargetSpec;
use warroom::lab::{self, Folder, Process, free_port};
use warroom::model::{Severity, TargetId};

use super::{doctor, get, get_unix, look, source, spec, until};
use crate::incidents::Watcher;

/// Answers `/`; `/hang` is answered once there is a file `go`.
const APP: &str = "import os, time\n\
    def application(env, start):\n\
    \x20   while env['PATH_INFO'] == '/hang' and not os.path.exists('go'): time.sleep(0.02)\n\
    \x20   start('200 OK', [('Content-Length', '2')])\n\
    \x20   return [b'ok']\n";

struct Uwsgi {
    folder: Folder,
    port: u16,
    stats: u16,
    process: Process,
}

impl Uwsgi {
    fn start(workers: u16, threads: u16, on_port: bool) -> Self {
        let folder = Folder::temporary("uwsgi").unwrap();
        let (port, stats) = (free_port().unwrap(), free_port().unwrap());
        std::fs::write(folder.path().join("app.py"), APP).unwrap();
        let socket = folder.path().join("app.sock").display().to_string();
        let listen = if on_port {
            ["--http-socket".to_owned(), format!("127.0.0.1:{port}")]
        } else {
            ["--protocol=http".to_owned(), format!("--socket={socket}")]
        };
        let mut command = Command::new("uwsgi");
        command
            .args([
                "--plugin",
                "python3",
                "--wsgi-file",
                "app.py",
                "--master",
                "--die-on-term",
                "--listen",
                "20",
            ])
            .args(["--processes", &workers.to_string(), "--threads", &threads.to_string()])
            .args(listen)
            .args(["--stats", &format!("127.0.0.1:{stats}")])
            .current_dir(folder.path());
        let log = folder.path().join("log");
        let mut process = Process::start("uwsgi", &mut command, &log, Signal::INT).unwrap();
        process
            .wait_ready(|| {
                TcpStream::connect((Ipv4Addr::LOCALHOST, stats)).is_ok()
                    && if on_port {
                        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
                    } else {
                        UnixStream::connect(&socket).is_ok()
                    }
            })
            .unwrap();
        Self { folder, port, stats, process }
    }

    fn spec(&self) -> TargetSpec {
        spec("uwsgi", &format!("tcp://127.0.0.1:{}", self.stats))
    }

    fn release(&self) {
        std::fs::write(self.folder.path().join("go"), "").unwrap();
    }
}

#[tokio::test]
async fn one_worker_that_hangs_shows_one_busy_and_the_rest_behind_it() {
    let mut uwsgi = Uwsgi::start(1, 1, true);
    let mut source = source(&uwsgi.spec());
    let calm = until(&mut source, "a calm uWSGI", |it| it.busy == 0 && it.listening() == Some(0)).await;
    assert!(calm.product.as_str().starts_with("uWSGI 2."), "{}", calm.product);
    assert_eq!((calm.capacity, calm.unit.as_str(), calm.is_full()), (1, "worker", false));
    let clients: Vec<_> = (0..5).map(|_| get(uwsgi.port, "/hang?token=secret")).collect();
    let full = until(&mut source, "four that wait", |it| it.listening() == Some(4)).await;
    assert_eq!((full.busy, full.capacity, full.is_full()), (1, 1, true));
    assert_eq!(full.sockets[0].limit, Some(20));
    let aged = until(&mut source, "its age", |it| it.longest().is_some_and(|(_, age)| age > 0.2)).await;
    assert_eq!(aged.longest().unwrap().0.doing.as_ref().unwrap().as_str(), "GET /hang");
    let told = serde_json::to_string(&aged).unwrap();
    assert!(!told.contains("secret"), "no query is kept: {told}");
    let lines = doctor(&uwsgi.spec()).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");

    uwsgi.release();
    for client in clients {
        assert!(client.join().unwrap().ends_with("ok"));
    }
    let after = until(&mut source, "all served", |it| it.requests >= Some(5) && it.busy == 0).await;
    assert!(after.answer_ms.is_some(), "{after:?}");
    uwsgi.process.stop();
    let error = look(&mut source).await.unwrap_err();
    assert!(error.says.as_str().contains("nobody listens on 127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn the_queue_of_a_socket_in_the_file_system_is_told_by_the_kernel() {
    let uwsgi = Uwsgi::start(2, 2, false);
    let mut source = source(&uwsgi.spec());
    let calm = until(&mut source, "a calm uWSGI", |it| it.capacity == 4).await;
    assert_eq!(calm.unit.as_str(), "thread");
    let socket = uwsgi.folder.path().join("app.sock");
    let clients: Vec<_> = (0..7).map(|_| get_unix(&socket, "/hang")).collect();
    let full = until(&mut source, "three that wait", |it| it.busy == 4 && it.listening() == Some(3)).await;
    assert_eq!(full.sockets[0].limit, Some(20), "uWSGI itself says 0 of 0");
    assert!(full.missing.is_empty(), "{:?}", full.missing);
    uwsgi.release();
    for client in clients {
        assert!(client.join().unwrap().ends_with("ok"));
    }
}

/// Behind a proxy without a limit, on a watched machine: three tell of the same queue, and it counts once.
#[tokio::test]
async fn what_waits_behind_a_proxy_is_put_down_to_the_busy_workers_and_counted_once() {
    let uwsgi = Uwsgi::start(1, 1, true);
    let front = free_port().unwrap();
    let proxy = lab::haproxy::start(&format!(
        "frontend fe\n    bind 127.0.0.1:{front}\n    default_backend app\n\
         backend app\n    server web1 127.0.0.1:{}\n",
        uwsgi.port
    ))
    .unwrap();
    let config = uwsgi.folder.path().join("w.toml");
    let text = format!(
        "[[target]]\nid = \"bastion\"\nkind = \"host\"\n\
         [[target]]\nid = \"web\"\nkind = \"uwsgi\"\nurl = \"tcp://127.0.0.1:{}\"\n\
         [[target]]\nid = \"edge\"\nkind = \"haproxy\"\nurl = \"{}\"\n",
        uwsgi.stats,
        proxy.socket_url()
    );
    std::fs::write(&config, text).unwrap();
    let mut watcher = Watcher::on(&config);
    let clients: Vec<_> = (0..5).map(|_| get(front, "/hang")).collect();
    let (web, edge) = (TargetId::parse("web").unwrap(), TargetId::parse("edge").unwrap().row("app"));
    watcher
        .until("four behind the worker, counted once", |judgement| {
            let of = |id: &TargetId, rule: &str| {
                judgement.findings.iter().find(|it| it.target == *id && it.rule == rule)
            };
            let Some((web, edge)) = of(&web, "workers_busy").zip(of(&edge, "requests_wait")) else {
                return false;
            };
            web.severity == Severity::Critical
                && web.says.starts_with("its only worker busy, 4 wait and nothing is served")
                && edge.says.starts_with("4 wait and nothing is served")
                && edge.caused_by.as_deref() == Some("request.queue@web")
        })
        .await;
    uwsgi.release();
    for client in clients {
        assert!(client.join().unwrap().contains("ok"));
    }
    watcher
        .until("workers at rest", |judgement| {
            !judgement.findings.iter().any(|it| it.target == web || it.target == edge)
        })
        .await;
}
