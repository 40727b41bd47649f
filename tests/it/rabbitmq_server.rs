//! A private RabbitMQ on loopback, as Debian installs it, and a client that keeps connections of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use rustix::process::Signal;
use warroom::config::TargetSpec;
use warroom::lab::{Process, free_port};

use super::redis::spec;

const BIN: &str = "/usr/lib/rabbitmq/bin";
/// The node that others join.
const FIRST: &str = "rabbit@localhost";

/// A node with management, and the port mapper it wants; both end with it.
pub(crate) struct RabbitMq {
    pub(crate) process: Process,
    _mapper: Process,
    mapper_port: u16,
    pub(crate) port: u16,
    pub(crate) management: u16,
    user: Option<(u32, u32)>,
    // After the processes, so that they are gone before their folder.
    folder: tempfile::TempDir,
}

impl RabbitMq {
    /// Starts one; its administrator is `admin` with the password `s3cret`.
    pub(crate) fn start() -> Self {
        assert!(
            Path::new(BIN).join("rabbitmq-server").exists(),
            "no RabbitMQ in {BIN}: run scripts/packages test, which installs it"
        );
        let folder = tempfile::Builder::new().prefix("warroom-rabbitmq-").tempdir().unwrap();
        let dir = folder.path();
        let user = runs_as();
        let [port, management, mapper_port, peers] = [(); 4].map(|()| free_port().unwrap());
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
             default_user = admin\ndefault_pass = s3cret\ncollect_statistics_interval = 500\n\
             disk_free_limit.absolute = 1MB\n"
        );
        fs::write(dir.join("rabbitmq.conf"), settings).unwrap();
        fs::write(dir.join("plugins"), "[rabbitmq_management].\n").unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        if let Some((uid, gid)) = user {
            for path in [dir, &dir.join("rabbitmq.conf"), &dir.join("plugins")] {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let place = |program: &str| {
            let mut command = Command::new(program);
            surround(&mut command, FIRST, dir, mapper_port, user);
            command.env("RABBITMQ_DIST_PORT", peers.to_string());
            command
        };
        let log =
            |name: &str| env::temp_dir().join(format!("{}-{name}.log", dir.file_name().unwrap().display()));
        let logs = [log("epmd"), log("node")];
        let mut epmd = place("epmd");
        epmd.arg("-port").arg(mapper_port.to_string()).args(["-address", "127.0.0.1"]);
        let mapper = Process::start("epmd", &mut epmd, &logs[0], Signal::KILL).unwrap();
        let mut node = place(&format!("{BIN}/rabbitmq-server"));
        // Nothing of it is kept, so it need not be asked to end.
        let mut process = Process::start("rabbitmq", &mut node, &logs[1], Signal::KILL).unwrap();
        let began = tokio::time::Instant::now();
        // A start takes ten seconds where nothing else runs.
        while process.wait_ready(|| answers(management)).is_err() {
            assert!(process.record().alive() && began.elapsed().as_secs() < 300, "RabbitMQ does not start");
        }
        for log in logs {
            fs::remove_file(log).unwrap();
        }
        Self { process, _mapper: mapper, mapper_port, port, management, user, folder }
    }

    pub(crate) fn spec(&self, login: &str) -> TargetSpec {
        spec("rabbitmq", &format!("http://{login}@127.0.0.1:{}", self.management))
    }

    /// What the server's own tool says.
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        let mut command = Command::new(format!("{BIN}/rabbitmqctl"));
        surround(&mut command, FIRST, self.folder.path(), self.mapper_port, self.user);
        let out = command.arg("-q").args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }
}

