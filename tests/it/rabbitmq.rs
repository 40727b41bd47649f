//! RabbitMQ by its management API: a real node, a real client.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::Judge;
use warroom::model::{
    Finding, PollErrorKind, Queue, QueueAge, QueueSample, Reading, Sample, Severity, Timestamp,
};
use warroom::shell::world::info;
use warroom::sources::Source;
use warroom::store::Store;

use super::queues::{queue, queues};
use super::rabbitmq_server::{Client, RabbitMq};
use super::redis::{kind, poll, source};

const FILL: &str = "
c = connect(); ch = c.channel()
def queue(name, **arguments): ch.queue_declare(name, durable=True, auto_delete=False, arguments={k.replace('_', '-'): v for k, v in arguments.items()})
def put(name, count, **properties):
    for n in range(count): ch.basic_publish(amqp.Message('{\"card\": 4111}', **properties), routing_key=name)
queue('mail', x_dead_letter_exchange='graves'); queue('old'); queue('empty')
queue('big', x_queue_type='quorum'); queue('feed', x_queue_type='stream')
ch.exchange_declare('graves', 'fanout', durable=True, auto_delete=False); queue('parked'); ch.queue_bind('parked', 'graves')
queue('later', x_message_ttl=3600000, x_dead_letter_exchange='', x_dead_letter_routing_key='mail')
ch.queue_declare('reply', exclusive=True)
api('PUT', 'vhosts/shop'); api('PUT', 'permissions/shop/admin', dict(configure='.*', write='.*', read='.*'))
shop = connect(vhost='shop'); sh = shop.channel(); sh.queue_declare('orders', durable=True, auto_delete=False)
sh.basic_publish(amqp.Message('x'), routing_key='orders')
for user, tag in (('mon', 'monitoring'), ('man', 'management')): api('PUT', 'users/' + user, dict(password='pw', tags=tag))
put('mail', 20); put('old', 3, timestamp=int(time.time()) - 90); put('big', 7); put('feed', 5); put('later', 2)
r = connect(); rc = r.channel(); rc.basic_qos(0, 5, False); taken = []
rc.basic_consume('mail', callback=taken.append)
while len(taken) < 5: r.drain_events(timeout=30)
for m in taken[:3]: rc.basic_reject(m.delivery_tag, False)
rc.basic_ack(taken[3].delivery_tag)
";

