//! Another machine over a real sshd on loopback: same sample as from near, and every way to fail told and survived.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use warroom::config::TargetSpec;
use warroom::lab::{Folder, free_port};
use warroom::model::{HostSample, PollErrorKind, Reading, Sample, TargetId};
use warroom::sources::{KINDS, Source};

/// A sshd of our own that lets one key in, run by an ordinary user.
struct Sshd {
    server: Child,
    port: u16,
    user: String,
    home: Folder,
}

impl Sshd {
    fn start() -> Self {
        let home = Folder::temporary("sshd").unwrap();
        let root = geteuid().is_root();
        let user = if root { "postgres".to_owned() } else { output("id", &["-un"]).trim().to_owned() };
        let at = |name: &str| home.path().join(name);
        for key in ["host", "client", "stranger"] {
            let file = at(key).display().to_string();
            output("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &file]);
        }
        let port = free_port().unwrap();
        let dir = home.path().display();
        let sshd = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {dir}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             MaxStartups 200\nPrintMotd no\nPrintLastLog no\n"
        );
        fs::write(at("sshd_config"), sshd).unwrap();
        fs::copy(at("client.pub"), at("authorized")).unwrap();
        let key = fs::read_to_string(at("host.pub")).unwrap();
        fs::write(at("known"), format!("[127.0.0.1]:{port} {key}")).unwrap();
        for (name, identity, known) in [
            ("ssh_config", "client", "known"),
            ("wrong_key", "stranger", "known"),
            ("unknown_host", "client", "none"),
        ] {
            let text = format!(
                "Host *\n IdentityFile {dir}/{identity}\n IdentitiesOnly yes\n UserKnownHostsFile {dir}/{known}\n \
                 GlobalKnownHostsFile none\n StrictHostKeyChecking yes\n"
            );
            fs::write(at(name), text).unwrap();
        }
        let program =
            ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].into_iter().find(|it| PathBuf::from(it).exists());
        let program = program.expect("sshd is not installed: apt-get install openssh-server");
        let mut command = if root {
            let (uid, gid) = (number("id", &["-u", &user]), number("id", &["-g", &user]));
            for file in ["", "host", "sshd_config", "authorized"] {
                std::os::unix::fs::chown(at(file), Some(uid), Some(gid)).unwrap();
            }
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user, "--regid", &user, "--init-groups", "--reset-env", program]);
            command
        } else {
            Command::new(program)
        };
        fs::set_permissions(at("host"), fs::Permissions::from_mode(0o600)).unwrap();
        let server = command
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stdin(Stdio::null())
            .stderr(fs::File::create(at("log")).unwrap())
            .spawn()
            .unwrap();
        let sshd = Self { server, port, user, home };
        wait("sshd listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        sshd
    }

    fn spec(&self, id: &str, config: &str) -> TargetSpec {
        let mut spec = TargetSpec::new(TargetId::parse(id).unwrap(), "ssh")
            .with_url(&format!("ssh://{}@127.0.0.1:{}", self.user, self.port));
        spec.ssh_config = Some(self.home.path().join(config));
        spec
    }

    fn source(&self, config: &str) -> Box<dyn Source> {
        build(&self.spec("web1", config))
    }

    /// Sessions that are open; each is a few processes, of which this is the first.
    fn sessions(&self) -> Vec<i32> {
        children(i32::try_from(self.server.id()).unwrap())
    }
}

fn children(of: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    let all = text.split_ascii_whitespace().filter_map(|word| word.parse().ok());
    // What has ended and waits to be reaped has no command line any more.
    all.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())).collect()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for pid in self.sessions() {
            send(pid, Signal::KILL);
        }
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn build(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "ssh").unwrap();
    (kind.build)(spec).unwrap()
}

