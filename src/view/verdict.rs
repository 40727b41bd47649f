//! The verdict: what, where, since when, who; the chain from cause to symptoms; the key that helps.

use std::time::Duration;

use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;

use super::format;
use super::ink::{Ink, cells, cut, wrap};
use super::scene::Scene;
use super::theme::Role;
use crate::model::{Culprit, Finding, Severity, TargetId, Verdict};
use crate::store::TargetState;

/// A deploy up to this long before is named beside a finding.
const AFTER_DEPLOY: Duration = Duration::from_secs(900);

/// `LOCKS on primary`.
pub(super) fn head(verdict: &Verdict) -> String {
    match (verdict.resource, &verdict.target) {
        (Some(resource), Some(target)) => format!("{} on {target}", resource.headline()),
        _ => match verdict.severity {
            Severity::Ok => "ALL IS WELL".into(),
            _ => "NOTHING KNOWN YET".into(),
        },
    }
}

/// Draws the verdict into its lines.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let judgement = &scene.world.judgement;
    let verdict = &judgement.verdict;
    let (x, width) = (area.x + 4, area.width - 5);
    let mark = format!(" {:<2}", verdict.severity.glyph());
    ink.put(area.x, area.y, 3, &mark, Role::verdict(verdict.severity));
    let first = judgement.findings.first();
    let head = format!("{}:", head(verdict));
    let used = ink.put(x, area.y, width, &head, Role::of(verdict.severity)) - x + 1;
    let remedy = remedy_line(scene);
    let tall = area.height > 3;
    let most = if tall { 3 } else { 2 };
    let lines = match first {
        Some(finding) => with_since(&verdict.says, &since(scene, finding), width, used, most),
        None => says_lines(&format!("{}{}", verdict.says, calm(scene)), width, used, most),
    };
    let mut y = area.y;
    for (at, line) in lines.iter().enumerate() {
        let from = if at == 0 { x + used } else { x };
        ink.put(from, y, width - (from - x), line, Role::Text);
        y += 1;
    }
    let Some(first) = first else { return };
    let chain = chain(&judgement.findings, first);
    let again = again(scene, first);
    if tall {
        if let Some(again) = again.filter(|_| y + 1 < area.bottom()) {
            let text = again.iter().find(|text| cells(text) <= width).unwrap_or(&again[1]);
            ink.put(x, y, width, text, Role::Warning);
            y += 1;
        }
        let room = usize::from((area.bottom() - 1).saturating_sub(y));
        steps(ink, Rect { x, y, width, height: u16::try_from(room).unwrap_or(0) }, &chain);
        key_line(ink, Rect { x, y: area.bottom() - 1, width, height: 1 }, remedy.as_ref());
    } else {
        let y = area.y + 2;
        let keyed = remedy.as_ref().map_or(0, |(key, says, _)| cells(key) + 1 + cells(says) + 2);
        let room = Rect { x, y, width: width.saturating_sub(keyed.min(width * 3 / 4)), height: 1 };
        let used = match &again {
            Some(again) => ink.put(x, y, room.width, &again[1], Role::Warning) - x,
            None => one_line(ink, room, Some(first), &chain),
        };
        let key_room = width - used;
        let width = keyed.saturating_sub(2).min(key_room.saturating_sub(2));
        key_line(ink, Rect { x: area.right() - 1 - width, y, width, height: 1 }, remedy.as_ref());
    }
}

/// The sentence and since when, over the lines. The age goes where it alone would begin a line. Where all
/// is too long the clock time goes, then the sentence's end: since when stays.
fn with_since(
    says: &str,
    [long, clock, short]: &[String; 3],
    width: u16,
    used: u16,
    most: usize,
) -> Vec<String> {
    let whole = |says: &str, end: &str| {
        let lines = says_lines(&format!("{says}{end}"), width, used, most);
        let cut = lines.last().is_some_and(|line| line.ends_with('…')) && !end.ends_with('…');
        (!cut, lines)
    };
    let (fits, lines) = whole(says, long);
    if fits {
        let (_, without) = whole(says, clock);
        return if without.len() < lines.len() { without } else { lines };
    }
    let mut kept: Vec<&str> = says.graphemes(true).collect();
    let mut end = short.clone();
    loop {
        let (fits, lines) = whole(&kept.concat(), &end);
        if fits || kept.len() < 8 {
            return lines;
        }
        kept.truncate(kept.len() - 4);
        end = format!("… {}", short.trim_start_matches(['.', ' ']));
    }
}

