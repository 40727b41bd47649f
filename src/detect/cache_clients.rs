//! Rules of those who ask a cache: `cache_clients` (connections, in shares of those it takes), `output_buffers`
//! (answers that nobody fetches) and `monitor` (somebody who is sent every command). Each names who it is.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, count, many, span};
use crate::model::{
    CacheClients, CacheSample, ClientRole, Culprit, HeavyClient, Remedy, Resource, SafeText, Severity,
    TargetId,
};
use crate::store::CacheRates;

/// New connections a second, and their share of the commands, from which somebody connects for each request.
const CHURN: (f64, f64) = (50.0, 0.05);
/// Bytes of answers that wait for one client: where the server's own limit for subscribers begins to count.
const PILED: u64 = 8 << 20;
/// Share of the memory a cache may use, from which such answers take the place of what it is there for.
const CROWDS: f64 = 0.10;

/// How every cache stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .caches(view.now)
        .flat_map(|(target, sample)| {
            let (id, window) = (&target.info.id, target.cache_window());
            // The masters of a cluster tell for themselves what belongs to one server.
            let is_one = sample.cluster.as_ref().is_none_or(|it| it.shards.is_empty());
            [
                connections(view, id, sample, window),
                is_one.then(|| output(id, sample, window)),
                is_one.then(|| monitor(id, sample)),
            ]
        })
        .flatten()
        .collect()
}

/// Connections in use, turned away, and made for a single request.
fn connections(
    view: &View<'_>,
    id: &TargetId,
    sample: &CacheSample,
    window: Option<&CacheRates>,
) -> Option<Assessment> {
    let it = Assessment::new("cache_clients", Resource::CacheService, id.clone());
    let churn = window.and_then(|window| churn(sample, window));
    let Some(most) = sample.max_clients.filter(|most| *most > 0) else {
        return churn.map(|churn| churn.told(it));
    };
    let used = sample.clients as f64 / most as f64;
    let rejected = window.and_then(|window| window.rejected).filter(|rejected| *rejected > 0);
    let it = it
        .measured(used, view.limits(Resource::CacheService, id))
        .level()
        .used(Some(used), None, rejected)
        .hold(Duration::from_secs(2));
    let held = format!("{} of {} connections in use", count(sample.clients), count(most));
    let turned =
        rejected.map(|n| format!(", {} turned away in the last seconds", count(n))).unwrap_or_default();
    if rejected.is_none() && it.kept == Severity::Ok {
        return Some(match churn {
            Some(churn) => churn.told(it),
            None => it.says(held),
        });
    }
    let it = if rejected.is_some() { it.at_least(Severity::Critical) } else { it };
    let group = sample.client_list.as_ref().and_then(|list| list.groups.first());
    let Some(group) = group else {
        let mend = "end idle clients (CLIENT LIST names them by idle) or raise maxclients";
        return Some(it.says(format!("{held}{turned}")).remedy(Remedy::advice(mend)));
    };
    let idle = match group.idle {
        0 => String::new(),
        idle => format!(", {} of them idle for over a minute", count(idle)),
    };
    let says = format!("{held}{turned}: {} holds {}{idle}", group.who, count(group.connections));
    let mend = if group.idle * 2 >= group.connections {
        format!(
            "let {} give idle connections back (a smaller pool, or the server's timeout), or raise maxclients",
            group.who
        )
    } else {
        format!("bound the pool of {}, or raise maxclients", group.who)
    };
    Some(it.says(says).culprit(sessions(&group.who, group.connections)).remedy(Remedy::advice(mend)))
}

/// Somebody who connects for each request.
struct Churn {
    says: String,
    who: Option<(SafeText, u64)>,
}

fn churn(sample: &CacheSample, window: &CacheRates) -> Option<Churn> {
    let (made, commands) = window.connections.zip(window.commands)?;
    if made < CHURN.0 || made < commands * CHURN.1 {
        return None;
    }
    let rates = format!("{made:.0} new connections/s for {commands:.0} commands/s");
    let list = sample.client_list.as_ref();
    let seen: u64 = list.map_or(0, |list| list.fresh.iter().map(|it| it.seen).sum());
    let Some(most) = list.and_then(|list| list.fresh.first()) else {
        let says = match list {
            Some(CacheClients { .. }) => {
                format!(
                    "{rates}: somebody connects for each request, for too short to be seen among the clients"
                )
            }
            None => format!("{rates}: somebody connects for each request"),
        };
        return Some(Churn { says, who: None });
    };
    let part = if most.seen == seen { "all" } else { "most" };
    // Few sights of many programs say nothing about one of them.
    let (says, who) = if most.seen * 2 >= seen {
        let says = format!("{rates}: {} connects for each request ({part} of {seen} seen)", most.who);
        (says, Some((most.who.clone(), most.seen)))
    } else {
        (format!("{rates}: several connect for each request, {} most often", most.who), None)
    };
    Some(Churn { says, who })
}