/// Polls until something is so.
async fn until(
    source: &mut Box<dyn Source>,
    what: &str,
    holds: impl Fn(&QueueSample) -> bool,
) -> QueueSample {
    let began = tokio::time::Instant::now();
    loop {
        let sample = queues(source).await;
        if holds(&sample) {
            return sample;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not {what}: {sample:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn has(sample: &QueueSample, name: &str, holds: impl Fn(&Queue) -> bool) -> bool {
    sample.queues.iter().any(|queue| queue.name.as_str() == name && holds(queue))
}

/// What is found of samples that are so many seconds apart.
fn found(spec: &TargetSpec, samples: &[(u64, QueueSample)]) -> Vec<Finding> {
    let info = info(spec);
    let (mut store, mut judge) = (Store::new([info]), Judge::new(Thresholds::default(), []));
    let mut findings = Vec::new();
    for (second, sample) in samples {
        let now = Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(*second));
        let sample = Ok(Sample::Queue(Box::new(sample.clone())));
        store.take(now, Reading { target: spec.id.clone(), took: Duration::ZERO.into(), sample });
        findings = judge.judge(&mut store, now).0.findings;
    }
    findings
}

fn warned<'a>(findings: &'a [Finding], rule: &str, row: &str) -> &'a Finding {
    let all = || findings.iter().map(|it| (&it.rule, it.target.as_str(), &it.says)).collect::<Vec<_>>();
    let found = findings.iter().find(|it| it.rule == rule && it.target.as_str() == row);
    found.unwrap_or_else(|| panic!("no {rule} at {row}: {:#?}", all()))
}

#[tokio::test]
async fn rabbitmq_tells_queues_alarms_and_what_it_withholds() {
    let server = RabbitMq::start();
    let mut client = Client::start(&server);
    client.step(FILL);
    withheld(&server, &mut client).await;

    let mut asked = source(&server.spec("mon:pw"));
    let counted = |sample: &QueueSample| {
        has(sample, "mail", |it| it.processed > Some(0) && it.depth == 11 && it.in_flight == Some(5))
            && has(sample, "parked", |it| it.dead == Some(3))
            && has(sample, "big", |it| it.depth == 7)
            && has(sample, "later", |it| it.scheduled == Some(2))
            && has(sample, "old", |it| it.oldest.seconds().is_some_and(|age| age > 80.0))
            && has(sample, "shop/orders", |it| it.depth == 1)
    };
    let sample = until(&mut asked, "counted", counted).await;
    let names: Vec<_> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(
        names,
        ["big", "empty", "feed", "later", "mail", "old", "parked", "shop/orders"],
        "no reply queue"
    );
    let told = server.ctl(&["list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers"]);
    for line in told.lines().skip(1) {
        let words: Vec<&str> = line.split('\t').collect();
        if matches!(words[0], "reply" | "feed") {
            continue;
        }
        let it = queue(&sample, words[0]);
        let waiting = it.depth + it.dead.unwrap_or(0) + it.scheduled.unwrap_or(0);
        let ours = [waiting, it.in_flight.unwrap(), it.workers.unwrap_or(0).into()].map(|n| n.to_string());
        assert_eq!(ours, words[1..], "{line}");
    }
    let QueueAge::Exact(age) = queue(&sample, "old").oldest else { panic!("{sample:?}") };
    assert!((89.0..400.0).contains(&age), "{age}");
    assert!(matches!(queue(&sample, "mail").oldest, QueueAge::AtLeast(_)), "nothing in it says when");
    assert_eq!(queue(&sample, "empty").oldest, QueueAge::Empty);
    assert_eq!((queue(&sample, "big").added, queue(&sample, "mail").added), (Some(7), None));
    // A stream keeps its five messages whoever reads them: they do not wait.
    let feed = queue(&sample, "feed");
    assert_eq!((feed.depth, feed.added, feed.workers), (0, Some(5), Some(0)));
    assert!(matches!(feed.oldest, QueueAge::Unknown(_)));
    let findings = found(&server.spec("mon:pw"), &[(0, sample.clone()), (5, sample)]);
    assert_eq!(warned(&findings, "no_worker", "cache/old").severity, Severity::Critical);
    let graves = |it: &&Finding| matches!(it.target.as_str(), "cache/parked" | "cache/later");
    assert_eq!(findings.iter().find(graves), None, "that nobody reads the dead is as it should be");

    // Named queues only, also of another virtual host.
    let mut spec = server.spec("mon:pw");
    spec.queues = vec!["shop/orders".into(), "old".into(), "nowhere".into()];
    let sample = queues(&mut source(&spec)).await;
    let names: Vec<_> = sample.queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["shop/orders", "old"]);
    assert!(sample.missing.iter().any(|it| it.what.as_str() == "queue nowhere"), "{:?}", sample.missing);
    spec.vhost = Some("shop".into());
    spec.queues.clear();
    assert_eq!(queues(&mut source(&spec)).await.queues[0].name.as_str(), "orders");

    coming_back(&server, &mut client, &mut asked).await;
    out_of_memory(&server, &mut client, &mut asked).await;
    a_node_is_lost(&server, &mut client, &mut asked).await;

    let RabbitMq { mut process, .. } = server;
    process.stop();
    let gone = poll(&mut asked).await.sample.unwrap_err();
    assert_eq!(gone.kind, PollErrorKind::Unreachable, "{gone}");
}

