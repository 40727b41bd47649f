//! Servers that answer with anything but their numbers: told, bounded, and over when it is over.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use tokio::time::timeout;
use warroom::model::PollErrorKind;

use super::{look, source, spec};

/// Answers every connection with the next of these, then hangs up; an empty one is held open. It hears the
/// question out first, where one is asked.
fn liar(answers: Vec<Vec<u8>>, asked: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for answer in answers {
            let Ok((mut wire, _)) = listener.accept() else { return };
            if asked {
                wire.read_exact(&mut [0]).ok();
            }
            wire.write_all(&answer).ok();
            if answer.is_empty() {
                held.push(wire);
            } else {
                wire.shutdown(std::net::Shutdown::Write).ok();
                held.push(wire);
            }
        }
        std::thread::sleep(Duration::from_secs(60));
    });
    port
}

const GOOD: &[u8] = br#"{"version":"2.0.21","pid":7,"workers":[{"id":1,"pid":8,"status":"idle"}]}"#;

#[tokio::test]
async fn garbage_half_an_answer_and_an_endless_one_are_told_and_got_over() {
    let half = GOOD[..30].to_vec();
    let answers = vec![
        half,
        b"HTTP/1.0 200 OK\r\n\r\n{}".to_vec(),
        vec![b' '; 9 << 20],
        b"\xff\xfe\x00".to_vec(),
        GOOD.to_vec(),
    ];
    let mut source = source(&spec("uwsgi", &format!("tcp://127.0.0.1:{}", liar(answers, false))));
    for part in ["no answer of uWSGI", "speaks HTTP", "longer than 8 MB", "no answer of uWSGI"] {
        let error = look(&mut source).await.unwrap_err();
        assert!(
            error.kind == PollErrorKind::Garbage && error.says.as_str().contains(part),
            "{part}: {error}"
        );
    }
    assert_eq!(look(&mut source).await.unwrap().capacity, 1);
}

#[tokio::test]
async fn one_that_hangs_in_the_middle_can_be_left_and_asked_again() {
    let mut source =
        source(&spec("uwsgi", &format!("tcp://127.0.0.1:{}", liar(vec![Vec::new(), GOOD.to_vec()], false))));
    assert!(timeout(Duration::from_millis(300), look(&mut source)).await.is_err(), "it answered nothing");
    assert_eq!(look(&mut source).await.unwrap().capacity, 1);
}

#[tokio::test]
async fn each_kind_tells_what_is_not_its_own() {
    let page = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    for (kind, scheme, part) in [
        ("puma", "http", "no answer of Puma"),
        ("php_fpm", "fcgi", "does not speak FastCGI"),
        ("php_fpm", "http", "no status page of php-fpm"),
    ] {
        let port = liar(vec![page.clone()], true);
        let error =
            look(&mut source(&spec(kind, &format!("{scheme}://127.0.0.1:{port}")))).await.unwrap_err();
        assert!(error.says.as_str().contains(part), "{kind} {scheme}: {error}");
    }
    for kind in ["uwsgi", "puma", "php_fpm"] {
        let error = look(&mut source(&spec(kind, "unix:/nowhere/a.sock"))).await.unwrap_err();
        assert!(
            error.kind == PollErrorKind::Unreachable && error.says.as_str().contains("there is no"),
            "{error}"
        );
    }
}
