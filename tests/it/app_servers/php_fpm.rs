//! php-fpm over `FastCGI`: past the pool, and through it.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use rustix::process::Signal;
use warroom::lab::{Folder, Process, free_port};
use warroom::model::PollErrorKind;

use super::{doctor, look, rest, source, spec, until};

/// Ends once there is a file `go`.
const SCRIPT: &str =
    "<?php while (!file_exists(__DIR__ . '/go')) { usleep(20000); clearstatcache(); } echo 'ok';";

struct Fpm {
    folder: Folder,
    /// The pool `www` on a port, asked through itself; the pool `un` on a socket, asked past it.
    port: u16,
    status: u16,
    _process: Process,
}

impl Fpm {
    fn start() -> Self {
        let folder = Folder::temporary("fpm").unwrap();
        let (port, status) = (free_port().unwrap(), free_port().unwrap());
        let here = folder.path().display().to_string();
        let as_root = rustix::process::geteuid().is_root();
        let user = if as_root { "user = root\ngroup = root\n" } else { "" };
        let pool = format!("{user}pm = static\npm.max_children = 2\npm.status_path = /status\n");
        let text = format!(
            "[global]\nerror_log = {here}/error.log\ndaemonize = no\n\
             [www]\nlisten = 127.0.0.1:{port}\nlisten.backlog = 50\n{pool}\
             [un]\nlisten = {here}/un.sock\nlisten.backlog = 60\n{pool}pm.status_listen = 127.0.0.1:{status}\n"
        );
        std::fs::write(folder.path().join("fpm.conf"), text).unwrap();
        std::fs::write(folder.path().join("hang.php"), SCRIPT).unwrap();
        let mut command = Command::new(program());
        command.args(["-F", "-y"]).arg(folder.path().join("fpm.conf")).current_dir(folder.path());
        if as_root {
            command.arg("-R");
        }
        let log = folder.path().join("log");
        let mut process = Process::start("php-fpm", &mut command, &log, Signal::TERM).unwrap();
        process.wait_ready(|| TcpStream::connect((Ipv4Addr::LOCALHOST, status)).is_ok()).unwrap();
        Self { folder, port, status, _process: process }
    }

    /// A request that hangs.
    fn hang(&self, mut wire: impl std::io::Read + std::io::Write + Send + 'static) -> JoinHandle<String> {
        let script = self.folder.path().join("hang.php").display().to_string();
        wire.write_all(&fastcgi(&script)).unwrap();
        std::thread::spawn(move || rest(wire))
    }

    fn release(&self) {
        std::fs::write(self.folder.path().join("go"), "").unwrap();
    }
}

/// Debian names it after the version of PHP.
fn program() -> PathBuf {
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("php-fpm"));
    let all = std::fs::read_dir("/usr/sbin").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    all.filter(named).max().unwrap_or_else(|| panic!("no php-fpm here: it is one of scripts/packages test"))
}

/// The same bytes that a web server sends for a script.
fn fastcgi(script: &str) -> Vec<u8> {
    let params = [
        ("SCRIPT_FILENAME", script),
        ("SCRIPT_NAME", "/hang.php"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/hang.php?token=secret"),
        ("QUERY_STRING", "token=secret"),
    ];
    let mut content = Vec::new();
    for (name, value) in params {
        content.push(u8::try_from(name.len()).unwrap());
        content.extend(u32::try_from(value.len()).map(|length| length | 1 << 31).unwrap().to_be_bytes());
        content.extend(name.bytes().chain(value.bytes()));
    }
    let mut out = vec![1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    out.extend([1, 4, 0, 1, length[0], length[1], 0, 0]);
    out.extend(content);
    out.extend([1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0]);
    out
}

#[tokio::test]
async fn processes_their_queue_and_what_they_work_on() {
    let fpm = Fpm::start();
    let socket = fpm.folder.path().join("un.sock");
    // Past the pool: it answers however full the pool is. The queue of its socket only the kernel knows.
    let mut past = spec("php_fpm", &format!("fcgi://127.0.0.1:{}/status", fpm.status));
    past.listens = Some(socket.display().to_string());
    let mut source = source(&past);
    let calm = until(&mut source, "a calm pool", |it| it.busy == 0).await;
    assert_eq!((calm.product.as_str(), calm.capacity, calm.grows), ("php-fpm, pool un", 2, false));
    assert_eq!((calm.listening(), calm.sockets[0].limit), (Some(0), Some(60)));
    assert!(calm.missing.is_empty(), "{:?}", calm.missing);
    let clients: Vec<_> = (0..6).map(|_| fpm.hang(UnixStream::connect(&socket).unwrap())).collect();
    let full = until(&mut source, "four that wait", |it| it.busy == 2 && it.listening() == Some(4)).await;
    assert!(full.is_full());
    let (worker, _) = full.longest().unwrap();
    assert_eq!(worker.doing.as_ref().unwrap().as_str(), "GET /hang.php");
    assert!(!serde_json::to_string(&full).unwrap().contains("secret"));
    fpm.release();
    for client in clients {
        assert!(client.join().unwrap().contains("ok"));
    }
    until(&mut source, "all served", |it| it.busy == 0 && it.requests >= Some(6)).await;
}

#[tokio::test]
async fn asked_through_the_pool_it_does_not_count_our_own_question() {
    let fpm = Fpm::start();
    let through = spec("php_fpm", &format!("fcgi://127.0.0.1:{}", fpm.port));
    let mut source = source(&through);
    look(&mut source).await.unwrap();
    // The process that answered the question before may still be at its end.
    let calm = until(&mut source, "nobody at work", |it| it.busy == 0).await;
    assert_eq!((calm.capacity, calm.requests), (2, Some(0)), "{calm:?}");
    assert_eq!((calm.listening(), calm.sockets[0].limit), (Some(0), Some(50)));
    let client = fpm.hang(TcpStream::connect((Ipv4Addr::LOCALHOST, fpm.port)).unwrap());
    until(&mut source, "one at work", |it| it.busy == 1).await;
    let lines = doctor(&through).await;
    let told: Vec<_> = lines.iter().map(|line| format!("{line:?}")).collect();
    assert!(told.iter().any(|line| line.contains("pm.status_listen")), "{told:?}");
    fpm.release();
    assert!(client.join().unwrap().contains("ok"));

    let wrong = spec("php_fpm", &format!("fcgi://127.0.0.1:{}/nothing", fpm.port));
    let error = look(&mut super::source(&wrong)).await.unwrap_err();
    assert!(error.says.as_str().contains("set pm.status_path"), "{error}");
    assert_eq!(error.kind, PollErrorKind::Unsupported);
}
