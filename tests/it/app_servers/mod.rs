//! Real app servers, filled up on purpose: what they tell, what the kernel tells, what is said of both.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod broken;
mod gunicorn;
mod php_fpm;
mod puma;
mod uwsgi;

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use warroom::config::TargetSpec;
use warroom::model::{AppSample, DoctorLine, PollError, Sample, TargetId};
use warroom::sources::{KINDS, Source};

/// A target of this kind.
fn spec(kind: &str, url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("web").unwrap(), kind).with_url(url)
}

fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == spec.kind).unwrap();
    (kind.build)(spec).unwrap()
}

async fn doctor(spec: &TargetSpec) -> Vec<DoctorLine> {
    let kind = KINDS.iter().find(|kind| kind.name == spec.kind).unwrap();
    (kind.doctor)(spec).await
}

async fn look(source: &mut Box<dyn Source>) -> Result<AppSample, PollError> {
    match source.poll().await.remove(0).sample? {
        Sample::App(sample) => Ok(*sample),
        other => panic!("no app server: {other:?}"),
    }
}

/// Looks until it is so.
async fn until(source: &mut Box<dyn Source>, what: &str, seen: impl Fn(&AppSample) -> bool) -> AppSample {
    for _ in 0..600 {
        let last = look(source).await;
        if let Ok(sample) = &last
            && seen(sample)
        {
            return sample.clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} was not seen: {:?}", look(source).await);
}

/// A request by HTTP in a thread of its own; it ends with the answer.
fn get(port: u16, path: &'static str) -> JoinHandle<String> {
    let mut wire = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    std::thread::spawn(move || {
        wire.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        rest(wire)
    })
}

fn get_unix(socket: &Path, path: &'static str) -> JoinHandle<String> {
    let mut wire = UnixStream::connect(socket).unwrap();
    std::thread::spawn(move || {
        wire.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        rest(wire)
    })
}

fn rest(mut wire: impl std::io::Read) -> String {
    let mut answer = Vec::new();
    wire.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}
