//! From assessments to the verdict.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::cause::Causes;
use super::steady::Steady;
use super::{Assessment, DETECTORS, Detector, View};
use crate::config::Thresholds;
use crate::model::{Finding, Resource, ResourceState, Severity, TargetId, Timestamp, Verdict};
use crate::store::{Metric, Store, TargetState};

/// What is concluded at one moment.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The first finding, or that all is well.
    pub verdict: Verdict,
    /// Root cause first; each symptom names its cause.
    pub findings: Vec<Finding>,
    /// Every resource of every target, in the product's order.
    pub resources: Vec<ResourceState>,
}

impl Default for Judgement {
    fn default() -> Self {
        Self { verdict: verdict(&[], false), findings: Vec::new(), resources: Vec::new() }
    }
}

impl Judgement {
    /// The state of a resource on a target or row.
    pub fn resource(&self, resource: Resource, target: &TargetId) -> Option<&ResourceState> {
        let order =
            |state: &ResourceState| state.resource.cmp(&resource).then_with(|| state.target.cmp(target));
        self.resources.binary_search_by(order).ok().and_then(|at| self.resources.get(at))
    }

    /// Puts incidents whose cause is `known` behind others that are as bad: what is being dealt with does
    /// not hide what came after it.
    pub fn set_aside(&mut self, known: impl Fn(&Finding) -> bool) {
        let mut incidents: Vec<Vec<Finding>> = Vec::new();
        for finding in std::mem::take(&mut self.findings) {
            match incidents.last_mut().filter(|_| finding.caused_by.is_some()) {
                Some(incident) => incident.push(finding),
                None => incidents.push(vec![finding]),
            }
        }
        incidents.sort_by_key(|all| all.first().map(|first| (Reverse(first.severity), known(first))));
        self.findings = incidents.concat();
        if !self.findings.is_empty() {
            self.verdict = verdict(&self.findings, true);
        }
    }

    /// The worst severity of a resource anywhere.
    pub fn worst(&self, resources: &[Resource]) -> Severity {
        self.resources
            .iter()
            .filter(|state| resources.contains(&state.resource))
            .map(|state| state.severity)
            .max()
            .unwrap_or_default()
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// A severity that changed: what is announced and listed among the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// Before.
    pub from: Severity,
    /// The finding as it is now; for an all-clear, as it was last, with severity `Ok`.
    pub finding: Finding,
}

/// Runs the rules and remembers what it said.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    general: Thresholds,
    own: BTreeMap<TargetId, Thresholds>,
    steady: Steady,
    causes: Causes,
    last: BTreeMap<String, Finding>,
}

impl Judge {
    /// A judge with these limits: general, and by target.
    pub fn new(general: Thresholds, own: impl IntoIterator<Item = (TargetId, Thresholds)>) -> Self {
        Self { general, own: own.into_iter().collect(), ..Self::default() }
    }

    /// A judge for a few looks: what each look reads whole, such as a fill, counts without a hold time.
    #[must_use]
    pub fn brief(self) -> Self {
        Self { steady: Steady::brief(), ..self }
    }

    /// A judge with the same limits that remembers nothing.
    #[must_use]
    pub fn begun_anew(&self) -> Self {
        Self::new(self.general.clone(), self.own.clone())
    }

    /// Judges what is known at `now` by every rule, and charts what was measured.
    pub fn judge(&mut self, store: &mut Store, now: Timestamp) -> (Judgement, Vec<Transition>) {
        self.judge_by(DETECTORS, store, now)
    }

    /// As [`Self::judge`], by these rules only.
    pub fn judge_by(
        &mut self,
        rules: &[Detector],
        store: &mut Store,
        now: Timestamp,
    ) -> (Judgement, Vec<Transition>) {
        let limits = |resource: Resource, target: &TargetId| {
            let own = self.own.get(target).or_else(|| self.own.get(&target.target()));
            super::assessment::look_up(&self.general, own, resource)
        };
        let view = View { store, limits: &limits, now };
        let assessments: Vec<_> = rules.iter().flat_map(|rule| rule(&view)).collect();
        chart(store, &assessments);

        let mut findings = Vec::new();
        let mut resources = BTreeMap::new();
        let mut easing = BTreeSet::new();
        for it in assessments {
            let (severity, since) = self.steady.settle(&it, now);
            add_state(&mut resources, &it, severity);
            if severity > it.kept {
                easing.insert(format!("{} {}@{}", it.rule, it.resource, it.target));
            }
            if severity > Severity::Ok {
                findings.push(Finding {
                    rule: it.rule.to_owned(),
                    resource: it.resource,
                    target: it.target,
                    severity,
                    since,
                    // Already below its limits, but not for long enough to be called over.
                    says: if severity > it.kept { format!("easing off: {}", it.says) } else { it.says },
                    culprit: it.culprit,
                    remedy: it.remedy,
                    caused_by: None,
                });
            }
        }
        self.steady.forget(now);
        self.causes.tie(&mut findings, now, &|id| super::machine::home(store, id));
        // What mends itself needs no advice.
        for finding in findings.iter_mut().filter(|it| !easing.contains(&key(it))) {
            super::advice::advise(finding, store);
        }
        let mut resources: Vec<_> = resources.into_values().collect();
        raise(&mut resources, &findings);
        let transitions = self.transitions(&findings, &easing, store, now);
        let heard = store.targets().iter().any(|target| target.heard.is_some());
        (Judgement { verdict: verdict(&findings, heard), findings, resources }, transitions)
    }

