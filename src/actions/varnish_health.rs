//! Whether Varnish sends requests to one of its backends: set sick, set healthy, or left to its probe again.

use std::time::Duration;

use super::action::BriefAction;
use super::plan_id;
use super::refusals::{answer, changed, meant_for, unknown, unseen};
use crate::config::TargetSpec;
use crate::dial::{VarnishBackend, VarnishDial};
use crate::journal::Intended;
use crate::model::{
    Confirm, Intent, Outcome, OutcomeKind, Plan, PlanLine, Refusal, SafeText, ServerChange, StepResult,
    TargetId, Timestamp,
};

/// What can be done to the backends of one Varnish.
pub struct VarnishActions {
    target: TargetId,
    dial: VarnishDial,
    patience: Duration,
}

/// What is wanted of which backend.
#[derive(Clone, Copy)]
struct Wish<'i> {
    group: &'i str,
    server: &'i str,
    to: ServerChange,
}

/// A fresh look at all backends of the active program.
struct Look(Vec<VarnishBackend>, Timestamp);

impl Look {
    fn find(&self, name: &str) -> Option<&VarnishBackend> {
        self.0.iter().find(|it| it.name == name)
    }

    /// Others that requests may go to.
    fn healthy_beside(&self, name: &str) -> usize {
        self.0.iter().filter(|it| it.name != name && it.healthy).count()
    }

    /// Changes when the program, the backend's health or the number of those that are left does.
    fn identity(&self, one: &VarnishBackend) -> String {
        format!("{}.{} {} {} {}", one.vcl, one.name, one.admin, one.healthy, self.healthy_beside(&one.name))
    }
}

impl VarnishActions {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// The target's settings lead to no Varnish; a sentence.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { target: spec.id.clone(), dial: VarnishDial::new(spec)?, patience: spec.timeout })
    }

    async fn ask(&self, words: &[&str]) -> Result<String, Refusal> {
        answer(self.patience, self.dial.ask(words)).await
    }

    async fn look(&self) -> Result<Look, Refusal> {
        let answer = self.ask(&["backend.list", "-j"]).await?;
        let list = VarnishBackend::list(&answer);
        list.map(|list| Look(list, VarnishBackend::told_at(&answer)))
            .ok_or_else(|| Refusal::failed("backend.list does not answer in JSON: Varnish before 6.2"))
    }

    fn wish<'i>(&self, intent: &'i Intent) -> Result<Wish<'i>, Refusal> {
        let Intent::SetServer { target: _, backend, server, to } = intent else {
            return Err(Refusal::refused(&format!("a Varnish cannot {}", intent.name())));
        };
        meant_for(intent, &self.target)?;
        if !legal(server) {
            return Err(Refusal::refused("that is no name a VCL gives to a backend"));
        }
        word(*to)?;
        Ok(Wish { group: backend, server, to: *to })
    }

    fn plan_of(&self, intent: &Intent, wish: Wish<'_>, look: &Look, one: &VarnishBackend) -> Plan {
        let Wish { group, server, to } = wish;
        let all = look.0.len();
        let left = look.healthy_beside(server);
        let takers = left + usize::from(to != ServerChange::Drain);
        let back = Intent::SetServer {
            target: self.target.clone(),
            backend: group.to_owned(),
            server: server.to_owned(),
            to: back(one),
        };
        let lines = vec![
            PlanLine::new("backend", &format!("{server} of the program {}", one.vcl)),
            PlanLine::new("state", &state(one)),
            PlanLine::new("then", then(to)),
            PlanLine::new("left", &format!("{takers} of {all} backends take requests")),
            PlanLine::new("lasts", "until another program is loaded"),
            PlanLine::new("undo", &back.command_line()),
        ];
        let last = to == ServerChange::Drain && one.healthy && left == 0;
        let mut warnings = Vec::new();
        if last {
            warnings.push(SafeText::new(
                "it is the last healthy backend: what is not in memory, or too old, is answered with 503",
            ));
        } else if to == ServerChange::Drain && left == 1 && all > 2 {
            warnings.push(SafeText::new("one backend alone is left: it gets the whole load"));
        }
        if to == ServerChange::Healthy {
            warnings.push(SafeText::new("its probe is not heeded until it is left to it again (--ready)"));
        }
        let (title, verb) = match to {
            ServerChange::Drain => ("Set sick", "set it sick"),
            ServerChange::Healthy => ("Set healthy", "set it healthy"),
            _ => ("Leave to its probe", "leave it to its probe"),
        };
        Plan {
            id: plan_id(look.1),
            intent: intent.clone(),
            read_at: look.1,
            title: SafeText::new(&format!("{title}: {server} on {}", self.target)),
            lines,
            warnings,
            gentler: None,
            verb: SafeText::new(verb),
            confirm: if last { Confirm::Name(server.to_owned()) } else { Confirm::Key },
            touches: 1,
            frees: None,
            identity: look.identity(one),
        }
    }

    /// Looks at what came of it.
    async fn verified(&self, plan: &Plan, wish: Wish<'_>, before: &str) -> Result<Outcome, Refusal> {
        let look = self.look().await.map_err(|refusal| unseen(&refusal))?;
        let (kind, says, step) = match look.find(wish.server) {
            Some(one) if is(one, wish.to) => {
                let takers = look.0.iter().filter(|it| it.healthy).count();
                let says = format!(
                    "{} was {before}, is {}; {takers} of {} backends take requests",
                    one.name,
                    one.told(),
                    look.0.len()
                );
                (OutcomeKind::Done, says, StepResult::Done(SafeText::new(&one.told())))
            }
            Some(one) => {
                let says = format!("told so, but {} is still {}", one.name, one.told());
                (OutcomeKind::Failed, says, StepResult::Failed(SafeText::new(&one.told())))
            }
            None => {
                let gone = SafeText::new("it is no longer there");
                let says = "sent, but the backend is gone".to_owned();
                (OutcomeKind::Failed, says, StepResult::AlreadyGone(gone))
            }
        };
        Ok(Outcome { steps: vec![step], ..Outcome::new(plan.id.clone(), kind, &says) })
    }
}

