//! Every command, carried out: from a key, from a list or from the palette.

use super::{
    DONE, Done, confirm, explain, look, menu, moves, palette, prompt, queues, servers, settle, targeting,
    tell, travel,
};
use crate::app::{
    App, Cell, Command, Effect, Input, LabAsk, MenuItem, Overlay, Pick, Place, RowKey, Tab, about, detail,
    table,
};
use crate::model::{Clearing, Intent, Severity};

/// Carries a command out, with its argument where the palette gave one.
pub(super) fn run(app: &mut App, command: Command, argument: Option<&str>) -> Done {
    if let Some(why) = targeting::why_not(app, command) {
        return Err(why);
    }
    match command {
        Command::Help => {
            app.viewpoint.scroll = 0;
            app.overlay = Some(Overlay::Help);
            DONE
        }
        Command::Quit => Ok(vec![Effect::Quit]),
        Command::Pane(number) => moves::pane(app, number),
        Command::NextPane => moves::next_pane(app, 1),
        Command::PreviousPane => moves::next_pane(app, crate::app::Pane::ALL.len() - 1),
        Command::Up
        | Command::Down
        | Command::Left
        | Command::Right
        | Command::PageUp
        | Command::PageDown
        | Command::Top
        | Command::Bottom => moves::go(app, command),
        Command::Drill => moves::drill(app),
        Command::Zoom => moves::zoom(app),
        Command::Back => moves::back(app),
        Command::Filter => filter(app, argument),
        Command::Sort => sort(app, argument),
        Command::SortReverse => reverse(app),
        Command::Palette => {
            prompt::open(app, Input::Palette, argument.unwrap_or_default());
            DONE
        }
        Command::Mark => mark(app),
        Command::Unmark => {
            app.viewpoint.marked.clear();
            DONE
        }
        Command::Pause => travel::pause(app),
        Command::StepBack => travel::back(app),
        Command::StepForth => travel::forth(app),
        Command::JumpTo => {
            if let Some(text) = argument {
                return travel::jump(app, text);
            }
            prompt::open(app, Input::Time, "");
            DONE
        }
        Command::Live => travel::live(app),
        Command::Actions => actions(app),
        Command::Fix => {
            let intent = targeting::fix(app)?;
            confirm::open(app, intent)
        }
        Command::Terminate => terminate(app),
        Command::Cancel => {
            let intent = targeting::cancel(app)?;
            confirm::open(app, intent)
        }
        Command::Clear => clear(app, argument),
        Command::Drain | Command::Ready | Command::Maintenance => {
            let intent = servers::intent(app, command)?;
            confirm::open(app, intent)
        }
        Command::Weight => {
            let intent = servers::weigh(app, argument)?;
            confirm::open(app, intent)
        }
        Command::PauseQueue => {
            let intent = queues::intent(app)?;
            confirm::open(app, intent)
        }
        Command::MarkDeploy => {
            if let Some(text) = argument {
                let intent = prompt::deploy(text)?;
                return confirm::open(app, intent);
            }
            prompt::open(app, Input::Deploy, "");
            DONE
        }
        Command::Explain => {
            let ask = targeting::explain(app)?;
            Ok(explain::open(app, ask))
        }
        Command::Acknowledge => acknowledge(app),
        Command::PollNow => {
            tell::say(app, "every target is polled now", Severity::Ok);
            let mut effects = vec![Effect::PollNow];
            effects.extend(look::ask(app));
            Ok(effects)
        }
        Command::Redraw => Ok(vec![Effect::Redraw]),
        Command::Copy => copy(app),
        Command::Theme => theme(app, argument),
        Command::Suspend => Ok(vec![Effect::Suspend]),
        Command::LabBreak | Command::LabHeal => lab(app, command, argument),
    }
}

fn filter(app: &mut App, argument: Option<&str>) -> Done {
    // The overview has no rows: the focused pane's are meant.
    match app.viewpoint.place() {
        Place::Overview => {
            moves::drill(app)?;
        }
        Place::Detail(..) => {
            app.viewpoint.stack.pop();
        }
        Place::Zoom(..) => {}
    }
    if let Some(text) = argument {
        text.clone_into(&mut app.viewpoint.filter);
    } else {
        let now = app.viewpoint.filter.clone();
        prompt::open(app, Input::Filter, &now);
    }
    DONE
}

