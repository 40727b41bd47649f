//! The server's answer, machine by machine. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::query::{MARK, MARKS, SCRAPED};
use crate::model::{HostSample, SafeText};
use crate::sources::node_metrics::Seen;
use crate::sources::prometheus_text::Metric;

/// What is known of one machine.
#[derive(Default)]
pub(super) struct Machine {
    seen: Seen,
    /// Whether the server reached it at its last attempt.
    up: Option<bool>,
    group: SafeText,
    /// Seconds from its last scrape to the answer.
    read_ago: Option<f64>,
}

impl Machine {
    /// Its sample; `None` when the server has none.
    pub(super) fn into_sample(self) -> Option<HostSample> {
        let mut sample = self.seen.into_sample()?;
        sample.group = self.group;
        sample.read_ago = self.read_ago;
        Some(sample)
    }

    /// Whether the server says that it does not answer.
    pub(super) fn is_unreachable(&self) -> bool {
        self.up == Some(false)
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: &'a str,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    // Each is read and forgotten in turn: a fleet's answer has tens of thousands.
    #[serde(borrow)]
    result: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Series<'a> {
    #[serde(borrow)]
    metric: BTreeMap<Text<'a>, Text<'a>>,
    #[serde(borrow)]
    value: (f64, Text<'a>),
}

/// Text that is borrowed wherever it needs no unescaping.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct One<'a> {
    name: &'a str,
    labels: &'a BTreeMap<Text<'a>, Text<'a>>,
    value: f64,
}

impl Metric for One<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn value(&self) -> f64 {
        self.value
    }

    fn label(&self, wanted: &str) -> Option<Cow<'_, str>> {
        self.labels.iter().find(|(name, _)| name.0 == wanted).map(|(_, text)| Cow::Borrowed(&*text.0))
    }
}

/// Every machine of an answer by its instance; the error is the server's own or says what is wrong with it.
pub(super) fn machines(text: &str, group_by: Option<&str>) -> Result<BTreeMap<String, Machine>, String> {
    let answer: Answer<'_> = serde_json::from_str(text)
        .map_err(|error| format!("is it a Prometheus? its answer is none: {error}"))?;
    if answer.status != "success" {
        return Err(format!(
            "it refused the query: {}",
            answer.error.as_deref().unwrap_or("it does not say why")
        ));
    }
    let mut all: BTreeMap<String, Machine> = BTreeMap::new();
    for raw in answer.data.map(|data| data.result).unwrap_or_default() {
        let Ok(series) = serde_json::from_str::<Series<'_>>(raw.get()) else { continue };
        let label = |name: &'static str| series.metric.get(&Text(Cow::Borrowed(name))).map(|text| &*text.0);
        let (Some(instance), Ok(value)) = (label("instance"), series.value.1.0.parse::<f64>()) else {
            continue;
        };
        let name = match label(MARK) {
            Some(mark) => MARKS.iter().find(|(known, _)| *known == mark).map(|(_, name)| *name),
            None => label("__name__"),
        };
        let Some(name) = name else { continue };
        if !all.contains_key(instance) {
            all.insert(instance.to_owned(), Machine::default());
        }
        let Some(machine) = all.get_mut(instance) else { continue };
        if name == "up" {
            // A machine that is scraped twice is reached when one of the two reaches it.
            machine.up = Some(machine.up == Some(true) || value > 0.0);
        } else if name == SCRAPED {
            // Both are of the server's own clock.
            let ago = (series.value.0 - value).max(0.0);
            machine.read_ago = Some(machine.read_ago.map_or(ago, |newest| newest.min(ago)));
        } else {
            machine.seen.take(&One { name, labels: &series.metric, value });
        }
        if let Some(by) = group_by
            && machine.group.as_str().is_empty()
            && let Some(group) = series.metric.get(&Text(Cow::Borrowed(by)))
        {
            machine.group = SafeText::new(&group.0);
        }
    }
    Ok(all)
}