/// A further node of a cluster; it ends with it.
pub(crate) struct Peer {
    pub(crate) process: Process,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl RabbitMq {
    /// Starts a node `two@localhost` that joins this one.
    pub(crate) fn join(&self) -> Peer {
        let folder = tempfile::Builder::new().prefix("warroom-rabbitmq-").tempdir().unwrap();
        let dir = folder.path();
        let [port, peers] = [(); 2].map(|()| free_port().unwrap());
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ncollect_statistics_interval = 500\ndisk_free_limit.absolute = 1MB\n\
             cluster_formation.peer_discovery_backend = classic_config\n\
             cluster_formation.classic_config.nodes.1 = {FIRST}\n\
             cluster_formation.classic_config.nodes.2 = two@localhost\n"
        );
        fs::write(dir.join("rabbitmq.conf"), settings).unwrap();
        fs::write(dir.join("plugins"), "[rabbitmq_management_agent].\n").unwrap();
        fs::copy(self.folder.path().join(".erlang.cookie"), dir.join(".erlang.cookie")).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(dir.join(".erlang.cookie"), fs::Permissions::from_mode(0o400)).unwrap();
        if let Some((uid, gid)) = self.user {
            for path in [".", "rabbitmq.conf", "plugins", ".erlang.cookie"] {
                chown(dir.join(path), Some(uid), Some(gid)).unwrap();
            }
        }
        let mut node = Command::new(format!("{BIN}/rabbitmq-server"));
        surround(&mut node, "two@localhost", dir, self.mapper_port, self.user);
        node.env("RABBITMQ_DIST_PORT", peers.to_string());
        let log = env::temp_dir().join(format!("{}-node.log", dir.file_name().unwrap().display()));
        let mut process = Process::start("rabbitmq two", &mut node, &log, Signal::KILL).unwrap();
        let began = tokio::time::Instant::now();
        while process.wait_ready(|| answers(port)).is_err() {
            assert!(process.record().alive() && began.elapsed().as_secs() < 300, "the node does not start");
        }
        fs::remove_file(log).unwrap();
        Peer { process, port, _folder: folder }
    }
}

/// Everything of its own: folders, cookie, port mapper, node name.
fn surround(command: &mut Command, node: &str, dir: &Path, mapper_port: u16, user: Option<(u32, u32)>) {
    command
        .current_dir(dir)
        .env("HOME", dir)
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RUNNING_UNDER_SYSTEMD", "1")
        .env("RABBITMQ_NODENAME", node)
        .env("RABBITMQ_BASE", dir)
        .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", dir.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_PID_FILE", dir.join("pid"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins"))
        .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("none"))
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
}

/// Its own user if we are root, for it must not run as such.
fn runs_as() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("rabbitmq:")).unwrap();
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A Python program that keeps its connections and does one step after another.
pub(crate) struct Client {
    process: Child,
    steps: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(server: &RabbitMq) -> Self {
        let python = env::var("WARROOM_TEST_PYTHON").unwrap_or_else(|_| {
            panic!(
                "WARROOM_TEST_PYTHON is not set: run scripts/test, which installs the libraries and sets it"
            )
        });
        let program = format!(
            "import sys, json, time, amqp, urllib.request, base64
def connect(user='admin', vhost='/', password='s3cret'):
    c = amqp.Connection('127.0.0.1:{}', user, password, virtual_host=vhost); c.connect(); return c
def api(method, path, body=None):
    r = urllib.request.Request('http://127.0.0.1:{}/api/' + path, method=method, data=None if body is None else json.dumps(body).encode())
    r.add_header('Authorization', 'Basic ' + base64.b64encode(b'admin:s3cret').decode()); r.add_header('Content-Type', 'application/json')
    return urllib.request.urlopen(r).read()
for line in sys.stdin:
    exec(json.loads(line), globals()); print('done', flush=True)
",
            server.port, server.management
        );
        let mut process = Command::new(python)
            .args(["-c", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (steps, told) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, steps, told }
    }

    /// Does one step and waits until it is done.
    pub(crate) fn step(&mut self, code: &str) {
        writeln!(self.steps, "{}", serde_json::to_string(code).unwrap()).unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "{code}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
