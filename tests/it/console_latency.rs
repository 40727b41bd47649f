//! How long a key takes to reach the screen while what is watched is in trouble: figures for eyes, no bounds.
//! `cargo test --release --test it console_latency -- --ignored --nocapture`
#![expect(clippy::expect_used, reason = "a fixture that cannot be made fails the test")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![expect(clippy::print_stderr, reason = "figures for eyes")]

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use warroom::lab;

use super::pty::{Start, Terminal};

const ROUNDS: usize = 40;

/// Keys that open and close a page, each timed until the screen shows it.
fn measure(name: &str, terminal: &mut Terminal) {
    let mut took = Vec::new();
    for round in 0..ROUNDS {
        // Not in step with the seconds at which everything is drawn anyway.
        terminal.listen(Duration::from_millis(90 + u64::try_from(round).expect("small") * 7 % 60));
        let began = Instant::now();
        terminal.keys("?");
        terminal.until("the help", |screen| screen.contents().contains("this page"));
        took.push(began.elapsed());
        terminal.listen(Duration::from_millis(60));
        let began = Instant::now();
        terminal.keys("q");
        terminal.until("the help to go", |screen| !screen.contents().contains("this page"));
        took.push(began.elapsed());
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    eprintln!(
        "{name:<24} median {:>6.1} ms  95 % {:>6.1} ms  worst {:>6.1} ms  of {} keys",
        at(50),
        at(95),
        at(100),
        took.len()
    );
}

#[test]
#[ignore = "a measurement, half a minute long"]
fn a_key_reaches_the_screen_whatever_the_servers_do() {
    let mut postgres = lab::postgres::start(None).expect("a server");
    let mut redis = lab::redis::start(&[]).expect("a server");
    let mut proxy = lab::haproxy::start("backend app\n    server one 127.0.0.1:9\n").expect("a proxy");
    let garbage = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = garbage.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in garbage.incoming().flatten() {
            let mut stream = stream;
            stream.write_all(&[b'\xff'; 4_096]).ok();
        }
    });
    let config = format!(
        "[[target]]\nid = \"here\"\nkind = \"host\"\n\
         [[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n\
         [[target]]\nid = \"cache\"\nkind = \"redis\"\nurl = \"{}\"\n\
         [[target]]\nid = \"edge\"\nkind = \"haproxy\"\nurl = \"{}\"\n",
        postgres.url("warroom"),
        redis.url(0),
        proxy.socket_url()
    );
    let babble = format!(
        "{config}[[target]]\nid = \"babble\"\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{port}/0\"\n"
    );
    let open = |config: &str| {
        let mut terminal = Terminal::start(&Start { config, size: (120, 40), ..Start::default() });
        terminal.until_says("here");
        terminal.listen(Duration::from_secs(5));
        terminal
    };
    measure("all is well", &mut open(&config));
    measure("Redis answers garbage", &mut open(&babble));
    let mut terminal = open(&config);
    redis.process().stop();
    terminal.listen(Duration::from_secs(2));
    measure("Redis refuses", &mut terminal);
    proxy.process().stop();
    terminal.listen(Duration::from_secs(2));
    measure("HAProxy gone as well", &mut terminal);
    postgres.process().freeze();
    terminal.listen(Duration::from_secs(2));
    measure("PostgreSQL frozen too", &mut terminal);
    postgres.process().thaw();
}
