//! Queues in a PostgreSQL: by the operator's own statement, and by what their libraries really write.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::process::Command;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use warroom::config::TargetSpec;
use warroom::lab::postgres::Postgres;
use warroom::model::{PollError, PollErrorKind, Queue, QueueAge, QueueSample, Sample, Severity, TargetId};
use warroom::sources::{KINDS, Source};

use super::postgres::{Client, server};
use super::queues::{python, queue};

pub(crate) fn spec(kind: &str, server: &Postgres) -> TargetSpec {
    TargetSpec::new(TargetId::parse("jobs").unwrap(), kind).with_url(&server.url("warroom"))
}

pub(crate) fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == spec.kind).unwrap();
    (kind.build)(spec).unwrap()
}

pub(crate) async fn poll(source: &mut Box<dyn Source>) -> Result<QueueSample, PollError> {
    match source.poll().await.remove(0).sample? {
        Sample::Queue(sample) => Ok(*sample),
        other => panic!("not queues: {other:?}"),
    }
}

pub(crate) fn exact(queue: &Queue) -> f64 {
    match queue.oldest {
        QueueAge::Exact(age) => age,
        ref other => panic!("{other:?} of {queue:?}"),
    }
}

/// Runs what the refusal says would mend it.
pub(crate) async fn granted(server: &Postgres, refused: &PollError) {
    assert_eq!(refused.kind, PollErrorKind::Rights, "{refused:?}");
    let says = refused.says.to_string();
    let grants = &says[says.find("grant ").unwrap_or_else(|| panic!("no mend in {says}"))..];
    let mut owner = <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("app")).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(grants.to_owned())).execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn a_statement_of_the_operators_own() {
    let server = server(&[]);
    let mut owner = Client::new(&server, "owner").await;
    owner.run("create table jobs (id serial, queue text, put timestamptz, state text)").await;
    owner.run("insert into jobs (queue, put, state) select 'mail', now() - interval '90 seconds', 'new' from generate_series(1, 3)").await;
    owner
        .run("insert into jobs (queue, put, state) values ('bulk', now(), 'new'), ('bulk', now(), 'busy')")
        .await;
    let mut spec = spec("sql", &server);
    spec.statement = Some(
        "select queue, count(*) filter (where state = 'new') as depth, \
         extract(epoch from now() - min(put) filter (where state = 'new')) as oldest, \
         count(*) filter (where state = 'busy') as in_flight from jobs group by queue -- all of them"
            .into(),
    );
    let mut asked = source(&spec);
    owner.run("grant usage on schema public to warroom").await;
    let refused = poll(&mut asked).await.unwrap_err();
    assert!(refused.says.as_str().contains("grant select on"), "{refused:?}");
    owner.run("grant select on jobs to warroom").await;
    let sample = poll(&mut asked).await.unwrap();
    let (mail, bulk) = (queue(&sample, "mail"), queue(&sample, "bulk"));
    assert_eq!((mail.depth, mail.in_flight, mail.workers, mail.dead), (3, Some(0), None, None));
    assert!((89.0..150.0).contains(&exact(mail)), "{mail:?}");
    assert_eq!((bulk.depth, bulk.in_flight), (1, Some(1)));
    // A queue without rows is empty, not gone.
    owner.run("delete from jobs where queue = 'mail'").await;
    let sample = poll(&mut asked).await.unwrap();
    let mail = queue(&sample, "mail");
    assert_eq!((mail.depth, &mail.oldest, mail.in_flight, mail.dead), (0, &QueueAge::Empty, Some(0), None));
    spec.queues = vec!["bulk".into(), "quiet".into()];
    let some = poll(&mut source(&spec)).await.unwrap();
    let names: Vec<&str> = some.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["bulk", "quiet"]);
}

