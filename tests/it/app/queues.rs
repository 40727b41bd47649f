//! Pausing a queue from its row: what is meant, and what greys the key.

use warroom::app::{Cell, Effect, RowKey, Tab, detail, hints, settle};
use warroom::model::{Broker, BrokerNode, Intent, Queue, QueueChange, QueueSample, Sample};

use super::bench::{Bench, id};

fn jobs(bench: &mut Bench, paused: bool) {
    let mail = Queue { name: "mail".into(), depth: 3, paused: Some(paused), ..Queue::default() };
    let sample = QueueSample { queues: vec![mail], ..QueueSample::default() };
    bench.take("jobs", Ok(Sample::Queue(Box::new(sample))));
}

#[expect(clippy::panic, reason = "what a test needs and does not get fails it")]
fn planned(bench: &mut Bench) -> (Option<String>, QueueChange) {
    let effects = bench.press("P");
    let [Effect::Plan(_, Intent::PauseQueue { target, queue, to })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(target.as_str(), "jobs");
    (queue.clone(), *to)
}

#[test]
fn a_queue_is_paused_from_its_row_and_a_paused_one_resumed() {
    let mut bench = Bench::new();
    jobs(&mut bench, false);
    assert!(hints(&bench.app).iter().all(|hint| hint.key != "P"), "no queue is on the screen");
    bench.press("6 enter");
    assert_eq!(planned(&mut bench), (None, QueueChange::Pause), "RQ has one switch");
    bench.press("esc");
    jobs(&mut bench, true);
    assert_eq!(planned(&mut bench), (None, QueueChange::Resume));
}

#[test]
fn the_page_of_a_queue_tells_what_ails_its_whole_broker() {
    let mut bench = Bench::new();
    let mail = Queue { name: "mail".into(), depth: 3, ..Queue::default() };
    let node =
        BrokerNode { name: "rabbit@mq1".into(), running: true, disk_alarm: true, ..Default::default() };
    let broker = Some(Broker { nodes: vec![node], ..Broker::default() });
    bench.take(
        "jobs",
        Ok(Sample::Queue(Box::new(QueueSample { queues: vec![mail], broker, ..Default::default() }))),
    );
    settle(&mut bench.app, bench.at);
    let lines = detail(&bench.app, Tab::Queues, &RowKey::Target(id("jobs/mail")));
    let told = "!! jobs: rabbit@mq1 is out of disk: whoever puts jobs in is made to wait";
    assert!(lines.contains(&("queue.backlog".into(), Cell::text(told))), "{lines:#?}");
}
