//! What HAProxy answered from 1.8 to 3.2, read by the source as it would be from the socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use warroom::lab;
use warroom::model::{ProxySample, SafeText, Sample, ServerState};
use warroom::store::noticed;

use super::haproxy::{answering, look};

macro_rules! recorded {
    ($($version:literal),*) => {
        [$(($version, include_bytes!(concat!("../fixtures/haproxy/", $version, "/show_info_stat.txt")).as_slice())),*]
    };
}

#[tokio::test]
async fn every_version_is_read_by_column_name() {
    for (version, bytes) in recorded!("1.8", "2.0", "2.2", "2.4", "2.8", "3.0", "3.2") {
        let sample = look(&format!("tcp://127.0.0.1:{}", answering(bytes))).await;
        let process = sample.process.as_ref().unwrap();
        assert!(process.version.as_str().starts_with(version), "{version}: {process:?}");
        assert_eq!((process.idle, process.max_connections), (Some(1.0), Some(1000)), "{version}");
        let level = process.level.as_ref().map(SafeText::as_str);
        assert_eq!(level, (version != "1.8").then_some("admin"), "{version}");
        let names: Vec<&str> = sample.backends.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["app", "open", "db"], "{version}");
        let app = &sample.backends[0];
        assert!(app.up && app.queue >= 5 && app.in_flight == 1, "{version}: {app:?}");
        // Counted when they begin by some versions, when they end by others.
        assert!((2..=9).contains(&app.requests), "{version}: {app:?}");
        let states: Vec<_> = app.servers.iter().map(|it| (it.state, it.backup, it.limit)).collect();
        let wanted = [
            (ServerState::Up, false, Some(1)),
            (ServerState::Down, true, Some(2)),
            (ServerState::Maintenance, false, None),
        ];
        assert_eq!(states, wanted, "{version}");
        assert_eq!(app.servers[1].check.as_str(), "L4CON Connection refused", "{version}");
        assert_eq!(app.servers[0].address.as_ref().unwrap().as_str(), "127.0.0.1:28081", "{version}");
        assert!(app.servers[0].response_time_ms.is_some_and(|ms| ms > 0), "{version}");
        let db = &sample.backends[2];
        assert_eq!((db.requests, db.servers[0].weight), (3, Some(7)), "{version}: sessions in TCP mode");
        let gaps: Vec<&str> = sample.missing.iter().map(|gap| gap.what.as_str()).collect();
        assert_eq!(gaps, [""; 0], "{version}");
    }
}

#[tokio::test]
async fn one_of_several_processes_says_that_it_is_one_of_several() {
    let [(_, bytes)] = recorded!("1.8");
    let text = String::from_utf8(bytes.to_vec()).unwrap().replace("Nbproc: 1", "Nbproc: 4");
    let sample = look(&format!("tcp://127.0.0.1:{}", answering(text.leak().as_bytes()))).await;
    let gap = sample.missing.iter().find(|gap| gap.what.as_str() == "other processes").unwrap();
    assert!(gap.why.as_str().contains("process 1 of 4"), "{}", gap.why);
}

/// A HAProxy with a master, and a way to look at it; ends with its workers.
struct Master(Child);

impl Drop for Master {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0.id().cast_signed()) {
            kill_process_group(pid, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

fn start(folder: &Path, port: u16, app: u16) -> Master {
    let config = folder.join("haproxy.cfg");
    let text = format!(
        "global\n    stats socket {socket} mode 600 level admin\ndefaults\n    mode http\n    timeout connect 1s\n    \
         timeout client 120s\n    timeout server 120s\nfrontend f\n    bind 127.0.0.1:{port}\n    \
         stats enable\n    stats uri /stats\n    default_backend app\nbackend app\n    server web1 127.0.0.1:{app}\n    server web2 127.0.0.1:{app}\n    \
         server web3 127.0.0.1:{app} weight 7\n",
        socket = folder.join("haproxy.sock").display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-W").arg("-db").arg("-S").arg(format!("{},mode,600", folder.join("master.sock").display()));
    command.arg("-f").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/bin");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Master(command.spawn().unwrap())
}

/// After a reload the old process serves whom it has; the master tells of it, and where it is not asked it is not.
#[tokio::test]
async fn an_old_process_that_still_serves_is_told() {
    let folder = lab::Folder::temporary("haproxy-master").unwrap();
    let (port, app) = (lab::free_port().unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let master = start(folder.path(), port, app.local_addr().unwrap().port());
    let path = folder.path().join("haproxy.sock");
    let mut spec = super::haproxy::spec(&format!("unix:{}", path.display()));
    spec.master_socket = Some(format!("unix:{}", folder.path().join("master.sock").display()));
    let until = async |done: &dyn Fn(&ProxySample) -> bool| {
        for _ in 0..200 {
            let reading = super::haproxy::try_look(&spec).await;
            if let Some(sample) = reading.filter(|sample| done(sample)) {
                return sample;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("never came");
    };
    let fresh = until(&|sample| sample.process.as_ref().is_some_and(|it| it.old == Some(0))).await;
    assert!(fresh.missing.is_empty(), "{:?}", fresh.missing);
    // A client that waits for an answer keeps the old process alive.
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let held = app.accept().unwrap();
    let mut door = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let set = b"set server app/web2 state drain;set server app/web3 weight 5\n";
    std::io::Write::write_all(&mut door, set).unwrap();
    let set = until(&|sample| {
        let servers = &sample.backends[0].servers;
        servers[1].state == ServerState::Drain && servers[2].weight == Some(5)
    })
    .await;
    // Its age is told in seconds: it must be older than the one that follows.
    // One that is answered, so that something is counted.
    let mut quick = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut quick, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let answer = b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n";
    std::io::Write::write_all(&mut app.accept().unwrap().0, answer).unwrap();
    std::io::Read::read_to_end(&mut quick, &mut Vec::new()).unwrap();
    let page = format!("http://127.0.0.1:{port}/stats;csv");
    let stood =
        |sample: &ProxySample| sample.backends[0].servers.iter().filter_map(|it| it.last_change).max();
    let mut by_page = look(&page).await;
    while stood(&by_page) < Some(6) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        by_page = look(&page).await;
    }
    let set =
        until(&|sample| sample.process.as_ref().is_some_and(|it| it.uptime >= 2) && set.missing.is_empty())
            .await;
    kill_process(Pid::from_raw(master.0.id().cast_signed()).unwrap(), Signal::USR2).unwrap();
    let seen = until(&|sample| sample.process.as_ref().is_some_and(|it| it.old == Some(1))).await;
    let gap = seen.missing.iter().find(|gap| gap.what.as_str() == "old processes").unwrap();
    assert!(gap.why.as_str().starts_with("1 old process still serves"), "{}", gap.why);
    let told = noticed(&Sample::Proxy(Box::new(set)), &Sample::Proxy(Box::new(seen)));
    assert_eq!(
        told,
        ["was reloaded and lost what was set at run time: app/web2 takes requests again (was DRAIN), \
         app/web3 has weight 7 (was 5)"]
    );
    // A page tells no process; what it counts, and since when its servers stand as they do, tells it as well.
    let (before, after) = (Sample::Proxy(Box::new(by_page)), Sample::Proxy(Box::new(look(&page).await)));
    assert_eq!(noticed(&before, &after), told);
    drop((client, held));
    until(&|sample| sample.process.as_ref().is_some_and(|it| it.old == Some(0))).await;
}