fn output(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap_or_else(|why| panic!("{program}: {why}"));
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn number(program: &str, args: &[&str]) -> u32 {
    output(program, args).trim().parse().unwrap()
}

/// To a process and all that it started.
fn send(pid: i32, signal: Signal) {
    for child in children(pid) {
        send(child, signal);
    }
    kill_process(Pid::from_raw(pid).unwrap(), signal).ok();
}

#[expect(clippy::disallowed_methods, reason = "a test may read the clock")]
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn poll(source: &mut Box<dyn Source>) -> Reading {
    source.poll().await.pop().unwrap()
}

fn host(reading: Reading) -> HostSample {
    match reading.sample.unwrap() {
        Sample::Host(sample) => *sample,
        other => panic!("not a machine: {other:?}"),
    }
}

#[tokio::test]
async fn a_machine_over_ssh_says_what_it_says_from_near() {
    let sshd = Sshd::start();
    let mut source = sshd.source("ssh_config");
    let first = host(poll(&mut source).await);
    let second = host(poll(&mut source).await);
    assert_eq!(first.hostname.as_str(), fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim());
    assert_eq!(first.cores as usize, super::host::processors());
    let total = fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = total.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    assert_eq!(first.memory.unwrap().total, total * 1024);
    let busy = |sample: &HostSample| sample.cpu.unwrap().user + sample.cpu.unwrap().system;
    assert!(busy(&second) >= busy(&first) && busy(&first) > 0.0);
    assert!(first.paging.is_some() && first.tcp.is_some() && first.load.is_some() && first.uptime.is_some());
    let pressure = PathBuf::from("/proc/pressure/cpu").exists();
    assert_eq!(first.pressure.is_some(), pressure, "{:?}", first.missing);
    assert!(first.filesystems.iter().any(|it| it.mount.as_str() == "/"), "{:?}", first.filesystems);
    assert!(first.listeners.iter().any(|it| it.port == sshd.port && it.limit > 0), "{:?}", first.listeners);
    assert_eq!(sshd.sessions().len(), 1, "one session serves every poll");

    drop(source);
    wait("the far end is gone", || sshd.sessions().is_empty());
}

#[tokio::test]
async fn a_session_that_hangs_or_drops_is_told_and_comes_back() {
    let sshd = Sshd::start();
    let mut source = sshd.source("ssh_config");
    host(poll(&mut source).await);
    let [session] = sshd.sessions()[..] else { panic!("one session") };

    send(session, Signal::STOP);
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, source.poll()).await.is_err(), "a stopped session cannot answer");
    // The half-asked session is given up; the next poll takes a new one while the old one still hangs.
    host(poll(&mut source).await);
    send(session, Signal::KILL);

    wait("only the new session is left", || sshd.sessions().len() == 1);
    send(sshd.sessions()[0], Signal::KILL);
    let error = poll(&mut source).await.sample.unwrap_err();
    assert!(!error.kind.is_ours(), "{error}");
    host(poll(&mut source).await);
}

#[tokio::test]
async fn every_refusal_says_what_to_mend() {
    let sshd = Sshd::start();
    let said = |mut source: Box<dyn Source>| async move {
        let error = poll(&mut source).await.sample.unwrap_err();
        (error.kind, error.says.to_string())
    };
    let (kind, says) = said(sshd.source("wrong_key")).await;
    assert_eq!(kind, PollErrorKind::Login, "{says}");
    assert!(says.contains("no key is accepted"), "{says}");
    let (kind, says) = said(sshd.source("unknown_host")).await;
    assert_eq!(kind, PollErrorKind::Login, "{says}");
    assert!(says.contains("host key is not known"), "{says}");
    let closed =
        sshd.spec("web1", "ssh_config").with_url(&format!("ssh://127.0.0.1:{}", free_port().unwrap()));
    let (kind, says) = said(build(&closed)).await;
    assert_eq!(kind, PollErrorKind::Unreachable, "{says}");
    let unknown = sshd.spec("web1", "ssh_config").with_url("ssh://no-such-machine.invalid");
    let (kind, says) = said(build(&unknown)).await;
    assert_eq!(kind, PollErrorKind::Unreachable, "{says}");
    let missing = sshd.spec("web1", "no_such_file");
    let (kind, says) = said(build(&missing)).await;
    assert_eq!(kind, PollErrorKind::Config, "{says}");
}

/// Fifty logins at once on a busy machine take longer than a poll waits: it goes on where it was.
#[tokio::test]
async fn a_login_that_takes_longer_than_a_poll_is_waited_for() {
    let sshd = Sshd::start();
    let mut source = sshd.source("ssh_config");
    // The server stands still from before the first connection on.
    send(i32::try_from(sshd.server.id()).unwrap(), Signal::STOP);
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(200), source.poll()).await.is_err());
    }
    send(i32::try_from(sshd.server.id()).unwrap(), Signal::CONT);
    host(poll(&mut source).await);
    assert_eq!(sshd.sessions().len(), 1);
    let log = fs::read_to_string(sshd.home.path().join("log")).unwrap();
    let given_up =
        log.lines().filter(|line| line.contains("preauth") || line.contains("kex_exchange")).count();
    // The look whether the server listens gave up; nobody else did.
    assert_eq!(given_up, 1, "one login, begun once: {log}");
}
