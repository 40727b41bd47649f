//! How much one server behind a HAProxy gets: drained, taken out, brought back, weighed. Over the runtime
//! socket, on one connection a command.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::action::BriefAction;
use super::plan_id;
use super::refusals::{answer, changed, meant_for, unknown, unseen};
use super::server_look::{Look, Standing};
use crate::config::TargetSpec;
use crate::dial::HaproxyDoor;
use crate::journal::Intended;
use crate::model::{
    Confirm, Gentler, Intent, Outcome, OutcomeKind, Plan, PlanLine, Refusal, SafeText, ServerChange,
    StepResult, TargetId,
};

/// What is wanted of which server.
#[derive(Clone, Copy)]
struct Wish<'i> {
    backend: &'i str,
    server: &'i str,
    to: ServerChange,
}

/// How long the change is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What can be done to the servers of one HAProxy.
pub struct HaproxyActions {
    target: TargetId,
    door: Option<HaproxyDoor>,
    patience: Duration,
}

impl HaproxyActions {
    /// Connects at the first plan. A url that leads to no runtime socket makes every plan a refusal.
    #[must_use]
    pub fn new(spec: &TargetSpec) -> Self {
        let door = spec.url.as_ref().and_then(|url| HaproxyDoor::of_url(url.expose()));
        Self { target: spec.id.clone(), door, patience: spec.timeout }
    }

    async fn ask(&self, commands: &str) -> Result<String, Refusal> {
        let door = self.door.as_ref().ok_or_else(|| {
            Refusal::refused(
                "the statistics page can only be read: give the target the url of a runtime socket of level \
                 admin (unix:/run/haproxy/admin.sock or tcp://host:port)",
            )
        })?;
        answer(self.patience, door.ask(commands)).await
    }

    /// A fresh look at one backend; a refusal where the socket's level permits no change.
    async fn look(&self, backend: &str) -> Result<Look, Refusal> {
        let level = self.ask("show cli level").await?;
        // Before 1.9 nobody can ask; the command itself is then refused where it is not permitted.
        let untold = level.trim_start().starts_with("Unknown command");
        let level = SafeText::new(level.trim());
        if !untold && level.as_str() != "admin" {
            return Err(Refusal::refused(&format!(
                "the socket's level is {level}, which permits no change: set `level admin` on its `stats socket` line"
            )));
        }
        let answer = self.ask("show info;show stat").await?;
        Look::read(&answer, backend)
            .ok_or_else(|| Refusal::refused(&format!("{} has no backend {backend:?}", self.target)))
    }

