//! Puma alone and in a cluster, by its control app.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use rustix::process::Signal;
use warroom::config::{Secret, TargetSpec};
use warroom::lab::{Folder, Process, free_port};
use warroom::model::{PollErrorKind, Severity};

use super::{doctor, get, look, source, spec, until};
use crate::incidents::Watcher;

/// Answers `/`; `/hang` is answered once there is a file `go`.
const APP: &str = "run lambda { |env| sleep 0.02 while env['PATH_INFO'] == '/hang' && !File.exist?('go'); \
                   [200, {'content-type' => 'text/plain'}, ['ok']] }\n";
const TOKEN: &str = "a+b/c=";

struct Puma {
    folder: Folder,
    port: u16,
    control: String,
    _process: Process,
}

impl Puma {
    fn start(workers: u16, by_socket: bool) -> Self {
        let folder = Folder::temporary("puma").unwrap();
        let (port, control) = (free_port().unwrap(), free_port().unwrap());
        std::fs::write(folder.path().join("config.ru"), APP).unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let socket = folder.path().join("control.sock").display().to_string();
        let listen =
            if by_socket { format!("unix://{socket}") } else { format!("tcp://127.0.0.1:{control}") };
        let control =
            if by_socket { format!("unix:{socket}") } else { format!("http://127.0.0.1:{control}") };
        let mut command = Command::new("puma");
        command
            .args(["-b", &format!("tcp://127.0.0.1:{port}"), "-t", "2:2", "-w", &workers.to_string()])
            .args(["--control-url", &listen, "--control-token", TOKEN, "config.ru"])
            .env_remove("PORT")
            .current_dir(folder.path());
        let log = folder.path().join("log");
        let mut process = Process::start("puma", &mut command, &log, Signal::TERM).unwrap();
        process
            .wait_ready(|| {
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
                    && get(port, "/").join().unwrap().ends_with("ok")
            })
            .unwrap();
        Self { folder, port, control, _process: process }
    }

    fn spec(&self) -> TargetSpec {
        let mut spec = spec("puma", &self.control);
        spec.token = Some(Secret::new(TOKEN));
        spec
    }

    fn release(&self) {
        std::fs::write(self.folder.path().join("go"), "").unwrap();
    }
}

#[tokio::test]
async fn a_puma_that_is_full_says_nothing_of_its_queue_and_the_kernel_does() {
    let puma = Puma::start(0, true);
    let config = puma.folder.path().join("w.toml");
    let text = format!(
        "[[target]]\nid = \"bastion\"\nkind = \"host\"\n[[target]]\nid = \"web\"\nkind = \"puma\"\nurl = \"{}\"\n\
         token_file = \"token\"\nlistens = \"127.0.0.1:{}\"\n",
        puma.control, puma.port
    );
    std::fs::write(&config, text).unwrap();
    let mut watcher = Watcher::on(&config);
    let clients: Vec<_> = (0..7).map(|_| get(puma.port, "/hang")).collect();
    let mut source = source(&puma.spec());
    let full = until(&mut source, "two busy threads", |it| it.busy == 2).await;
    assert_eq!((full.capacity, full.unit.as_str()), (2, "thread"));
    assert_eq!(full.missing.len(), 1, "nobody told where it listens: {:?}", full.missing);
    watcher
        .until("five that wait for two threads", |judgement| {
            judgement.findings.iter().any(|it| {
                it.rule == "workers_busy"
                    && it.severity == Severity::Critical
                    && it.says.starts_with("all 2 threads busy, 5 wait and nothing is served")
            })
        })
        .await;
    puma.release();
    for client in clients {
        assert!(client.join().unwrap().ends_with("ok"));
    }
    watcher
        .until("threads at rest", |judgement| !judgement.findings.iter().any(|it| it.rule == "workers_busy"))
        .await;
}

#[tokio::test]
async fn a_cluster_adds_its_workers_and_a_wrong_token_is_told() {
    let puma = Puma::start(2, false);
    let mut source = source(&puma.spec());
    // A worker's first report may count what began before its threads did.
    let calm = until(&mut source, "both workers", |it| it.capacity == 4 && it.backlog == Some(0)).await;
    assert!(calm.refreshed_every > 0.0 && calm.workers.len() == 2, "{calm:?}");
    let clients: Vec<_> = (0..4).map(|_| get(puma.port, "/hang")).collect();
    until(&mut source, "busy threads", |it| it.busy + it.backlog.unwrap_or(0) >= 3).await;
    puma.release();
    for client in clients {
        assert!(client.join().unwrap().ends_with("ok"));
    }
    let mut wrong = puma.spec();
    wrong.token = Some(Secret::new("guess"));
    let error = look(&mut super::source(&wrong)).await.unwrap_err();
    assert!(
        error.kind == PollErrorKind::Login && error.says.as_str().contains("the token is refused"),
        "{error}"
    );
    assert!(!error.says.as_str().contains("guess"), "{error}");
    let lines = doctor(&wrong).await;
    assert_eq!(lines[0].ok, Severity::Unknown, "{lines:?}");
    let lines = doctor(&puma.spec()).await;
    assert!(lines[0].ok == Severity::Ok && lines[1].ok == Severity::Warning, "{lines:?}");
}
