//! Asks for queues and nodes at once, and puts together what they tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ages::Ages;
use super::answer::{self, Page, QueueRow};
use super::ask::{Api, EXCHANGES};
use super::roles::{Place, Role, roles};
use crate::config::TargetSpec;
use crate::model::{
    Broker, Missing, PollError, PollErrorKind, Queue, QueueAge, QueueSample, Reading, SafeText, Sample,
    TargetId, Timestamp,
};
use crate::sources::one_answer::one_answer;
use crate::sources::web_page::{Answered, WebPage};
use crate::sources::{BoxFuture, Source};

/// How often what hardly changes is asked for: bindings, and again what was refused.
const SELDOM: Duration = Duration::from_mins(1);

/// Polls one RabbitMQ.
pub(super) struct RabbitMq {
    target: TargetId,
    api: Api,
    queues: WebPage,
    /// The same, the fullest first.
    fullest: WebPage,
    nodes: WebPage,
    configured: Vec<String>,
    vhost: Option<String>,
    /// There are more queues than are asked for.
    many: bool,
    ages: Ages,
    /// Queues that somebody was seen to read.
    read: BTreeSet<Place>,
    /// Which queues are bound to a dead-letter exchange, and when that was asked.
    bound: BTreeMap<Place, BTreeSet<String>>,
    bound_at: Option<Instant>,
    /// Why nodes cannot be looked at, and when that was said.
    no_nodes: Option<(Instant, PollError)>,
}

