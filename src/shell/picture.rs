//! The console without a terminal: polls real targets for a while, presses keys, and draws what stands there.
//! Plans are read so that dialogs can be drawn; nothing is ever carried out.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::perform::Hands;
use super::run::{ConsoleError, Setup, app};
use super::{clock, follow};
use crate::app::{App, Chord, Effect, Msg, settle, update};
use crate::feed::Live;
use crate::view::{Palette, Theme, svg, view};

/// Between two keys: longer than a dialog takes to be armed.
const PRESS: Duration = Duration::from_millis(600);

/// What of the journal may wait to be taken in.
const TOLD: usize = 256;

/// What to draw.
#[derive(Clone, Debug)]
pub struct Pose {
    /// Columns and rows.
    pub size: (u16, u16),
    /// How long to look on before the keys are pressed.
    pub after: Duration,
    /// The keys.
    pub keys: Vec<Chord>,
}

/// An SVG of the screen as it stands after all that.
///
/// # Errors
/// When the theme does not exist or the system gives no thread.
pub async fn picture(setup: Setup, pose: &Pose) -> Result<String, ConsoleError> {
    let theme = Theme::choose(setup.config.theme.as_deref(), false)?;
    let Setup { config, found, actor, journal } = setup;
    let mut app = app(&config, found, actor, &theme);
    app.size = pose.size;
    let (tell, mut told) = mpsc::channel(TOLD);
    if let Ok(journal) = &journal {
        follow::follow(journal, clock::now(), tell);
    }
    let mut feed = Live::start(config.targets.clone(), clock::now)?;
    let hands = Hands::new(config, journal, clock::now);
    look_on(&mut app, &mut feed, &mut told, pose.after).await;
    for chord in &pose.keys {
        let effects = update(&mut app, clock::now(), Msg::Key(*chord));
        for effect in effects {
            if let Effect::Plan(ask, intent) = effect {
                let plan = hands.plan(&intent).await;
                update(&mut app, clock::now(), Msg::Planned(ask, Box::new(plan)));
            } else if let Effect::Look(ask, target, key) = effect {
                let looked = hands.look(&target, key).await;
                update(&mut app, clock::now(), Msg::Looked(ask, Box::new(looked)));
            }
        }
        look_on(&mut app, &mut feed, &mut told, PRESS).await;
    }
    let area = Rect::new(0, 0, pose.size.0, pose.size.1);
    let mut buf = Buffer::empty(area);
    view(&app, &theme, area, &mut buf);
    Ok(svg(&buf, &Palette::default()))
}

/// Takes readings in and judges them four times a second. What would be done about it is left undone.
async fn look_on(app: &mut App, feed: &mut Live, told: &mut mpsc::Receiver<Msg>, span: Duration) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        let slice = (Instant::now() + Duration::from_millis(250)).min(end);
        while let Ok(Some(fact)) = timeout_at(slice, feed.next()).await {
            update(app, clock::now(), Msg::Fact(fact));
        }
        while let Ok(msg) = told.try_recv() {
            update(app, clock::now(), msg);
        }
        update(app, clock::now(), Msg::Tick);
        settle(app, clock::now());
    }
}
