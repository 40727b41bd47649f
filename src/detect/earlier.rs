//! The findings that stand before another, by sort and place, so that a thousand are not held against a thousand.

use std::collections::BTreeMap;

use super::cause::lived_with;
use super::reach::{Reach, Sort, reach};
use crate::model::Finding;

/// Where a finding is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) target: &'a str,
    /// The machine, where it is known.
    pub(super) machine: Option<&'a str>,
}

/// Those of one sort, oldest first.
#[derive(Default)]
struct Group<'a> {
    all: Vec<usize>,
    by_target: BTreeMap<&'a str, Vec<usize>>,
    by_machine: BTreeMap<&'a str, Vec<usize>>,
}

/// What was added so far.
pub(super) struct Earlier<'a> {
    findings: &'a [Finding],
    groups: BTreeMap<Sort, Group<'a>>,
}

impl<'a> Earlier<'a> {
    pub(super) const fn new(findings: &'a [Finding]) -> Self {
        Self { findings, groups: BTreeMap::new() }
    }

    /// Adds the finding at `at`, in order.
    pub(super) fn add(&mut self, at: usize, place: Place<'a>) {
        let group = self.groups.entry(Sort::of(&self.findings[at])).or_default();
        group.all.push(at);
        group.by_target.entry(place.target).or_default().push(at);
        if let Some(machine) = place.machine {
            group.by_machine.entry(machine).or_default().push(at);
        }
    }

    /// Of each sort that can cause this the first that may, one on the same target before others.
    pub(super) fn causes(
        &self,
        symptom: &Finding,
        place: Place<'_>,
        may: &dyn Fn(&Finding) -> bool,
    ) -> Vec<usize> {
        let near = |at: usize| self.findings[at].target.same_target(&symptom.target);
        let first = |list: Option<&Vec<usize>>, fits: &dyn Fn(usize) -> bool| {
            let list = list?;
            let old = list.partition_point(|at| lived_with(self.findings[*at].since, symptom.since));
            list[old..].iter().copied().find(|at| fits(*at) && may(&self.findings[*at]))
        };
        let of = Sort::of(symptom);
        let cause = |(sort, group): (&Sort, &Group<'_>)| {
            let on_target = || group.by_target.get(place.target);
            let on_machine = || group.by_machine.get(place.machine?);
            match reach(*sort, of) {
                Reach::Nowhere => None,
                Reach::SameTarget => first(on_target(), &|_| true),
                Reach::OtherTarget => first(Some(&group.all), &|at| !near(at)),
                Reach::SameTargetAndMachine => first(on_machine(), &near),
                Reach::SameMachine => first(on_machine(), &near).or_else(|| first(on_machine(), &|_| true)),
                Reach::Anywhere => {
                    first(on_target(), &|_| true).or_else(|| first(Some(&group.all), &|_| true))
                }
            }
        };
        self.groups.iter().filter_map(cause).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Resource, Severity, TargetId, Timestamp};

    /// What causes one by every pair, as the table says it.
    fn by_pairs(findings: &[Finding], homes: &[Option<String>], at: usize) -> Vec<usize> {
        let fits = |before: &usize| {
            let (cause, symptom) = (&findings[*before], &findings[at]);
            let near = cause.target.same_target(&symptom.target);
            let together = homes[*before].is_some() && homes[*before] == homes[at];
            let far_enough = match reach(Sort::of(cause), Sort::of(symptom)) {
                Reach::Nowhere => false,
                Reach::SameTarget => near,
                Reach::OtherTarget => !near,
                Reach::SameMachine => together,
                Reach::SameTargetAndMachine => near && together,
                Reach::Anywhere => true,
            };
            far_enough && !lived_with(cause.since, symptom.since)
        };
        (0..at).filter(fits).collect()
    }

    #[test]
    fn every_cause_that_comes_first_is_found_without_looking_at_all() {
        let rules = ["test", "workers_busy", "pool_wait", "no_worker"];
        let mut dice = fastrand::Rng::with_seed(0x9e37_79b9);
        let mut findings: Vec<Finding> = (0..400)
            .map(|_| Finding {
                rule: rules[dice.usize(..rules.len())].into(),
                resource: Resource::ALL[dice.usize(..Resource::ALL.len())],
                target: ["a", "a/x", "a/y", "b", "b/x", "c"][dice.usize(..6)].parse().expect("legal"),
                severity: Severity::Warning,
                since: Timestamp::from_micros(dice.i64(0..2_000) * 1_000_000),
                says: String::new(),
                culprit: None,
                remedy: None,
                caused_by: None,
            })
            .collect();
        findings.sort_by_key(|it| it.since);
        let home = |id: &TargetId| match id.as_str() {
            "a" | "c" => Some("one".to_owned()),
            "a/x" | "b/x" => Some("two".to_owned()),
            _ => None,
        };
        let homes: Vec<Option<String>> = findings.iter().map(|it| home(&it.target)).collect();
        let mut earlier = Earlier::new(&findings);
        let mut found = 0;
        for (at, symptom) in findings.iter().enumerate() {
            let place = Place { target: symptom.target.target_name(), machine: homes[at].as_deref() };
            let best = |all: Vec<usize>| {
                all.into_iter().max_by_key(|before| {
                    let cause = &findings[*before];
                    let near = cause.target.same_target(&symptom.target);
                    (near, Sort::of(cause).depth(), std::cmp::Reverse(*before))
                })
            };
            let quick = best(earlier.causes(symptom, place, &|_| true));
            assert_eq!(quick, best(by_pairs(&findings, &homes, at)), "{symptom:?}");
            found += usize::from(quick.is_some());
            earlier.add(at, place);
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn of_many_that_are_gone_each_is_looked_at_no_more_than_once() {
        let gone = |at: usize| Finding {
            rule: "target_answer".into(),
            resource: Resource::TargetAnswer,
            target: format!("t{at}").parse().expect("legal"),
            severity: Severity::Critical,
            since: Timestamp::from_micros(0),
            says: String::new(),
            culprit: None,
            remedy: None,
            caused_by: None,
        };
        let findings: Vec<Finding> = (0..20_000).map(gone).collect();
        let mut earlier = Earlier::new(&findings);
        let looks = std::cell::Cell::new(0);
        for (at, symptom) in findings.iter().enumerate() {
            let place = Place { target: symptom.target.target_name(), machine: None };
            let may = |_: &Finding| {
                looks.set(looks.get() + 1);
                true
            };
            assert!(earlier.causes(symptom, place, &may).is_empty());
            earlier.add(at, place);
        }
        assert!(looks.get() <= findings.len(), "{}", looks.get());
    }
}