/// A name as a VCL allows it: none can be taken for a pattern, which the command takes as well.
fn legal(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.()".contains(c))
}

/// Varnish's word for it.
fn word(to: ServerChange) -> Result<&'static str, Refusal> {
    match to {
        ServerChange::Ready => Ok("auto"),
        ServerChange::Drain => Ok("sick"),
        ServerChange::Healthy => Ok("healthy"),
        ServerChange::Maintenance => {
            Err(Refusal::refused("Varnish knows no maintenance: --drain sets a backend sick"))
        }
        ServerChange::Weight(_) => Err(Refusal::refused(
            "the weights of a Varnish stand in its VCL and are not changed while it runs",
        )),
    }
}

/// Whether it is already as wanted. Without a probe, left alone and set healthy are the same.
fn is(one: &VarnishBackend, to: ServerChange) -> bool {
    match to {
        ServerChange::Drain => one.admin == "sick",
        ServerChange::Healthy => one.admin == "healthy",
        _ => !one.is_set(),
    }
}

fn already(one: &VarnishBackend) -> Refusal {
    Refusal::nothing_to_do(&format!("{} is {} already", one.name, one.told()))
}

/// What brings it back to where it is.
fn back(one: &VarnishBackend) -> ServerChange {
    match one.admin.as_str() {
        "sick" => ServerChange::Drain,
        "healthy" if one.is_set() => ServerChange::Healthy,
        _ => ServerChange::Ready,
    }
}

fn state(one: &VarnishBackend) -> String {
    match one.probes {
        (_, 0) => one.told(),
        (good, window) => format!("{}; {good} of its last {window} probes were good", one.told()),
    }
}

const fn then(to: ServerChange) -> &'static str {
    match to {
        ServerChange::Drain => "nothing more is fetched from it; what runs may finish; its probe goes on",
        ServerChange::Healthy => "it is fetched from, whatever its probe says",
        _ => "its probe decides again; without one it is fetched from",
    }
}

impl BriefAction for VarnishActions {
    async fn planned(&self, intent: &Intent) -> Result<Plan, Refusal> {
        let wish = self.wish(intent)?;
        let look = self.look().await?;
        let Some(one) = look.find(wish.server) else {
            return Err(Refusal::refused(&format!("{} has no backend {:?}", self.target, wish.server)));
        };
        if is(one, wish.to) {
            return Err(already(one));
        }
        Ok(self.plan_of(intent, wish, &look, one))
    }

    async fn carried_out(&self, intended: &Intended) -> Result<Outcome, Refusal> {
        let plan = intended.plan();
        let wish = self.wish(&plan.intent)?;
        // Looked at anew: whoever else acted meanwhile, or a probe that failed, changes what may be done.
        let look = self.look().await?;
        let Some(one) = look.find(wish.server) else {
            return Err(Refusal::refused("the backend is gone: nothing was done"));
        };
        if is(one, wish.to) {
            return Err(already(one));
        }
        if look.identity(one) != plan.identity {
            return Err(changed());
        }
        let name = format!("{}.{}", one.vcl, one.name);
        let sent = self.ask(&["backend.set_health", &name, word(wish.to)?]).await;
        sent.map_err(|refusal| unknown(&refusal))?;
        self.verified(plan, wish, &one.told()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_be_a_pattern_or_an_option() {
        for bad in ["", "*", "web*", "-j", "a b", "we?", "a\"b", "a\\n", "[a]"] {
            assert!(!legal(bad), "{bad:?} was taken");
        }
        assert!(legal("web-1_a") && legal("goto.00000000.(1.2.3.4)"));
    }
}