/// The sentence over the lines, the first of which begins behind the head.
fn says_lines(says: &str, width: u16, used: u16, most: usize) -> Vec<String> {
    let first = usize::from(width.saturating_sub(used));
    // A first line of its own width: filled with a stand-in for the head, which is then taken off.
    let stand_in = "\u{2588}".repeat(usize::from(used.saturating_sub(1)));
    let mut lines = wrap(&format!("{stand_in} {says}"), usize::from(width), most);
    if let Some(line) = lines.first_mut() {
        let rest = line.trim_start_matches('\u{2588}').trim_start().to_owned();
        *line = cut(&rest, first).into_owned();
    }
    lines
}

/// `. Since 14:01:12 (2m14s), 40 s after deploy v8.1.2`; the same without the age; and without the clock time.
fn since(scene: &Scene<'_>, finding: &Finding) -> [String; 3] {
    let age = format::seconds(scene.now.seconds_since(finding.since));
    let deploy =
        scene.world.store.deploy_before(finding.since, AFTER_DEPLOY).map_or_else(String::new, |mark| {
            let after = finding.since.seconds_since(mark.at);
            let after = if after < 1.0 { "right".to_owned() } else { format::seconds(after) };
            format!(", {after} after deploy {}", mark.it.label)
        });
    let seen = if scene.world.acknowledged.is_empty() {
        ""
    } else {
        let key = format!("{} {}", finding.rule, finding.reference());
        if scene.world.acknowledged.contains(&key) { " (acknowledged)" } else { "" }
    };
    let end = if finding.says.ends_with(['.', '?', '!']) { "" } else { "." };
    let clock = scene.clock(finding.since);
    [
        format!("{end} Since {clock} ({age}){deploy}{seen}"),
        format!("{end} Since {clock}{deploy}{seen}"),
        format!("{end} For {age}{deploy}{seen}"),
    ]
}

/// That its session was ended from here before and it came back: in a sentence, and in short.
fn again(scene: &Scene<'_>, first: &Finding) -> Option<[String; 2]> {
    let back = scene.app.told.back.as_ref().filter(|back| back.it.target == first.target)?;
    let Some(Culprit::Backend { application_name, user, .. }) = &first.culprit else { return None };
    let who = if application_name.is_empty() { user } else { application_name };
    if *who != back.it.who || scene.app.past.is_some() {
        return None;
    }
    let after = format::seconds(back.seen_at.seconds_since(back.ended_at));
    let clock = scene.clock(back.ended_at);
    Some([
        format!(
            "{who} is back {after} after its session was ended at {clock}: ending it does not last, stop what \
             starts it{}",
            back.it.place()
        ),
        format!("back {after} after its end: stop what starts it"),
    ])
}

/// What is worth knowing while nothing is found: who does not answer, and the last deploy.
fn calm(scene: &Scene<'_>) -> String {
    let all: Vec<_> = scene.world.store.configured().collect();
    let silent: Vec<&str> = all
        .iter()
        .filter(|target| target.state(scene.now) != TargetState::Up)
        .map(|target| target.info.id.as_str())
        .collect();
    if !silent.is_empty() && silent.len() < all.len() {
        return format!(" on what answers. No fresh answer of {}", silent.join(", "));
    }
    let deploy = scene.world.store.marks().rfind(|mark| mark.at <= scene.now);
    let deploy = deploy.map_or_else(String::new, |mark| {
        let ago = format::seconds(scene.now.seconds_since(mark.at));
        format!(". Last deploy {}, {ago} ago", mark.it.label)
    });
    // Whoever tries it out has nothing to do here until something breaks.
    let lab = scene.app.settings.lab.as_ref().filter(|_| all.len() > silent.len());
    let lab = lab.map_or("", |_| ". This is a lab: :lab-break breaks it, :lab-heal mends it");
    // Who came without a config is told what to do next for as long as nothing else matters.
    let start = if scene.app.settings.found.is_some() && deploy.is_empty() {
        ". No config file: `warroom init` writes one from what runs here, `warroom lab up` starts a lab to try"
    } else {
        ""
    };
    format!("{deploy}{lab}{start}")
}

