//! Holding the screen, and stepping through the last minutes. Polling goes on all the while.

use jiff::ToSpan;

use super::{DONE, Done, tell};
use crate::app::{App, Frame};
use crate::config::parse_duration;
use crate::model::{Severity, Timestamp};

/// Holds the screen as it is, or lets it go on.
pub(super) fn pause(app: &mut App) -> Done {
    if app.past.is_some() {
        return live(app);
    }
    let mut world = app.world.clone();
    world.at = app.now.max(world.at);
    app.viewpoint.at = Some(world.at);
    app.past = Some(Box::new(world));
    DONE
}

/// Back to now.
pub(super) fn live(app: &mut App) -> Done {
    app.past = None;
    app.viewpoint.at = None;
    DONE
}

/// One moment back.
pub(super) fn back(app: &mut App) -> Done {
    let here = app.viewpoint.at.unwrap_or(app.now);
    let Some(frame) = app.history.before(here).cloned() else {
        return Err("this is the oldest moment that is kept".into());
    };
    show(app, &frame);
    DONE
}

/// One moment forth; past the last one is now.
pub(super) fn forth(app: &mut App) -> Done {
    let Some(here) = app.viewpoint.at else { return Err("this is now: [ steps back".into()) };
    match app.history.after(here).cloned() {
        Some(frame) => show(app, &frame),
        None => return live(app),
    }
    DONE
}

/// To the time that is written: `-4m`, `14:05`, `14:05:30`, `now`.
pub(super) fn jump(app: &mut App, text: &str) -> Done {
    let text = text.trim();
    if text == "now" {
        return live(app);
    }
    let at =
        time(app, text).ok_or_else(|| format!("no time: {text:?}; write 14:05, 14:05:30, -4m or now"))?;
    if at >= app.now {
        return live(app);
    }
    if let Some(frame) = app.history.at(at).cloned() {
        show(app, &frame);
    } else {
        let oldest = app.history.oldest().cloned().ok_or("no moment is kept yet")?;
        show(app, &oldest);
        tell::say(app, "nothing older is kept: this is the oldest moment", Severity::Unknown);
    }
    DONE
}

fn show(app: &mut App, frame: &Frame) {
    app.viewpoint.at = Some(frame.at);
    app.past = Some(Box::new(app.world.rewound(frame)));
}

fn time(app: &App, text: &str) -> Option<Timestamp> {
    if let Some(ago) = text.strip_prefix('-') {
        return parse_duration(ago).map(|ago| app.now.minus(ago));
    }
    let mut parts = text.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() {
        return None;
    }
    let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
    let zone = &app.settings.zone;
    let now = jiff::Timestamp::from_microsecond(app.now.as_micros()).ok()?.to_zoned(zone.clone());
    let today = now.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
    // A time of day still to come was yesterday's.
    let at = if today > now { today.checked_sub(1.day()).ok()? } else { today };
    Some(Timestamp::from_micros(at.timestamp().as_microsecond()))
}
