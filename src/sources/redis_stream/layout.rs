//! Streams and their groups: every group of a stream is a queue of its own.

use redis::{Pipeline, Value};

use super::super::heads::{QUEUES, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use super::parse::{self, Group};
use crate::config::TargetSpec;
use crate::model::{Missing, Queue, QueueAge, QueueSample, SafeText};

/// Streams that the config names, and the groups that the first questions of a poll found.
#[derive(Default)]
pub(super) struct Streams {
    /// Each group, and whether it is the only one of its stream.
    groups: Vec<(Group, bool)>,
    ungrouped: Vec<String>,
}

impl Layout for Streams {
    const RULE: &'static str = "+time +xlen +xinfo|groups +xinfo|consumers +xpending +xrange %R~*";

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        if spec.queues.is_empty() {
            return Err("names no stream: set queues = [\"key\", …] to the streams to watch".into());
        }
        Ok(Self::default())
    }

    fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
        script.cmd("XLEN").arg(name);
        script.cmd("XINFO").arg("GROUPS").arg(name);
    }

    fn queue(&mut self, name: &str, answers: &[Value], _: &mut Watch) -> Result<(Queue, Head), &'static str> {
        let [length, groups] = answers else { return Err("the server did not answer") };
        let depth = resp::count(length).ok_or("the key is no stream")?;
        let groups = parse::groups(name, groups);
        let mut oldest = QueueAge::Empty;
        if groups.is_empty() {
            self.ungrouped.push(name.to_owned());
            if depth > 0 {
                oldest = QueueAge::Unknown("no consumer group".into());
            }
        }
        let alone = groups.len() == 1;
        self.groups.extend(groups.into_iter().map(|group| (group, alone)));
        Ok((Queue { name: SafeText::new(name), depth, ..Queue::default() }, Head::Age(oldest)))
    }

    fn ask_more(&mut self, sample: &mut QueueSample, script: &mut Pipeline) {
        if self.groups.len() > QUEUES {
            sample.left_out += u32::try_from(self.groups.len() - QUEUES).unwrap_or(u32::MAX);
            self.groups.truncate(QUEUES);
        }
        for (group, _) in &self.groups {
            parse::ask_group(script, group);
        }
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        // A stream with groups is no row of its own.
        let ungrouped = std::mem::take(&mut self.ungrouped);
        sample.queues.retain(|queue| ungrouped.iter().any(|name| name == queue.name.as_str()));
        for stream in ungrouped {
            let why = "no consumer group: what was read of it is not known to the server";
            sample.missing.push(Missing::new(&format!("readers of {stream}"), why));
        }
        let groups = std::mem::take(&mut self.groups);
        for ((group, alone), values) in groups.iter().zip(answers.chunks(parse::PER_GROUP)) {
            sample.queues.push(parse::queue(group, *alone, values, &watch.clock));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Streams>("redis_stream");
    }
}