/// What stands before a line of the chain: what follows from the first, what stands beside it, and what
/// follows from that, which is told by name only where there is room for all.
const FOLLOWS: &str = "→";
const BESIDE: &str = "also";
const BEYOND: &str = "     →";

/// The findings that the first one causes, then the causes of other incidents, each with what follows from it.
fn chain<'a>(findings: &'a [Finding], first: &Finding) -> Vec<(&'static str, &'a Finding)> {
    // What other rules say of the same resource is not another incident.
    let mut rest: Vec<&Finding> =
        findings.iter().skip(1).filter(|finding| finding.reference() != first.reference()).collect();
    let mut out = Vec::new();
    follow(first, FOLLOWS, &mut rest, &mut out);
    while !rest.is_empty() {
        let root = rest.iter().position(|finding| finding.caused_by.is_none()).unwrap_or(0);
        let root = rest.remove(root);
        out.push((BESIDE, root));
        follow(root, BEYOND, &mut rest, &mut out);
    }
    out
}

/// Moves what follows from a cause, directly or by way of another, behind it.
fn follow<'a>(
    cause: &Finding,
    lead: &'static str,
    rest: &mut Vec<&'a Finding>,
    out: &mut Vec<(&'static str, &'a Finding)>,
) {
    let mut known = vec![cause.reference()];
    rest.retain(|finding| {
        let follows = finding.caused_by.as_ref().is_some_and(|cause| known.contains(cause));
        if follows {
            known.push(finding.reference());
            out.push((lead, finding));
        }
        !follows
    });
}

/// `connections on primary`.
fn short(finding: &Finding) -> String {
    format!("{} on {}", finding.resource.headline().to_lowercase(), finding.target)
}

/// Findings that share a headline and a severity, told together: `no answer on jobs, primary`.
struct Step<'a> {
    lead: &'static str,
    all: Vec<&'a Finding>,
    severity: Severity,
}

impl Step<'_> {
    /// In as many cells as there are: what, and on whom, as many as fit, then how many more.
    /// What is on the target that the head names says no target.
    fn told(&self, home: Option<&TargetId>, room: u16) -> Option<String> {
        let [first, ..] = &self.all[..] else { return None };
        let what = first.resource.headline().to_lowercase();
        if self.all.iter().all(|it| Some(&it.target) == home) {
            return (cells(&what) <= room).then_some(what);
        }
        let named = (1..=self.all.len()).rev().find_map(|shown| {
            let names: Vec<&str> = self.all[..shown].iter().map(|it| it.target.as_str()).collect();
            let left = self.all.len() - shown;
            let more = if left > 0 { format!(" +{left}") } else { String::new() };
            let told = format!("{what} on {}{more}", names.join(", "));
            (cells(&told) <= room).then_some(told)
        });
        // Else it is worth knowing what it is, on whomever.
        named.or_else(|| {
            let told = if self.all.len() == 1 { what } else { format!("{what} ×{}", self.all.len()) };
            (cells(&told) <= room).then_some(told)
        })
    }
}

/// What follows and what else there is, like with like; then what lies beyond.
fn together<'a>(chain: &[(&'static str, &'a Finding)]) -> (Vec<Step<'a>>, Vec<&'a Finding>) {
    let mut out: Vec<Step<'a>> = Vec::new();
    let beyond = chain.iter().filter(|(lead, _)| *lead == BEYOND).map(|(_, finding)| *finding).collect();
    for (lead, finding) in chain.iter().filter(|(lead, _)| *lead != BEYOND) {
        let like = |step: &&mut Step<'_>| {
            let same = |known: &&Finding| known.resource.headline() == finding.resource.headline();
            step.lead == *lead && step.severity == finding.severity && step.all.first().is_some_and(same)
        };
        match out.iter_mut().find(like) {
            Some(step) => step.all.push(finding),
            None => out.push(Step { lead, all: vec![*finding], severity: finding.severity }),
        }
    }
    (out, beyond)
}