/// Logins that see less, or nothing.
async fn withheld(server: &RabbitMq, client: &mut Client) {
    let examine = kind("rabbitmq").doctor;
    let mends = |lines: Vec<warroom::model::DoctorLine>| {
        lines.iter().map(|line| format!("{} {:?}", line.what, line.mend)).collect::<Vec<_>>().join("\n")
    };
    let blind = queues(&mut source(&server.spec("mon:pw"))).await;
    let says = blind.missing[0].why.as_str();
    assert!(blind.queues.is_empty() && says.contains("set_permissions -p / mon"), "{:?}", blind.missing);
    let told = mends(examine(&server.spec("mon:pw")).await);
    assert!(told.contains("RabbitMQ 3.") && told.contains("set_permissions -p / mon"), "{told}");
    client.step(
        "for user in ('mon', 'man'):
    for vhost in ('%2f', 'shop'): api('PUT', 'permissions/%s/%s' % (vhost, user), dict(configure='^$', write='^$', read='^$'))",
    );
    let told = mends(examine(&server.spec("mon:pw")).await);
    assert!(
        told.contains("sees the virtual hosts /, shop") && told.contains("nodes and their alarms can"),
        "{told}"
    );
    let half = until(&mut source(&server.spec("man:pw")), "counted", |it| it.queues.len() > 5).await;
    assert!(half.broker.is_none(), "{half:?}");
    assert!(half.missing.iter().any(|it| it.why.as_str().contains("set_user_tags man monitoring")));
    assert!(mends(examine(&server.spec("man:pw")).await).contains("set_user_tags man monitoring"));

    for (login, kind, part) in [
        ("mon:wr0ng", PollErrorKind::Login, "refuses the login of mon"),
        ("nobody:pw", PollErrorKind::Login, "refuses the login of nobody"),
    ] {
        let error = poll(&mut source(&server.spec(login))).await.sample.unwrap_err();
        assert!(error.kind == kind && error.says.as_str().contains(part), "{error:?}");
        assert!(!format!("{error:?}").contains("wr0ng"), "{error:?}");
    }
    let mut wrong = server.spec("mon:pw");
    wrong.vhost = Some("nowhere".into());
    let error = poll(&mut source(&wrong)).await.sample.unwrap_err();
    assert!(error.says.as_str().contains("no such virtual host"), "{error:?}");
    // The port of the clients in place of the management's.
    let spec = super::redis::spec("rabbitmq", &format!("http://mon:pw@127.0.0.1:{}", server.port));
    let told = mends(examine(&spec).await);
    assert!(told.contains("rabbitmq-plugins enable rabbitmq_management"), "{told}");
}

/// A worker that hands everything back, again and again.
async fn coming_back(server: &RabbitMq, client: &mut Client, asked: &mut Box<dyn Source>) {
    client.step(
        "import threading
b = connect(); bc = b.channel(); bc.basic_qos(0, 1, False); going = [True]
def back(m): time.sleep(0.01); bc.basic_reject(m.delivery_tag, True)
bc.basic_consume('old', callback=back)
def loop():
    while going[0]: b.drain_events(timeout=60)
    b.close()
worker = threading.Thread(target=loop); worker.start()",
    );
    let mut samples: Vec<(u64, QueueSample)> = Vec::new();
    // Looked at whenever it was counted anew, and told as if five seconds lay between.
    while samples.len() < 8 {
        let seen = samples.last().map(|(_, sample)| queue(sample, "old").redelivered);
        let anew = |sample: &QueueSample| {
            has(sample, "old", |it| {
                it.redelivered.is_some_and(|now| seen.is_none_or(|was| Some(now) >= was.map(|n| n + 5)))
            })
        };
        let sample = until(asked, "handed out once more", anew).await;
        samples.push((5 * samples.len() as u64, sample));
    }
    client.step("going[0] = False; worker.join()");
    let findings = found(&server.spec("mon:pw"), &samples);
    let finding = warned(&findings, "poison_job", "cache/old");
    assert!(
        finding.says.starts_with("jobs come back: ") && finding.says.ends_with("0 were done"),
        "{}",
        finding.says
    );
}

/// A node without memory, and a sender that must wait.
async fn out_of_memory(server: &RabbitMq, client: &mut Client, asked: &mut Box<dyn Source>) {
    server.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]);
    client.step("put('mail', 1)");
    let held = |it: &QueueSample| it.broker.as_ref().is_some_and(|it| it.blocked > Some(0));
    let sample = until(asked, "blocked", held).await;
    let node = &sample.broker.as_ref().unwrap().nodes[0];
    assert!(node.memory_alarm && node.running && node.memory > node.memory_limit, "{node:?}");
    let findings = found(&server.spec("mon:pw"), &[(0, sample)]);
    let finding = warned(&findings, "broker_alarm", "cache");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(finding.says.starts_with("rabbit@localhost is out of memory ("), "{}", finding.says);
    assert!(finding.says.contains("of admin ") && finding.says.ends_with("made to wait"), "{}", finding.says);
    server.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    until(asked, "well again", |it| !it.broker.as_ref().unwrap().nodes[0].memory_alarm).await;
}