fn sort(app: &mut App, argument: Option<&str>) -> Done {
    let Place::Zoom(_, tab) = *app.viewpoint.place() else { return DONE };
    let columns = table(app, tab).columns;
    if let Some(name) = argument {
        let at = columns.iter().position(|column| column.title.eq_ignore_ascii_case(name.trim()));
        let at = at.ok_or_else(|| {
            let all: Vec<_> = columns.iter().map(|column| column.title).collect();
            format!("no column {name:?} here; there are {}", all.join(", "))
        })?;
        menu::sort_by(app, at);
        return DONE;
    }
    let item = |(at, column): (usize, &crate::app::Column)| MenuItem {
        says: column.title.to_owned(),
        pick: Pick::Sort(at),
        why_not: None,
    };
    let mut items: Vec<MenuItem> = columns.iter().enumerate().map(item).collect();
    items.insert(0, MenuItem { says: "worst first".into(), pick: Pick::Sort(usize::MAX), why_not: None });
    menu::open(app, "Sort by", items)
}

fn reverse(app: &mut App) -> Done {
    let Place::Zoom(_, tab) = *app.viewpoint.place() else { return DONE };
    match app.viewpoint.sort.get_mut(&tab) {
        Some(sort) => {
            sort.descending = !sort.descending;
            DONE
        }
        None => sort(app, None),
    }
}

fn mark(app: &mut App) -> Done {
    let Place::Zoom(_, _) = app.viewpoint.place() else { return Err("rows are marked in a table".into()) };
    let key = moves::row(app).ok_or("no row is selected")?;
    if key.is_fold() {
        return Err("this row stands for several: Enter shows them".into());
    }
    let marked = &mut app.viewpoint.marked;
    if let Some(at) = marked.iter().position(|known| *known == key) {
        marked.remove(at);
    } else {
        marked.push(key);
    }
    moves::go(app, Command::Down)
}

fn terminate(app: &mut App) -> Done {
    let intent = targeting::terminate(app)?;
    let (marked, hidden) = (targeting::marked_backends(app).len(), targeting::marked_and_hidden(app));
    let effects = confirm::open(app, intent)?;
    if marked > 0 && hidden > 0 {
        tell::warn(app, format!("{marked} marked, {hidden} of them not shown here"));
    }
    Ok(effects)
}

fn clear(app: &mut App, argument: Option<&str>) -> Done {
    let all = match argument.map(str::trim) {
        Some(name) => {
            let fits = |(id, it): &&(_, crate::model::Namespace)| {
                it.name == name || format!("{id}/{}", it.name) == name
            };
            let found: Vec<_> = app.settings.namespaces.iter().filter(fits).cloned().collect();
            if found.is_empty() {
                let known: Vec<_> = app.settings.namespaces.iter().map(|(_, it)| it.name.as_str()).collect();
                return Err(format!("no namespace {name:?}; there are {}", known.join(", ")));
            }
            if let [(_, it)] = &found[..]
                && it.protected
            {
                return Err(protected(&it.name));
            }
            found
        }
        None => targeting::namespaces(app)?,
    };
    let open: Vec<_> = all.iter().filter(|(_, it)| !it.protected).collect();
    match (&open[..], all.len()) {
        ([], _) => Err(protected(&all.iter().map(|(_, it)| it.name.as_str()).collect::<Vec<_>>().join(", "))),
        ([(target, namespace)], count) if count == 1 || app.settings.namespaces.len() == count => {
            let how = Clearing::default();
            let (target, namespace) = (target.clone(), namespace.clone());
            confirm::open(app, Intent::ClearNamespace { target, namespace, how })
        }
        _ => {
            let items = all.into_iter().map(|(target, namespace)| MenuItem {
                says: format!("{} on {target}, keys {}*", namespace.name, namespace.prefix),
                why_not: namespace.protected.then(|| protected(&namespace.name)),
                pick: Pick::Intent(Intent::ClearNamespace { target, namespace, how: Clearing::default() }),
            });
            let items = items.collect();
            menu::open(app, "Clear a cache namespace", items)
        }
    }
}

fn protected(name: &str) -> String {
    format!("{name}: protected in the config, never cleared")
}

/// The actions of the selected row, those that cannot be done now greyed with why.
fn actions(app: &mut App) -> Done {
    let tab = moves::tab(app);
    let mut commands = match tab {
        None => vec![Command::Fix, Command::Terminate, Command::Cancel, Command::Clear],
        Some(Tab::Locks | Tab::Sessions) => vec![Command::Terminate, Command::Cancel, Command::Explain],
        Some(Tab::Statements) => vec![Command::Explain],
        Some(Tab::Caches | Tab::Namespaces) => vec![Command::Clear],
        Some(Tab::Queues) => vec![Command::PauseQueue, Command::Fix],
        Some(Tab::Backends) => vec![Command::Drain, Command::Ready, Command::Maintenance, Command::Fix],
        Some(_) => vec![Command::Fix],
    };
    if tab.is_some() {
        commands.extend([Command::Mark, Command::Copy]);
    }
    commands.extend([Command::MarkDeploy, Command::Acknowledge, Command::PollNow]);
    let item = |command: Command| MenuItem {
        says: about(command).says.to_owned(),
        pick: Pick::Command(command),
        why_not: targeting::why_not(app, command),
    };
    let items = commands.into_iter().map(item).collect();
    menu::open(app, "What can be done", items)
}