/// Every step on its own line; where there is no room for all, like with like, as many as there is room for.
fn steps<'a>(ink: &mut Ink<'_>, area: Rect, chain: &[(&'static str, &'a Finding)]) {
    let room = usize::from(area.height);
    let step =
        |(lead, it): &(&'static str, &'a Finding)| Step { lead, all: vec![*it], severity: it.severity };
    let (all, beyond) =
        if chain.len() > room { together(chain) } else { (chain.iter().map(step).collect(), Vec::new()) };
    let whole = all.len() + usize::from(!beyond.is_empty()) <= room;
    let shown = if whole { all.len() } else { room.saturating_sub(1) };
    for (y, step) in (area.y..area.bottom()).zip(&all[..shown]) {
        let role = Role::of(step.severity);
        let x = ink.put(area.x, y, cells(step.lead), step.lead, Role::Muted) + 1;
        let x = ink.put(x, y, 3, &format!("{:<2}", step.severity.glyph()), role) + 1;
        let room = area.right().saturating_sub(x);
        if let [finding] = &step.all[..] {
            let x = ink.put(x, y, area.width / 2, &short(finding), role);
            ink.put(x, y, area.right().saturating_sub(x), &format!(": {}", finding.says), Role::Text);
        } else {
            ink.put(x, y, room, &step.told(None, room).unwrap_or_default(), role);
        }
    }
    let left: usize = all[shown..].iter().map(|step| step.all.len()).sum::<usize>() + beyond.len();
    if left > 0 && room > 0 {
        let room = area.width.saturating_sub(30);
        let named = all[shown..].iter().find_map(|step| step.told(None, room));
        let named = named.or_else(|| beyond.first().map(|finding| short(finding))).unwrap_or_default();
        let says = format!("and {left} more (7 lists them): {named}");
        ink.put(area.x, area.bottom() - 1, area.width, &says, Role::Muted);
    }
}

/// The chain in one line: as many steps as fit, then how many more; returns the cells it took.
fn one_line(
    ink: &mut Ink<'_>,
    area: Rect,
    first: Option<&Finding>,
    chain: &[(&'static str, &Finding)],
) -> u16 {
    let (all, beyond) = together(chain);
    let mut x = area.x;
    let mut rest = beyond.len();
    for (at, step) in all.iter().enumerate() {
        let more = if at + 1 < all.len() || rest > 0 { 5 } else { 0 };
        let around = cells(step.lead) + 1 + 3 + more;
        let home = first.map(|first| &first.target);
        let Some(says) = step.told(home, area.right().saturating_sub(x + around)) else {
            rest += all[at..].iter().map(|step| step.all.len()).sum::<usize>();
            if at == 0 {
                let text = format!("{} {rest} more", step.lead);
                return ink.put(x, area.y, area.right().saturating_sub(x), &text, Role::Muted) + 1 - area.x;
            }
            break;
        };
        x = ink.put(x, area.y, 5, step.lead, Role::Muted) + 1;
        x = ink.put(x, area.y, cells(&says), &says, Role::Text) + 1;
        x = ink.put(x, area.y, 2, step.severity.glyph(), Role::of(step.severity)) + 1;
    }
    if rest > 0 {
        x = ink.put(x, area.y, area.right().saturating_sub(x), &format!("+{rest}"), Role::Muted) + 1;
    }
    x - area.x
}

/// The key, what it does, and whether it can be pressed.
fn remedy_line(scene: &Scene<'_>) -> Option<(String, String, Role)> {
    let remedy = scene.world.judgement.verdict.remedy.as_ref()?;
    if remedy.intent.is_none() {
        return Some(("do:".into(), remedy.says.clone(), Role::Muted));
    }
    let key = format!("[{}]", super::hints::key_of(scene.app, crate::app::Command::Fix));
    match scene.app.why_no_action() {
        None => Some((key, remedy.says.clone(), Role::Key)),
        Some(why) => Some((key, format!("{} ({why})", remedy.says), Role::Greyed)),
    }
}

fn key_line(ink: &mut Ink<'_>, area: Rect, remedy: Option<&(String, String, Role)>) {
    let Some((key, says, role)) = remedy else { return };
    let x = ink.put(area.x, area.y, area.width, key, *role) + 1;
    let role = if *role == Role::Greyed { Role::Greyed } else { Role::Title };
    ink.put(x, area.y, area.right().saturating_sub(x), says, role);
}