    /// What an intent wants, if it is meant for this proxy and can be said to it.
    fn wish<'i>(&self, intent: &'i Intent) -> Result<Wish<'i>, Refusal> {
        let Intent::SetServer { target: _, backend, server, to } = intent else {
            return Err(Refusal::refused(&format!("a HAProxy cannot {}", intent.name())));
        };
        meant_for(intent, &self.target)?;
        if !(legal(backend) && legal(server)) {
            return Err(Refusal::refused("that is no name HAProxy gives to a backend or a server"));
        }
        if *to == ServerChange::Healthy {
            return Err(Refusal::refused(
                "HAProxy's checks are not overruled: bring the server back with --ready",
            ));
        }
        if matches!(to, ServerChange::Weight(weight) if *weight > 256) {
            return Err(Refusal::refused("a weight lies between 0 and 256"));
        }
        Ok(Wish { backend, server, to: *to })
    }

    fn intent(&self, wish: Wish<'_>, to: ServerChange) -> Intent {
        let (backend, server) = (wish.backend.to_owned(), wish.server.to_owned());
        Intent::SetServer { target: self.target.clone(), backend, server, to }
    }

    fn plan_of(&self, wish: Wish<'_>, look: &Look, one: &Standing, left: usize) -> Plan {
        let Wish { backend, server, to } = wish;
        let name = format!("{backend}/{server}");
        let all = look.servers.len();
        let back = self.intent(wish, one.back(to));
        let takers = left + usize::from(!takes_out(to));
        let lines = vec![
            PlanLine::new("server", &format!("{name} at {}", one.address)),
            PlanLine::new("state", &one.told()),
            PlanLine::new("then", then(to)),
            PlanLine::new("left", &format!("{takers} of {all} servers take new requests")),
            PlanLine::new("lasts", "until HAProxy is reloaded, unless it keeps a server-state-file"),
            PlanLine::new("undo", &back.command_line()),
        ];
        let mut warnings = Vec::new();
        if takes_out(to) && one.takes() && left == 1 && all > 2 {
            warnings.push(SafeText::new("one server alone is left: it gets the whole load"));
        }
        if to == ServerChange::Maintenance {
            warnings
                .push(SafeText::new("its health checks stop; those that hold its cookie are sent elsewhere"));
        }
        let verb = match to {
            ServerChange::Ready | ServerChange::Healthy => "bring it back".to_owned(),
            ServerChange::Drain => "drain it".to_owned(),
            ServerChange::Maintenance => "take it out".to_owned(),
            ServerChange::Weight(weight) => format!("give it weight {weight}"),
        };
        Plan {
            id: plan_id(look.at),
            intent: self.intent(wish, to),
            read_at: look.at,
            title: SafeText::new(&format!("{} {name} on {}", heading(to), self.target)),
            lines,
            warnings,
            gentler: (to == ServerChange::Maintenance).then(|| Gentler {
                intent: Some(self.intent(wish, ServerChange::Drain)),
                says: SafeText::new("only drain it: who holds its cookie may still come"),
            }),
            verb: SafeText::new(&verb),
            confirm: if to == ServerChange::Maintenance { Confirm::Name(name) } else { Confirm::Key },
            touches: 1,
            frees: None,
            identity: look.identity(one, left),
        }
    }

    async fn verified(&self, plan: &Plan, wish: Wish<'_>) -> Result<Outcome, Refusal> {
        let Wish { backend, server, to } = wish;
        let began = Instant::now();
        let outcome = |kind, says: &str, step: StepResult| {
            Ok(Outcome { steps: vec![step], ..Outcome::new(plan.id.clone(), kind, says) })
        };
        loop {
            let look = self.look(backend).await.map_err(|refusal| unseen(&refusal))?;
            let Some(one) = look.find(server) else {
                let gone = StepResult::AlreadyGone(SafeText::new("it is no longer there"));
                return outcome(OutcomeKind::Failed, "sent, but the server is gone", gone);
            };
            if one.is(to) {
                let takers = look.servers.iter().filter(|it| it.takes()).count();
                let still = match one.in_flight {
                    0 => String::new(),
                    some if takes_out(to) => format!("; {some} requests still on it"),
                    _ => String::new(),
                };
                let says = format!(
                    "{backend}/{server} is {}{still}; {takers} of {} take new requests",
                    done(to),
                    look.servers.len()
                );
                return outcome(OutcomeKind::Done, &says, StepResult::Done(SafeText::new(&one.status)));
            }
            if began.elapsed() > PATIENCE {
                let says = format!("told so, but {backend}/{server} is still {}", one.told());
                return outcome(OutcomeKind::Failed, &says, StepResult::Failed(SafeText::new(&one.status)));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A name as HAProxy allows it: nothing in it can end a command or begin another.
fn legal(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c))
}

fn command(Wish { backend, server, to }: Wish<'_>) -> String {
    match to {
        ServerChange::Ready | ServerChange::Healthy => format!("set server {backend}/{server} state ready"),
        ServerChange::Drain => format!("set server {backend}/{server} state drain"),
        ServerChange::Maintenance => format!("set server {backend}/{server} state maint"),
        ServerChange::Weight(weight) => format!("set server {backend}/{server} weight {weight}"),
    }
}

const fn takes_out(to: ServerChange) -> bool {
    matches!(to, ServerChange::Drain | ServerChange::Maintenance | ServerChange::Weight(0))
}

fn done(to: ServerChange) -> String {
    match to {
        ServerChange::Ready | ServerChange::Healthy => "back".into(),
        ServerChange::Drain => "drained".into(),
        ServerChange::Maintenance => "taken out".into(),
        ServerChange::Weight(weight) => format!("at weight {weight}"),
    }
}

fn heading(to: ServerChange) -> String {
    match to {
        ServerChange::Ready | ServerChange::Healthy => "Bring back".into(),
        ServerChange::Drain => "Drain".into(),
        ServerChange::Maintenance => "Take out".into(),
        ServerChange::Weight(weight) => format!("Give weight {weight} to"),
    }
}

const fn then(to: ServerChange) -> &'static str {
    match to {
        ServerChange::Ready | ServerChange::Healthy => {
            "it gets its share of new requests again, once its checks succeed"
        }
        ServerChange::Drain => "no new requests, but from those that hold its cookie; checks go on",
        ServerChange::Maintenance => "nothing any more; what runs on it may finish",
        ServerChange::Weight(0) => "no new requests, but from those that hold its cookie",
        ServerChange::Weight(_) => "its share of new requests changes with its weight",
    }
}

impl BriefAction for HaproxyActions {
    async fn planned(&self, intent: &Intent) -> Result<Plan, Refusal> {
        let wish = self.wish(intent)?;
        let Wish { backend, server, to } = wish;
        let look = self.look(backend).await?;
        let one = look.find(server).ok_or_else(|| {
            Refusal::refused(&format!("{backend} has no server {server:?} on {}", self.target))
        })?;
        if one.is(to) {
            return Err(Refusal::nothing_to_do(&format!("{backend}/{server} is {} already", done(to))));
        }
        let left = look.takers_beside(server);
        if takes_out(to) && one.takes() && left == 0 {
            return Err(Refusal::refused(&format!(
                "{server} is the last server of {backend} that takes requests: without it everybody gets 503; \
                 bring another back first"
            )));
        }
        Ok(self.plan_of(wish, &look, one, left))
    }

    async fn carried_out(&self, intended: &Intended) -> Result<Outcome, Refusal> {
        let plan = intended.plan();
        let wish = self.wish(&plan.intent)?;
        // Planned anew: whoever else acted meanwhile, or a server that went down, changes what may be done.
        if self.planned(&plan.intent).await?.identity != plan.identity {
            return Err(changed());
        }
        let says = self.ask(&command(wish)).await.map_err(|refusal| unknown(&refusal))?;
        if !says.trim().is_empty() {
            return Err(Refusal::failed(&format!("HAProxy says: {}", SafeText::new(says.trim()))));
        }
        self.verified(plan, wish).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_carry_a_second_command() {
        for bad in ["", "a b", "a;shutdown sessions server a/b", "a\nb", "a/b"] {
            assert!(!legal(bad), "{bad:?} was taken");
        }
        assert!(legal("web-1.eu:80_a"));
    }
}