/// What each instance is called: without its port where that is enough to tell them apart.
pub(super) fn names<'a>(instances: impl Iterator<Item = &'a String> + Clone) -> BTreeMap<&'a str, &'a str> {
    let mut count: BTreeMap<&str, u32> = BTreeMap::new();
    for instance in instances.clone() {
        *count.entry(without_port(instance)).or_default() += 1;
    }
    instances
        .map(|instance| {
            let short = without_port(instance);
            (instance.as_str(), if count[short] == 1 { short } else { instance })
        })
        .collect()
}

fn without_port(instance: &str) -> &str {
    match instance.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => instance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn machines_are_told_apart_and_named() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"node_load1","instance":"web\u0031:9100","role":"web"},"value":[1.5,"0.5"]},
            {"metric":{"__name__":"node_procs_running","instance":"web1:9100"},"value":[1.5,"3"]},
            {"metric":{"instance":"web1:9100","mode":"idle","warroom":"cpu"},"value":[1.5,"70.5"]},
            {"metric":{"instance":"web1:9100","mode":"user","warroom":"cpu"},"value":[1.5,"29.5"]},
            {"metric":{"instance":"web1:9100","warroom":"cores"},"value":[1.5,"8"]},
            {"metric":{"__name__":"up","instance":"web1:9100","warroom":"up"},"value":[1.5,"1"]},
            {"metric":{"instance":"web1:9100","warroom":"at"},"value":[1700000009.5,"1.700000005e+09"]},
            {"metric":{"instance":"web1:9100","job":"more","warroom":"at"},"value":[1700000009.5,"1700000007.25"]},
            {"metric":{"__name__":"up","instance":"web2:9100","warroom":"up"},"value":[1.5,"0"]},
            {"metric":{"instance":"web1:9100","warroom":"other"},"value":[1.5,"1"]},
            {"metric":{"nothing":"useful"},"value":[1.5,"NaN"]}]}}"#;
        let mut all = machines(text, Some("role")).expect("an answer");
        assert_eq!(all.len(), 2);
        assert!(all["web2:9100"].is_unreachable() && !all["web1:9100"].is_unreachable());
        let sample = all.remove("web1:9100").and_then(Machine::into_sample).expect("it answers");
        assert_eq!((sample.cores, sample.run_queue, sample.group.as_str()), (8, Some(2), "web"));
        assert_eq!(sample.read_ago, Some(2.25), "by its newest scrape");
        assert_eq!(sample.cpu.map(|cpu| (cpu.idle, cpu.user)), Some((70.5, 29.5)));
        assert!(all.remove("web2:9100").and_then(Machine::into_sample).is_none());

        let error = |text| machines(text, None).err().expect("refused");
        assert!(
            error(r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#)
                .contains("parse error")
        );
        assert!(error("<html>").contains("is it a Prometheus?"));

        let all = ["a:9100", "b:9100", "b:9101", "[::1]:9100", "plain"].map(str::to_owned);
        let names = names(all.iter());
        assert_eq!(names.values().copied().collect::<Vec<_>>(), ["[::1]", "a", "b:9100", "b:9101", "plain"]);
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"node_procs_running","instance":"web1:9100","role":"web"},"value":[1.5,"3"]},
            {"metric":{"instance":"web1:9100","mode":"idle","warroom":"cpu"},"value":[1.5,"70.5"]},
            {"metric":{"__name__":"node_filesystem_size_bytes","device":"a","mountpoint":"/","instance":"web1:9100"},"value":[1.5,"9"]},
            {"metric":{"instance":"web1:9100","warroom":"at"},"value":[1700000009.5,"1.700000005e+09"]}]}}"#;
        each_torn_text(text, |torn| {
            for machine in machines(torn, Some("role")).into_iter().flatten().map(|(_, machine)| machine) {
                machine.into_sample();
            }
        });
    }
}