fn acknowledge(app: &mut App) -> Done {
    let findings = &app.world.judgement.findings;
    // Among the findings the selected one, anywhere else the verdict.
    let selected = match moves::row(app).filter(|_| moves::tab(app) == Some(Tab::Findings)) {
        Some(RowKey::Named(id, name)) => {
            findings.iter().find(|it| it.target == id && format!("{} {}", it.rule, it.resource) == name)
        }
        _ => None,
    };
    let Some(first) = selected.or_else(|| findings.first()) else { return DONE };
    let (name, place) = (settle::name(first), first.reference());
    let known = &mut app.world.acknowledged;
    if let Some(at) = known.iter().position(|known| *known == name) {
        known.remove(at);
        tell::say(app, format!("{place} is no longer acknowledged"), Severity::Ok);
    } else {
        known.push(name);
        tell::say(app, format!("acknowledged until it grows worse: {place}"), Severity::Ok);
    }
    DONE
}

/// The row's statement, or all its words.
fn copy(app: &mut App) -> Done {
    let (Some(tab), Some(key)) = (moves::tab(app), moves::row(app)) else { return DONE };
    let lines = detail(app, tab, &key);
    let query = lines.iter().find_map(|(label, cell)| match cell {
        Cell::Text(text) if label == "query" && !text.is_empty() => Some(text.to_string()),
        _ => None,
    });
    let text = match query.filter(|_| matches!(key, RowKey::Backend(..))) {
        Some(query) => query,
        None => lines
            .iter()
            .filter(|(_, cell)| *cell != Cell::None)
            .map(|(label, cell)| format!("{label}: {}", crate::app::words_of(cell)))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    tell::say(app, "copied to the terminal's clipboard", Severity::Ok);
    Ok(vec![Effect::Copy(text)])
}

fn theme(app: &App, argument: Option<&str>) -> Done {
    let all = &app.settings.themes;
    let name = match argument.map(str::trim) {
        Some(name) if all.iter().any(|known| known == name) => name.to_owned(),
        Some(name) => return Err(format!("no theme {name:?}; there are {}", all.join(", "))),
        None => {
            let at = all.iter().position(|known| *known == app.settings.theme).map_or(0, |at| at + 1);
            all.get(at).or_else(|| all.first()).cloned().ok_or("there is no other theme")?
        }
    };
    Ok(vec![Effect::Theme(name)])
}

fn lab(app: &mut App, command: Command, argument: Option<&str>) -> Done {
    let Some((dir, faults)) = app.settings.lab.clone() else { return DONE };
    if command == Command::LabHeal {
        tell::say(app, "healing the lab …", Severity::Ok);
        return Ok(vec![Effect::Lab(dir, LabAsk::Heal)]);
    }
    let Some(name) = argument.map(str::trim).filter(|name| !name.is_empty()) else {
        prompt::open(app, Input::Palette, "lab-break ");
        return DONE;
    };
    if !faults.iter().any(|known| known == name) {
        return Err(format!("no fault {name:?}; there are {}", faults.join(", ")));
    }
    tell::say(app, format!("breaking the lab: {name} …"), Severity::Ok);
    Ok(vec![Effect::Lab(dir, LabAsk::Break(name.to_owned()))])
}

/// Arguments the palette can suggest for a command.
pub(super) fn arguments(app: &App, command: Command) -> Vec<String> {
    match command {
        Command::Clear => app.settings.namespaces.iter().map(|(_, it)| it.name.clone()).collect(),
        Command::Theme => app.settings.themes.clone(),
        Command::LabBreak => app.settings.lab.as_ref().map(|(_, faults)| faults.clone()).unwrap_or_default(),
        Command::JumpTo => ["-1m", "-2m", "-5m", "-10m", "now"].map(String::from).to_vec(),
        Command::Sort => moves::tab(app)
            .map(|tab| table(app, tab).columns.iter().map(|column| column.title.to_lowercase()).collect())
            .unwrap_or_default(),
        _ => palette::NONE,
    }
}
