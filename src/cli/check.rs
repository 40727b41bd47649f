//! `warroom check`: the verdict for scripts and for eyes.

use std::fmt::Write as _;

use super::args::CheckArgs;
use super::context::{Context, block_on};
use super::{Failure, out};
use crate::journal::Reader;
use crate::model::{At, Severity};
use crate::shell::check::{Report, check};
use crate::shell::clock;

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<u8, Failure> {
    let marks = marks(context);
    let report = block_on(check(&context.config, marks, args.samples, args.interval, clock::now))?;
    if args.json {
        out::json(&report)?;
    } else {
        out::print(&told(&report))?;
    }
    Ok(report.exit_code())
}

/// Deploys of the last day: a verdict says what came shortly before it. Without a journal there are none.
fn marks(context: &Context) -> Vec<At<crate::model::Mark>> {
    let Ok(journal) = &context.journal else { return Vec::new() };
    let since = clock::now().minus(std::time::Duration::from_secs(24 * 3600));
    let entries = Reader::read(journal.path()).map(|reader| reader.since(since).entries).unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.mark.map(|it| At { at: entry.at, it })).collect()
}

fn told(report: &Report) -> String {
    let mut text = String::new();
    let verdict = &report.verdict;
    let place = match (&verdict.resource, &verdict.target) {
        (Some(resource), Some(target)) => format!("{} on {target}: ", resource.headline()),
        _ => String::new(),
    };
    writeln!(text, "{:<2} {place}{}", verdict.severity.glyph(), verdict.says).ok();
    if let Some(remedy) = &verdict.remedy {
        writeln!(text, "   {}", remedy.says).ok();
        if let Some(intent) = &remedy.intent {
            writeln!(text, "   {}", intent.command_line()).ok();
        }
    }
    for finding in report.findings.iter().skip(1) {
        let caused =
            finding.caused_by.as_ref().map(|by| format!("   (follows from {by})")).unwrap_or_default();
        writeln!(
            text,
            "{:<2} {} on {}: {}{caused}",
            finding.severity.glyph(),
            finding.resource.headline(),
            finding.target,
            finding.says
        )
        .ok();
    }
    for target in report.targets.iter().filter(|target| target.error.is_some()) {
        let said = report.findings.iter().any(|finding| finding.target == target.id);
        if let (Some(error), false) = (&target.error, said) {
            writeln!(text, "{:<2} {} ({}): {error}", Severity::Unknown.glyph(), target.id, target.kind).ok();
        }
    }
    text
}
