//! BullMQ's queues as versions 3 to 6 of the library itself write them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::{Queue, QueueAge};
use warroom::sources::Source;

use super::queues::{dying, queue, queues};
use super::redis::{source, spec};

/// A command that runs a program with one version of the real library.
pub(crate) fn node(version: u32, url: &str, program: &str) -> Command {
    let folder = std::env::var("WARROOM_TEST_NODE").unwrap_or_else(|_| {
        panic!("WARROOM_TEST_NODE is not set: run scripts/test, which installs BullMQ and sets it")
    });
    assert!(Path::new(&folder).join(format!("node_modules/bullmq{version}")).exists());
    let whole = format!(
        "const {{Queue, Worker}} = require('bullmq{version}');
        const Redis = require('ioredis');
        const connection = new Redis(process.env.URL, {{maxRetriesPerRequest: null}});
        (async () => {{ {program}
        process.exit(0); }})().catch(e => {{ console.error(e); process.exit(1) }})"
    );
    let mut command = Command::new("node");
    command.arg("-e").arg(whole).env("URL", url).current_dir(folder);
    command
}

fn run(version: u32, url: &str, program: &str) -> String {
    let out = node(version, url, program).output().unwrap();
    assert!(out.status.success(), "version {version}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Ended with the test.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn until(source: &mut Box<dyn Source>, what: &str, met: impl Fn(&Queue) -> bool) -> Queue {
    let began = Instant::now();
    loop {
        let sample = queues(source).await;
        let found = sample.queues.iter().find(|queue| queue.name.as_str() == "mail");
        if let Some(queue) = found.filter(|queue| met(queue)) {
            return queue.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(40), "never {what}: {sample:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

const FILL: &str = "
    const q = new Queue('mail', {connection});
    await q.add('old', {secret: 'payload'}, {timestamp: Date.now() - 90000});
    await q.add('bad', {}); await q.add('slow', {}, {priority: 3});
    await q.add('late', {}, {delay: 600000});
    const w = new Worker('mail', async job => { if (job.name === 'bad') throw new TypeError('no') }, {connection});
    await new Promise(done => { let n = 0; const one = () => { if (++n === 3) done() }; w.on('completed', one); w.on('failed', one) });
    await w.close();
    await q.add('old', {}, {timestamp: Date.now() - 70000}); await q.add('new', {}); await q.add('slow', {}, {priority: 2});";

#[tokio::test]
async fn bullmq_of_every_version() {
    let server = lab::redis::start(&[]).unwrap();
    for version in [3, 4, 5, 6] {
        let url = server.url(version);
        let told =
            run(version, &url, &format!("{FILL} console.log(JSON.stringify(await q.getJobCounts()));"));
        let told: Json = serde_json::from_str(&told).unwrap();
        let count = |names: &[&str]| names.iter().filter_map(|name| told[*name].as_u64()).sum::<u64>();

        let mut asked = source(&spec("bullmq", &url));
        let mail = queue(&queues(&mut asked).await, "mail").clone();
        assert_eq!(mail.depth, count(&["waiting", "prioritized"]), "{version}: {told}");
        assert_eq!(mail.depth, 3, "{version}: {told}");
        assert_eq!((mail.scheduled, mail.dead, mail.added), (Some(count(&["delayed"])), Some(1), Some(7)));
        assert_eq!((mail.overdue, mail.paused, mail.workers), (Some(0), Some(false), Some(0)), "{version}");
        let sample = queues(&mut asked).await;
        assert_eq!(dying(&queue(&sample, "mail").dying), ["1 bad TypeError"], "{version}");
        run(version, &url, "await new Queue('mail', {connection}).pause();");
        let mail = queue(&queues(&mut asked).await, "mail").clone();
        assert_eq!((mail.paused, mail.depth), (Some(true), 3), "{version}: {mail:?}");

        // In version 3 a job of a higher priority stands before older ones in the same list.
        if version == 3 {
            assert!(matches!(mail.oldest, QueueAge::AtLeast(_)), "{mail:?}");
            continue;
        }
        let QueueAge::Exact(age) = mail.oldest else { panic!("{version}: {mail:?}") };
        assert!((69.0..110.0).contains(&age), "{version}: {age}");
    }
}

#[tokio::test]
async fn a_bullmq_worker_at_work_and_then_killed() {
    let server = lab::redis::start(&[]).unwrap();
    let url = server.url(0);
    let program = "
        const q = new Queue('mail', {connection});
        await q.add('Report', {secret: 'payload'}); await q.add('next', {});
        new Worker('mail', () => new Promise(() => {}), {connection, lockDuration: 1000, stalledInterval: 600000});
        await new Promise(() => {});";
    let mut command = node(5, &url, program);
    let worker = Ended(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut named = spec("bullmq", &url);
    named.queues = vec!["mail".into()];
    let mut asked = source(&named);
    let mail = until(&mut asked, "at work", |it| it.in_flight == Some(1) && it.workers == Some(1)).await;
    assert_eq!((mail.depth, mail.orphaned), (1, Some(0)), "{mail:?}");
    let longest = mail.longest.unwrap();
    assert_eq!(longest.name.as_str(), "Report");
    assert!(longest.running.unwrap() < 60.0, "{longest:?}");
    drop(worker);
    let mail =
        until(&mut asked, "seen to be gone", |it| it.orphaned == Some(1) && it.workers == Some(0)).await;
    assert_eq!(mail.in_flight, Some(1));
}
