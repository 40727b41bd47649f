//! gunicorn tells nothing of what waits; the kernel does, of a port and of a socket in the file system.

use std::process::Command;

use rustix::process::Signal;
use warroom::lab::{Folder, Process, free_port};

use super::{get, get_unix};
use crate::nginx::{Nginx, wait_is_measured};

/// One request at a time, 20 ms each.
const APP: &str = "import time\n\
    def application(env, start):\n\
    \x20   time.sleep(0.02)\n\
    \x20   start('200 OK', [('Content-Length', '2')])\n\
    \x20   return [b'ok']\n";

struct Gunicorn {
    folder: Folder,
    _process: Process,
}

impl Gunicorn {
    fn start(bind: impl Fn(&Folder) -> String, answers: impl Fn(&Folder) -> bool) -> Self {
        let folder = Folder::temporary("gunicorn").unwrap();
        std::fs::write(folder.path().join("app.py"), APP).unwrap();
        let python = std::env::var("WARROOM_TEST_PYTHON").unwrap();
        let mut command = Command::new(python);
        command.args(["-m", "gunicorn", "-w", "1", "--no-control-socket", "-b", &bind(&folder)]);
        command.arg("app:application").current_dir(folder.path());
        let log = folder.path().join("log");
        let mut process = Process::start("gunicorn", &mut command, &log, Signal::TERM).unwrap();
        process.wait_ready(|| answers(&folder)).unwrap();
        Self { folder, _process: process }
    }
}

#[tokio::test]
async fn what_waits_for_its_port_is_seen() {
    let port = free_port().unwrap();
    let is_up = |_: &Folder| {
        let open = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        open && get(port, "/").join().unwrap().ends_with("ok")
    };
    let _gunicorn = Gunicorn::start(|_| format!("127.0.0.1:{port}"), is_up);
    wait_is_measured(&Nginx::start(&[format!("127.0.0.1:{port}")])).await;
}

#[tokio::test]
async fn what_waits_for_its_socket_is_seen() {
    let is_up = |folder: &Folder| {
        let path = folder.path().join("app.sock");
        let open = std::os::unix::net::UnixStream::connect(&path).is_ok();
        open && get_unix(&path, "/").join().unwrap().ends_with("ok")
    };
    let gunicorn = Gunicorn::start(|folder| format!("unix:{}/app.sock", folder.path().display()), is_up);
    let path = gunicorn.folder.path().join("app.sock");
    wait_is_measured(&Nginx::start(&[format!("unix:{}", path.display())])).await;
}