#[tokio::test]
async fn a_statement_can_neither_write_nor_hold_anybody_up() {
    let server = server(&[]);
    let mut owner = Client::new(&server, "owner").await;
    owner.run("create table jobs (id int); insert into jobs values (1); grant all on jobs to warroom").await;
    let refused = async |statement: &str, patience: u64| {
        let mut spec = spec("sql", &server);
        spec.timeout = Duration::from_secs(patience);
        spec.statement = Some(statement.to_owned());
        poll(&mut source(&spec)).await.unwrap_err()
    };
    // The config refuses the first two; should one get by, the server does.
    for writes in [
        "delete from jobs returning id as depth",
        "select 1) q; delete from jobs; select (2",
        "with gone as (delete from jobs returning id) select count(*) as depth from gone",
        "select id as depth from jobs for update",
        "select nextval('s') as depth",
    ] {
        let error = refused(writes, 60).await;
        assert!(error.kind.is_ours(), "{writes}: {error:?}");
    }
    let slow = refused("select count(*) as depth from pg_sleep(600)", 2).await;
    assert_eq!(slow.kind, PollErrorKind::Timeout);
    // Behind somebody's lock it gives up soon, so that it never queues up those who come after.
    let mut holder = Client::new(&server, "holder").await;
    holder.run("begin; lock table jobs").await;
    assert_eq!(refused("select count(*) as depth from jobs", 2).await.kind, PollErrorKind::Timeout);
    holder.run("rollback").await;
    for (wrong, why) in [
        ("select count(*) as dept from jobs", "known are queue, depth"),
        ("select 3 as depth, interval '1 minute' as oldest", "seconds"),
        ("select count(*) as depth from nowhere", "does not exist"),
        ("select count(*) as depth form jobs", "syntax error"),
    ] {
        let error = refused(wrong, 60).await;
        assert!(error.kind.is_ours() && error.says.as_str().contains(why), "{wrong}: {error:?}");
    }
    let left: i64 = {
        let mut client = <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("app")).await.unwrap();
        sqlx::query_scalar("select count(*) from jobs").fetch_one(&mut client).await.unwrap()
    };
    assert_eq!(left, 1);
}

#[tokio::test]
async fn procrastinate_as_its_own_library_writes_it() {
    let server = server(&[]);
    python(
        &server.url("app"),
        r"
import asyncio, os, procrastinate
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ['URL']))
@app.task(queue='mail')
def mail(): pass
@app.task(queue='bulk', retry=procrastinate.RetryStrategy(max_attempts=9, wait=0))
def fails(): raise ValueError('secret')
@app.task(queue='stuck')
async def hangs(): await asyncio.sleep(3600)
async def main():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for n in range(5): await mail.defer_async()
        await mail.configure(schedule_in={'hours': 1}).defer_async()
        await fails.defer_async()
        await hangs.defer_async()
        worker = asyncio.create_task(app.run_worker_async(queues=['stuck', 'bulk'], listen_notify=False, install_signal_handlers=False, fetch_job_polling_interval=0.05, concurrency=2))
        for n in range(600):
            await asyncio.sleep(0.05)
            jobs = list(await app.job_manager.list_jobs_async())
            if [j for j in jobs if j.queue == 'stuck' and j.status == 'doing'] and [j for j in jobs if j.queue == 'bulk' and j.attempts >= 2]: break
        else: raise SystemExit('never at work')
        os._exit(0)  # as if killed: nobody says goodbye
asyncio.run(main())
",
    );
    let mut asked = source(&spec("procrastinate", &server));
    let refused = poll(&mut asked).await.unwrap_err();
    granted(&server, &refused).await;
    let sample = poll(&mut asked).await.unwrap();
    let (mail, stuck, bulk) = (queue(&sample, "mail"), queue(&sample, "stuck"), queue(&sample, "bulk"));
    assert_eq!((mail.depth, mail.scheduled, mail.in_flight), (5, Some(1), Some(0)));
    assert!((0.0..120.0).contains(&exact(mail)), "{mail:?}");
    assert_eq!((stuck.depth, stuck.in_flight, stuck.orphaned), (0, Some(1), Some(0)));
    let longest = stuck.longest.as_ref().unwrap();
    assert!(
        longest.name.as_str().ends_with("hangs") && longest.worker.as_str().starts_with("worker "),
        "{longest:?}"
    );
    assert!(longest.running.unwrap() < 120.0);
    assert!(bulk.returning.as_ref().unwrap().tries.unwrap() >= 2, "{bulk:?}");
    assert_eq!(sample.workers, Some(1));
    assert!(sample.missing.iter().any(|missing| missing.what.as_str() == "dead"));
    // The worker has not spoken for longer than the library allows.
    let mut owner = Client::new(&server, "owner").await;
    owner.run("update procrastinate_workers set last_heartbeat = now() - interval '2 minutes'").await;
    let sample = poll(&mut asked).await.unwrap();
    let (mail, stuck) = (queue(&sample, "mail"), queue(&sample, "stuck"));
    assert_eq!((stuck.orphaned, sample.workers), (Some(1), Some(0)));
    assert_eq!((mail.workers, mail.stale_workers), (Some(0), Some(1)));
    // Many more than are counted: the poll stays cheap, and says so.
    owner.run("insert into procrastinate_jobs (queue_name, task_name) select 'mail', 'm' from generate_series(1, 120000)").await;
    let sample = poll(&mut asked).await.unwrap();
    let mail = queue(&sample, "mail");
    assert!((99_000..=100_001).contains(&mail.depth), "{}", mail.depth);
    assert!(matches!(mail.oldest, QueueAge::AtLeast(age) if age < 240.0), "{:?}", mail.oldest);
    assert!(sample.missing.iter().any(|missing| missing.what.as_str() == "jobs"));
}