impl Churn {
    fn told(self, it: Assessment) -> Assessment {
        let it = it.at_least(Severity::Warning).hold(Duration::from_secs(10)).says(self.says);
        let mend = "keep connections open in the application: a pool, or persistent connections";
        let it = it.remedy(Remedy::advice(mend));
        match self.who {
            Some((who, seen)) => it.culprit(sessions(&who, seen)),
            None => it,
        }
    }
}

fn sessions(who: &SafeText, number: u64) -> Culprit {
    Culprit::Sessions { name: who.clone(), count: u32::try_from(number).unwrap_or(u32::MAX) }
}

/// Answers that pile up because their client does not fetch them.
fn output(id: &TargetId, sample: &CacheSample, window: Option<&CacheRates>) -> Assessment {
    let it =
        Assessment::new("output_buffers", Resource::CacheMemory, id.clone()).hold(Duration::from_secs(3));
    let heavy = sample.client_list.as_ref().and_then(|list| list.heavy.iter().max_by_key(|it| it.bytes));
    let waiting = heavy.map(|it| it.bytes).or(sample.output_buffer).unwrap_or(0);
    let dropped = window.and_then(|window| window.output_drops).filter(|dropped| *dropped > 0);
    let room = sample.max_memory.or(sample.system_memory).filter(|room| *room > 0);
    let share = room.map(|room| waiting as f64 / room as f64);
    if waiting < PILED && dropped.is_none() {
        return it.says(match waiting {
            0 => "every answer is fetched at once".to_owned(),
            _ => format!("{} wait for a client at most", bytes(waiting as f64)),
        });
    }
    let severity =
        if share.is_some_and(|share| share >= CROWDS) { Severity::Critical } else { Severity::Warning };
    let it = it.at_least(severity);
    let Some(client) = heavy.filter(|it| it.bytes >= PILED) else {
        let says = match dropped {
            Some(dropped) => format!(
                "{} dropped in the last seconds because their answers piled up",
                many(dropped, "client was", "clients were")
            ),
            None => format!("{} of answers wait for one client", bytes(waiting as f64)),
        };
        return it.says(says).remedy(Remedy::advice("look for a subscriber or a replica that is too slow"));
    };
    let of = share
        .filter(|share| *share >= 0.01)
        .map(|share| format!(", {:.0} % of the memory it has", share * 100.0));
    let says = format!(
        "{} of answers wait for {} ({}){}",
        bytes(client.bytes as f64),
        client.who,
        client.role_in_words(),
        of.unwrap_or_default()
    );
    let mend = match client.role {
        ClientRole::Monitor => "end that MONITOR",
        ClientRole::Subscriber => {
            "make the subscriber faster or end it; client-output-buffer-limit pubsub bounds it"
        }
        ClientRole::Replica => "see what holds the replica up; client-output-buffer-limit replica bounds it",
        ClientRole::Normal => {
            "find what it asks for: it fetches more than it can read; SCAN or ranges bound an answer"
        }
    };
    it.says(says)
        .culprit(Culprit::Command { name: client.command.clone(), client: client.who.clone() })
        .remedy(Remedy::advice(mend))
}

/// A MONITOR that somebody left open: the server writes every command of everybody to it.
fn monitor(id: &TargetId, sample: &CacheSample) -> Assessment {
    let it = Assessment::new("monitor", Resource::CacheLatency, id.clone());
    let listens = |it: &&HeavyClient| it.role == ClientRole::Monitor;
    let Some(client) = sample.client_list.as_ref().and_then(|list| list.heavy.iter().find(listens)) else {
        return it.says("nobody monitors it");
    };
    it.at_least(Severity::Warning)
        .hold(Duration::from_secs(5))
        .says(format!("{} runs MONITOR for {}: each command costs more", client.who, span(client.age as f64)))
        .culprit(Culprit::Command { name: client.command.clone(), client: client.who.clone() })
        .remedy(Remedy::advice("end that MONITOR: it costs up to half of what the server can do"))
}
