//! Tries a layout's reading on answers torn in all ways, for the tests of each.

use std::collections::BTreeSet;

use redis::{Arg, Pipeline, Value};

use super::queue_layout::{Layout, Watch};
use crate::config::TargetSpec;
use crate::model::{QueueSample, TargetId};
use crate::torn::each_torn_answer;

/// A job as one library or another writes it.
const JOB: &str = r#"{"class":"App.Mail","queue":"mail","jid":"j1","created_at":1763696494.5,"run_at":1763696494,
    "payload":{"class":"Mail","args":[]},"headers":{"task":"app.mail","retries":2,"eta":null},"error_class":"E",
    "retry_count":3,"concurrency":5,"queues":["mail"],"displayName":"Mail","attempts":2,"options":{"retries":2}}"#;

/// Reads everything a layout reads, thousands of times, of a server gone mad. A panic is the failure.
pub(super) fn withstands<L: Layout>(kind: &str) {
    let mut spec = TargetSpec::new(TargetId::parse("jobs").expect("legal"), kind);
    spec.queues.push("mail".into());
    let keys: BTreeSet<String> =
        ["mail", "arq:queue:health-check", "_kombu.binding.mail"].map(Into::into).into();
    let mut watch = Watch::default();
    let (mut shared, mut own) = (redis::pipe(), redis::pipe());
    let layout = L::of(&spec).expect("a layout");
    layout.ask_all(&watch.clock, &keys, &mut shared);
    layout.ask_queue("mail", &watch.clock, &mut own);
    let whole: Vec<Value> = [&shared, &own].into_iter().flat_map(answers).collect();
    let (shared, mut read) = (shared.len(), 0_u32);
    each_torn_answer(&whole, |torn| {
        let (first, second) = torn.split_at(shared.min(torn.len()));
        let mut layout = L::of(&spec).expect("a layout");
        let mut sample = QueueSample::default();
        let found = layout.take_all(first, &keys, &watch);
        for name in found.iter().take(2).map(String::as_str).chain(["mail"]) {
            if let Ok((queue, _)) = layout.queue(name, second, &mut watch) {
                read += 1;
                sample.queues.push(queue);
            }
        }
        let mut more = redis::pipe();
        layout.ask_more(&mut sample, &mut more);
        let more: Vec<Value> = torn.iter().cycle().take(more.len()).cloned().collect();
        layout.take_more(&more, &mut watch, &mut sample);
        layout.finish(&watch, &mut sample);
        let _since: Vec<_> = torn.iter().map(|answer| layout.job_since(answer)).collect();
    });
    assert!(read > 100, "{kind}: only {read} answers were read as a queue");
}

/// What a server might answer to these commands.
fn answers(script: &Pipeline) -> Vec<Value> {
    let one = |command: &redis::Cmd| {
        let words = command.args_iter().filter_map(|word| match word {
            Arg::Simple(word) => Some(String::from_utf8_lossy(word).into_owned()),
            _ => None,
        });
        answer(&words.collect::<Vec<_>>())
    };
    script.cmd_iter().map(one).collect()
}

fn answer(words: &[String]) -> Value {
    let text = |text: &str| Value::BulkString(text.into());
    let list = |texts: &[&str]| Value::Array(texts.iter().map(|it| text(it)).collect());
    match words.first().map_or("", String::as_str) {
        "LLEN" | "ZCARD" | "SCARD" | "ZCOUNT" | "HLEN" | "XLEN" | "EXISTS" => Value::Int(3),
        "GET" | "HGET" => text("3"),
        "LINDEX" => text(JOB),
        "HMGET" => Value::Array(words.iter().skip(2).map(|_| text(JOB)).collect()),
        "SMEMBERS" => list(&["mail", "host:7:mail,slow", "rq:worker:w1"]),
        "XINFO" => {
            Value::Array(vec![list(&["name", "g", "last-delivered-id", "1-1", "pending", "2", "lag", "3"])])
        }
        "XPENDING" => Value::Array(vec![list(&["1-1", "c", "70000", "2"])]),
        "XRANGE" => Value::Array(vec![Value::Array(vec![text("1763696494500-0"), list(&["k", JOB])])]),
        "HSCAN" => Value::Array(vec![text("0"), list(&["j1", JOB])]),
        _ => list(&[JOB, "1763696494.5", "j1", "1763696494500"]),
    }
}