/// Runs a program with the real library and hands back what it printed.
fn node(url: &str, program: &str) -> String {
    let home = std::env::var("WARROOM_TEST_NODE").unwrap_or_else(|_| {
        panic!("WARROOM_TEST_NODE is not set: run scripts/test, which installs the libraries and sets it")
    });
    let mut command = Command::new("node");
    command.arg("-e").arg(program).env("URL", url).env("GRAPHILE_LOGGER_DEBUG", "0").current_dir(home);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test]
async fn graphile_worker_as_its_own_library_writes_it() {
    let server = server(&[]);
    node(
        &server.url("app"),
        r"
const { run, makeWorkerUtils, Logger } = require('graphile-worker');
const logger = new Logger(() => () => {});
(async () => {
  const utils = await makeWorkerUtils({ connectionString: process.env.URL, logger });
  await utils.migrate();
  for (let n = 0; n < 4; n++) await utils.addJob('mail', { to: 'secret' });
  await utils.addJob('mail', {}, { runAt: new Date(Date.now() + 3600e3) });
  await utils.addJob('doomed', {}, { maxAttempts: 1 });
  await utils.addJob('hangs', {});
  for (let n = 0; n < 3; n++) await utils.addJob('quick', {});
  let begun = 0;
  const runner = await run({ connectionString: process.env.URL, logger, concurrency: 2, pollInterval: 50, noHandleSignals: true, taskList: {
    doomed: async () => { throw new Error('secret'); },
    hangs: () => { begun++; return new Promise(() => {}); },
    quick: async () => { begun++; },
  } });
  for (let n = 0; begun < 4; n++) {
    if (n > 1200) throw new Error('never at work');
    await new Promise(r => setTimeout(r, 50));
  }
  await new Promise(r => setTimeout(r, 200));
  process.exit(0);
})().catch(e => { console.error(e); process.exit(1); });
",
    );
    let mut asked = source(&spec("graphile_worker", &server));
    let refused = poll(&mut asked).await.unwrap_err();
    granted(&server, &refused).await;
    let sample = poll(&mut asked).await.unwrap();
    let (mail, doomed, hangs) = (queue(&sample, "mail"), queue(&sample, "doomed"), queue(&sample, "hangs"));
    assert_eq!((mail.depth, mail.scheduled, mail.dead), (4, Some(1), Some(0)), "row security hides nothing");
    assert!((0.0..120.0).contains(&exact(mail)), "{mail:?}");
    assert_eq!((doomed.depth, doomed.dead), (0, Some(1)));
    assert_eq!((hangs.in_flight, hangs.orphaned, hangs.depth), (Some(1), Some(0), 0));
    let longest = hangs.longest.as_ref().unwrap();
    assert!(longest.name.as_str() == "hangs" && !longest.worker.is_empty(), "{longest:?}");
    let began = tokio::time::Instant::now();
    // What is done is counted by the server's statistics, which take their time.
    while poll(&mut asked).await.unwrap().shared.processed < Some(3) {
        assert!(began.elapsed() < Duration::from_secs(30), "never counted: {:?}", poll(&mut asked).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let doctor = KINDS.iter().find(|kind| kind.name == "graphile_worker").unwrap().doctor;
    let lines = doctor(&spec("graphile_worker", &server)).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");
}