    fn transitions(
        &mut self,
        findings: &[Finding],
        easing: &BTreeSet<String>,
        store: &Store,
        now: Timestamp,
    ) -> Vec<Transition> {
        let mut out = Vec::new();
        let mut current = BTreeMap::new();
        for finding in findings {
            let from = self.last.get(&key(finding)).map_or(Severity::Ok, |before| before.severity);
            // What eases off is not news because something else, newly put down to it, is worse.
            let borrowed = from < finding.severity && easing.contains(&key(finding));
            if from != finding.severity && !borrowed {
                out.push(Transition { at: now, from, finding: finding.clone() });
            }
            current.insert(key(finding), finding.clone());
        }
        for (gone, before) in &self.last {
            if !current.contains_key(gone) {
                let from = before.severity;
                let mut finding = Finding { severity: Severity::Ok, ..before.clone() };
                // Who is not heard of has not got well.
                if store.target(&before.target.target()).is_some_and(|it| it.state(now) != TargetState::Up) {
                    finding.severity = Severity::Unknown;
                    finding.says = "not known any more: it went silent".into();
                }
                if from != finding.severity {
                    out.push(Transition { at: now, from, finding });
                }
            }
        }
        self.last = current;
        out
    }
}

/// What the memory of findings calls one.
fn key(finding: &Finding) -> String {
    format!("{} {}", finding.rule, finding.reference())
}

/// Several rules may speak of one resource: the worst of them speaks for it.
fn add_state(
    resources: &mut BTreeMap<(Resource, TargetId), ResourceState>,
    it: &Assessment,
    severity: Severity,
) {
    let state = ResourceState {
        resource: it.resource,
        target: it.target.clone(),
        severity,
        utilisation: it.utilisation,
        saturation: it.saturation,
        errors: it.errors,
        logged: it.logged,
        says: it.says.clone(),
    };
    match resources.entry((it.resource, it.target.clone())) {
        Entry::Occupied(mut known) => {
            let known = known.get_mut();
            let (worse, other) =
                if state.severity > known.severity { (state, known.clone()) } else { (known.clone(), state) };
            *known = ResourceState {
                utilisation: worse.utilisation.or(other.utilisation),
                saturation: worse.saturation.or(other.saturation),
                errors: worse.errors.or(other.errors),
                logged: worse.logged.or(other.logged),
                ..worse
            };
        }
        Entry::Vacant(place) => {
            place.insert(state);
        }
    }
}

/// A cause is as bad as the worst that it causes; its resource says the same.
fn raise(resources: &mut [ResourceState], findings: &[Finding]) {
    for finding in findings {
        let order = |state: &ResourceState| {
            state.resource.cmp(&finding.resource).then_with(|| state.target.cmp(&finding.target))
        };
        let own = resources.binary_search_by(order).ok().and_then(|at| resources.get_mut(at));
        if let Some(state) = own.filter(|state| state.severity < finding.severity) {
            state.severity = finding.severity;
            state.says.clone_from(&finding.says);
        }
    }
}

fn chart(store: &mut Store, assessments: &[Assessment]) {
    for it in assessments {
        let Some(at) = store.target(&it.target).and_then(|target| target.heard) else { continue };
        if it.value.is_some() {
            store.chart(&it.target, Metric::Resource(it.resource), at, it.value);
        }
    }
}

fn verdict(findings: &[Finding], heard: bool) -> Verdict {
    match findings.first() {
        Some(first) => Verdict {
            severity: first.severity,
            resource: Some(first.resource),
            target: Some(first.target.clone()),
            says: first.says.clone(),
            culprit: first.culprit.clone(),
            remedy: first.remedy.clone(),
        },
        None => Verdict {
            severity: if heard { Severity::Ok } else { Severity::Unknown },
            resource: None,
            target: None,
            says: if heard {
                "nothing is under pressure".into()
            } else {
                "no target has answered yet".into()
            },
            culprit: None,
            remedy: None,
        },
    }
}
