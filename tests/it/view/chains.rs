//! The verdict's chain where several incidents stand beside one another, and its words where none does.

use warroom::model::Resource;

use super::drawn::{screen, text};
use super::scenes::{Lab, id};

/// What stands above the panes, in one line.
fn head(lab: &Lab, width: u16, height: u16) -> String {
    let seen = text(&screen(&lab.app, "terminal", width, height));
    let lines = seen.lines().skip(1).take_while(|line| !line.contains("1 Request queue"));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_follows_from_another_incident_stands_under_it_or_is_counted() {
    let mut lab = Lab::healthy().with(30, |dials| (dials.waiters, dials.fill) = (38, 0.97));
    let findings = &mut lab.app.world.judgement.findings;
    let beside =
        findings.iter().find(|it| it.resource == Resource::CacheMemory).expect("a full cache").clone();
    assert_eq!((findings[0].resource, &beside.caused_by), (Resource::PostgresLocks, &None), "{findings:#?}");
    let target = id("jobs").row("mail");
    let mut beyond = beside.clone();
    (beyond.resource, beyond.target, beyond.caused_by) =
        (Resource::QueueBacklog, target, Some(beside.reference()));
    findings.push(beyond);
    let seen = text(&screen(&lab.app, "terminal", 120, 40));
    assert!(seen.contains("\n    also !! cache memory on cache: "), "{seen}");
    assert!(seen.contains("\n         → !! queue backlog on jobs/mail: "), "{seen}");
    let seen = head(&lab, 80, 24);
    assert!(seen.contains("also cache memory on cache !! +"), "{seen}");
}

#[test]
fn whoever_has_no_config_is_told_the_next_step_while_all_is_well() {
    let mut lab = Lab::healthy();
    assert!(!head(&lab, 80, 24).contains("warroom init"));
    lab.app.settings.found = Some("no config file: watching this machine".into());
    for (width, height) in [(80, 24), (120, 40)] {
        let seen = head(&lab, width, height);
        assert!(
            seen.contains("No config file: `warroom init` writes one from what runs here")
                && seen.ends_with("`warroom lab up` starts a lab to try"),
            "{seen}"
        );
    }
}

#[test]
fn nobody_says_that_a_lock_sent_the_workers_home() {
    let lab = Lab::healthy().with(20, |dials| dials.waiters = 38);
    let lab = lab.with(12, |dials| (dials.jobs, dials.oldest, dials.workers) = (40, 4.0, 0));
    let findings = &lab.app.world.judgement.findings;
    let gone = findings.iter().find(|it| it.rule == "no_worker").expect("nobody works");
    assert_eq!((findings[0].resource, &gone.caused_by), (Resource::PostgresLocks, &None), "{findings:#?}");
}
