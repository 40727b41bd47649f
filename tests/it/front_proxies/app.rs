//! An app that does as its path says, and a client of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long `/slow` takes.
pub(super) const SLOW: Duration = Duration::from_millis(40);

/// Answers each connection in a thread of its own; `/hang` once it is released. Dropping it takes its port
/// and its connections away.
pub(super) struct App {
    pub(super) port: u16,
    released: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl App {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Self { port, released: Arc::default(), over: Arc::default(), open: Arc::default() };
        let (released, over, open) =
            (Arc::clone(&app.released), Arc::clone(&app.over), Arc::clone(&app.open));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                open.lock().unwrap().push(stream.try_clone().unwrap());
                let released = Arc::clone(&released);
                std::thread::spawn(move || serve(stream, &released));
            }
        });
        app
    }

    pub(super) fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
        for stream in self.open.lock().unwrap().iter() {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
    }
}

/// Answers until the other side goes.
fn serve(stream: TcpStream, released: &AtomicBool) {
    let mut answer = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(first)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = first.split(' ').nth(1).unwrap_or_default();
        let status = match path {
            "/bad" => "500 Internal Server Error",
            _ => "200 OK",
        };
        match path {
            "/slow" => std::thread::sleep(SLOW),
            "/hang" => {
                while !released.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            _ => {}
        }
        if answer.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok").as_bytes()).is_err() {
            return;
        }
    }
}

/// The status of the answer.
pub(super) fn get(port: u16, path: &str) -> u16 {
    let mut wire = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let host = if path == "/" { "elsewhere" } else { "localhost" };
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    wire.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    wire.read_to_end(&mut answer).ok();
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
