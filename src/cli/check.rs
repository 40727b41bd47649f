//! `warroom check`: the verdict, for scripts and for a glance.

use std::fmt::Write as _;

use super::args::{CheckArgs, Global};
use super::end::{End, Fail};
use super::run::{config, env, runtime};
use super::signal;
use crate::journal::{Journal, Reader};
use crate::model::words::many;
use crate::model::{At, Finding, Resource, ResourceState, Severity, TargetId};
use crate::shell::check::{Report, check};
use crate::shell::clock;

/// Polls, judges and prints.
pub(super) fn run(global: &Global, args: &CheckArgs) -> Result<End, Fail> {
    let config = config(global)?;
    // Without a journal there are no marks; the verdict does not need them.
    let marks = Journal::place(config.journal.as_deref(), &env)
        .and_then(|path| Reader::read(&path))
        .map(|reader| {
            reader.entries.into_iter().filter_map(|it| it.mark.map(|mark| At { at: it.at, it: mark }))
        })
        .map(Iterator::collect)
        .unwrap_or_default();
    let runtime = runtime()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = check(&config, marks, args.samples, args.interval, clock::now) => Ok(report),
            code = signal::ended() => Err(Fail::new(code, "ended before the verdict")),
        }
    });
    // A source may hang in a blocking call; nobody waits for it.
    runtime.shutdown_background();
    let report = report?;
    if args.form.json {
        End::json(&report, report.exit_code())
    } else {
        Ok(End::new(told(&report), report.exit_code()))
    }
}

/// The report in words: findings root cause first, then what could not be asked.
fn told(report: &Report) -> String {
    let mut out = String::new();
    if report.findings.is_empty() {
        writeln!(out, "{:<2} {}", report.verdict.severity.glyph(), report.verdict.says).ok();
    }
    for finding in &report.findings {
        out.push_str(&one(finding));
    }
    // What a finding says of it needs no second line.
    let told = |resource, target: &TargetId| {
        report.findings.iter().any(|it| it.resource == resource && it.target == *target)
    };
    let unknown =
        |state: &&ResourceState| state.severity == Severity::Unknown && !told(state.resource, &state.target);
    for state in report.resources.iter().filter(unknown) {
        writeln!(out, "?  {} on {}: {}", state.resource, state.target, state.says).ok();
    }
    let up = report.targets.iter().filter(|target| target.state == "up").count();
    let targets = many(report.targets.len() as u64, "target", "targets");
    writeln!(out, "   {targets} in {}: {up} up", report.environment).ok();
    for target in report.targets.iter().filter(|target| target.state != "up") {
        if told(Resource::TargetAnswer, &target.id) {
            writeln!(out, "   {} ({}) is {}", target.id, target.kind, target.state).ok();
            continue;
        }
        let why = target.error.as_ref().map_or_else(|| "no answer yet".to_owned(), ToString::to_string);
        writeln!(out, "   {} ({}) is {}: {why}", target.id, target.kind, target.state).ok();
    }
    out
}

fn one(finding: &Finding) -> String {
    let mut out = format!(
        "{:<2} {} on {}: {}\n",
        finding.severity.glyph(),
        finding.resource,
        finding.target,
        finding.says
    );
    if let Some(cause) = &finding.caused_by {
        writeln!(out, "   caused by {cause}").ok();
    }
    if let Some(remedy) = &finding.remedy {
        writeln!(out, "   mend: {}", remedy.says).ok();
        if let Some(intent) = &remedy.intent {
            writeln!(out, "   $ {}", intent.command_line()).ok();
        }
    }
    out
}