impl RabbitMq {
    /// Does not connect yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let api = Api::of(spec)?;
        let (queues, fullest, nodes) = (api.queues(false)?, api.queues(true)?, api.nodes()?);
        let (configured, vhost) = (spec.queues.clone(), spec.vhost.clone());
        Ok(Self {
            target: spec.id.clone(),
            api,
            queues,
            fullest,
            nodes,
            configured,
            vhost,
            many: false,
            ages: Ages::default(),
            read: BTreeSet::new(),
            bound: BTreeMap::new(),
            bound_at: None,
            no_nodes: None,
        })
    }

    /// Looks once.
    pub(super) async fn sample(&mut self) -> Result<QueueSample, PollError> {
        let (listed, broker) = tokio::join!(self.listed(), self.broker());
        let ((at, page), mut missing) = (listed?, Vec::new());
        let broker = match broker {
            Ok(broker) => {
                self.no_nodes = None;
                Some(broker)
            }
            Err(error) => {
                missing.push(Missing::new("nodes and their alarms", &error.to_string()));
                self.no_nodes.get_or_insert((Instant::now(), error));
                None
            }
        };
        self.many = page.filtered_count > page.items.len() as u64;
        let left_out = page.filtered_count.saturating_sub(page.items.len() as u64);
        let rows = page.items;
        self.read.extend(rows.iter().filter(|row| row.consumers > Some(0)).map(QueueRow::place));
        let signs: BTreeMap<_, _> =
            rows.iter().map(|row| (row.place(), row.signs(self.read.contains(&row.place())))).collect();
        let exchanges = signs.iter().filter_map(|((vhost, _), signs)| {
            let exchange = signs.dead_exchange.clone().filter(|name| !name.is_empty())?;
            Some((vhost.clone(), exchange))
        });
        self.ask_bindings(exchanges.collect()).await;
        let told = roles(&signs, &self.bound);
        let mut sample = QueueSample { broker, missing, ..QueueSample::default() };
        sample.left_out = u32::try_from(left_out).unwrap_or(u32::MAX);
        self.ages.begin();
        self.rows(&rows, &told, at, &mut sample);
        Ok(sample)
    }

    async fn listed(&self) -> Result<(Option<Timestamp>, Page<QueueRow>), PollError> {
        let page = if self.many { &self.fullest } else { &self.queues };
        let answer = self.get(page).await?;
        let rows = answer::read(&answer.text).map_err(|why| page.error(PollErrorKind::Garbage, &why))?;
        Ok((answer.at, rows))
    }

    async fn broker(&self) -> Result<Broker, PollError> {
        if let Some((said, error)) = &self.no_nodes
            && error.kind == PollErrorKind::Rights
            && said.elapsed() < SELDOM
        {
            // It writes every refusal into its log.
            return Err(error.clone());
        }
        let garbage = |why: String| self.nodes.error(PollErrorKind::Garbage, &why);
        let mut broker = answer::nodes(&self.get(&self.nodes).await?.text).map_err(garbage)?;
        if broker.nodes.iter().any(|node| node.memory_alarm || node.disk_alarm) {
            let page = self.api.connections().map_err(garbage)?;
            let held = answer::blocked(&self.get(&page).await?.text).map_err(garbage)?;
            (broker.blocked, broker.blocked_users) = (Some(held.0), held.1);
        }
        Ok(broker)
    }

    async fn get(&self, page: &WebPage) -> Result<Answered, PollError> {
        self.api.body(page, page.ask().await?)
    }

    /// Asks now and then where dead-letter exchanges lead.
    async fn ask_bindings(&mut self, exchanges: BTreeSet<Place>) {
        let known = exchanges.iter().all(|exchange| self.bound.contains_key(exchange));
        let recent = self.bound_at.is_some_and(|at| at.elapsed() < SELDOM);
        if exchanges.is_empty() || (recent && (known || self.bound.len() >= EXCHANGES)) {
            return;
        }
        self.bound_at = Some(Instant::now());
        let mut bound = BTreeMap::new();
        for (vhost, exchange) in exchanges.into_iter().take(EXCHANGES) {
            let Ok(page) = self.api.bindings(&vhost, &exchange) else { continue };
            // An exchange that is not there, or may not be seen, leads nowhere that is known.
            let told = self.get(&page).await.ok().and_then(|it| answer::bound_queues(&it.text).ok());
            bound.insert((vhost, exchange), told.unwrap_or_default());
        }
        self.bound = bound;
    }

    fn rows(
        &mut self,
        rows: &[QueueRow],
        (roles, fed): &(BTreeMap<Place, Role>, BTreeSet<Place>),
        at: Option<Timestamp>,
        sample: &mut QueueSample,
    ) {
        let mut uncounted = 0_u64;
        let mut queues = BTreeMap::new();
        for row in rows {
            let name = self.shown(row);
            let wanted = self.configured.iter().any(|it| *it == name || *it == row.name);
            if !wanted && (!self.configured.is_empty() || row.is_passing() && row.messages_ready == Some(0)) {
                continue;
            }
            if row.kind == "stream" {
                queues.insert(name.clone(), stream(row, &name));
            } else if let Some(ready) = row.messages_ready {
                let place = row.place();
                let role = roles.get(&place).copied().unwrap_or(Role::Work);
                // What comes in as another's dead is not counted as put in.
                let added = row.message_stats.map(|stats| stats.publish).filter(|_| !fed.contains(&place));
                let queue = self.queue(row, &name, ready, added, role, at);
                queues.insert(name, queue);
            } else if let Some(why) = row.unusable() {
                let unusable = Some(SafeText::new(why));
                let oldest = QueueAge::Unknown(SafeText::new(why));
                let queue = Queue { name: SafeText::new(&name), oldest, unusable, ..Queue::default() };
                queues.insert(name, queue);
            } else {
                uncounted += 1;
            }
        }
        let mut lacks = |what: String, why: &str| sample.missing.push(Missing::new(&what, why));
        for name in &self.configured {
            if !rows.iter().any(|row| row.name == *name || self.shown(row) == *name) {
                lacks(format!("queue {name}"), "there is none of that name, or it may not be seen");
            }
        }
        sample.queues = self.configured.iter().filter_map(|name| queues.remove(name)).collect();
        sample.queues.extend(queues.into_values());
        if uncounted > 0 {
            let why = "not counted yet, or management_agent.disable_metrics_collector is on";
            lacks(format!("{uncounted} queues"), why);
        }
        if rows.is_empty() {
            let user = &self.api.user;
            let why = format!(
                "it tells of none: there is none yet, or {user} may not enter their virtual host; \
                 mend: rabbitmqctl set_permissions -p / {user} '^$' '^$' '^$'"
            );
            lacks("queues".into(), &why);
        }
    }

    /// What a queue is called: with its virtual host unless that is the usual or the only one.
    fn shown(&self, row: &QueueRow) -> String {
        if row.vhost == "/" || self.vhost.is_some() {
            row.name.clone()
        } else {
            format!("{}/{}", row.vhost, row.name)
        }
    }

    fn queue(
        &mut self,
        row: &QueueRow,
        name: &str,
        ready: u64,
        added: Option<u64>,
        role: Role,
        at: Option<Timestamp>,
    ) -> Queue {
        let stats = row.message_stats;
        let mut queue = Queue {
            name: SafeText::new(name),
            in_flight: row.messages_unacknowledged,
            added,
            processed: stats.map(|stats| stats.ack + stats.deliver_no_ack + stats.get_no_ack),
            redelivered: stats.map(|stats| stats.redeliver),
            unusable: row.unusable().map(SafeText::new),
            ..Queue::default()
        };
        match role {
            Role::Dead => queue.dead = Some(ready),
            Role::Delay => queue.scheduled = Some(ready),
            Role::Work => {
                queue.depth = ready;
                queue.workers = row.consumers;
                queue.oldest = self.oldest(row, name, ready, added, at);
            }
        }
        queue
    }

    fn oldest(
        &mut self,
        row: &QueueRow,
        name: &str,
        ready: u64,
        added: Option<u64>,
        at: Option<Timestamp>,
    ) -> QueueAge {
        let counted = self.ages.at_least(name, Instant::now(), added, ready);
        if ready == 0 {
            return QueueAge::Empty;
        }
        let since = |then: Timestamp| at.map(|now| now.seconds_since(then).max(0.0));
        if let Some(age) = row.head_made().map(Timestamp::from_micros).and_then(since) {
            return QueueAge::Exact(age);
        }
        // Nothing came and nothing went since then.
        let idle = row.idle_since.as_str().and_then(|text| text.parse().ok()).and_then(since);
        QueueAge::AtLeast(counted.max(idle.unwrap_or(0.0)))
    }
}

/// A stream: what was put in, who reads it and what they were handed. What it keeps does not wait.
fn stream(row: &QueueRow, name: &str) -> Queue {
    let stats = row.message_stats;
    Queue {
        name: SafeText::new(name),
        oldest: QueueAge::Unknown(
            "a stream keeps what was read, and how far its readers are is not told".into(),
        ),
        in_flight: row.messages_unacknowledged,
        added: stats.map(|stats| stats.publish),
        processed: stats.map(|stats| stats.ack + stats.deliver_no_ack),
        workers: row.consumers,
        unusable: row.unusable().map(SafeText::new),
        ..Queue::default()
    }
}

impl Source for RabbitMq {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Queue)
    }
}