/// A second node that takes part of the queues with it when it goes.
async fn a_node_is_lost(server: &RabbitMq, client: &mut Client, asked: &mut Box<dyn Source>) {
    let mut peer = server.join();
    client.step(&format!(
        "two = amqp.Connection('127.0.0.1:{}', 'admin', 's3cret'); two.connect(); tc = two.channel()
tc.queue_declare('ontwo', durable=True, auto_delete=False); queue('pair', x_queue_type='quorum')
put('ontwo', 4); put('pair', 6)
p = connect(); pc = p.channel(); pc.basic_qos(0, 2, False); kept = []; pc.basic_consume('pair', callback=kept.append)
while len(kept) < 2: p.drain_events(timeout=60)",
        peer.port
    ));
    let whole = |it: &QueueSample| {
        let nodes = &it.broker.as_ref().unwrap().nodes;
        (nodes.len() == 2 && nodes.iter().all(|node| node.running))
            && has(it, "ontwo", |it| it.depth == 4 && it.unusable.is_none())
            && has(it, "pair", |it| it.depth == 4 && it.in_flight == Some(2) && it.unusable.is_none())
    };
    let before = until(asked, "whole", whole).await;
    assert_eq!(queue(&before, "pair").workers, Some(1));
    apart(server, asked).await;
    peer.process.stop();
    let gone = |it: &QueueSample| {
        it.broker.as_ref().is_some_and(|it| it.nodes.iter().any(|node| !node.running))
            && ["ontwo", "pair"].iter().all(|name| has(it, name, |it| it.unusable.is_some()))
    };
    let after = until(asked, "seen to be gone", gone).await;
    assert!(queue(&after, "big").unusable.is_none(), "it was made before there were two");
    let findings = found(&server.spec("mon:pw"), &[(0, after.clone()), (10, after)]);
    let node = warned(&findings, "broker_node", "cache");
    assert_eq!(node.says, "1 of 2 nodes is down: two@localhost");
    for (row, why) in
        [("cache/ontwo", "the node that keeps it is gone"), ("cache/pair", "without a majority")]
    {
        let finding = warned(&findings, "queue_unusable", row);
        assert!(finding.severity == Severity::Critical && finding.says.contains(why), "{}", finding.says);
    }
}

/// Two nodes that cannot reach each other for a while and both go on.
async fn apart(server: &RabbitMq, asked: &mut Box<dyn Source>) {
    // A wrong cookie for one another holds them apart, as a cut wire would.
    server.ctl(&[
        "eval",
        "erlang:set_cookie('two@localhost', wrong), erlang:disconnect_node('two@localhost').",
    ]);
    let alone = |it: &QueueSample| it.broker.as_ref().is_some_and(|it| it.nodes.iter().any(|it| !it.running));
    until(asked, "alone", alone).await;
    // Both must have missed the other before they meet again.
    let two = ["-n", "two@localhost"];
    let began = tokio::time::Instant::now();
    let met = ["eval", "mnesia:system_info(running_db_nodes)."];
    while server.ctl(&[&two[..], &met].concat()).contains("rabbit@localhost") {
        assert!(began.elapsed() < Duration::from_secs(60), "the other node never missed this one");
    }
    server.ctl(&[
        "eval",
        "erlang:set_cookie('two@localhost', erlang:get_cookie()), net_adm:ping('two@localhost').",
    ]);
    let parted = |it: &QueueSample| it.broker.as_ref().is_some_and(|it| !it.nodes[0].apart_from.is_empty());
    let sample = until(asked, "parted", parted).await;
    let findings = found(&server.spec("mon:pw"), &[(0, sample.clone()), (10, sample)]);
    let finding = warned(&findings, "broker_apart", "cache");
    assert_eq!(finding.severity, Severity::Critical);
    assert!(
        finding.says.starts_with("rabbit@localhost and two@localhost lost each other"),
        "{}",
        finding.says
    );
    // What the advice says mends it.
    server.ctl(&[&two[..], &["stop_app"]].concat());
    server.ctl(&[&two[..], &["start_app"]].concat());
    let together = |it: &QueueSample| {
        let nodes = &it.broker.as_ref().unwrap().nodes;
        nodes.iter().all(|node| node.running && node.apart_from.is_empty())
            && ["ontwo", "pair"].iter().all(|name| has(it, name, |it| it.unusable.is_none()))
    };
    until(asked, "together again", together).await;
}

#[tokio::test]
async fn where_no_rabbitmq_is_it_is_said() {
    let port = warroom::lab::free_port().unwrap();
    let spec = super::redis::spec("rabbitmq", &format!("http://mon:s3cret@127.0.0.1:{port}/"));
    let error = poll(&mut source(&spec)).await.sample.unwrap_err();
    assert_eq!(error.kind, PollErrorKind::Unreachable, "{error}");
    let lines = (kind("rabbitmq").doctor)(&spec).await;
    let mend = lines[0].mend.as_ref().unwrap();
    assert!(mend.as_str().contains("enable rabbitmq_management"), "{lines:?}");
    assert!(!format!("{lines:?}").contains("s3cret"), "{lines:?}");
}
