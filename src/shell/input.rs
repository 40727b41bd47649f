//! The one reader of standard input. The terminal library reads a dead terminal for ever and heeds no
//! timeout, so it reads in a thread that nothing waits for.

use std::time::Duration;

use crossterm::event::Event;
use tokio::sync::mpsc;

use super::keys;
use crate::app::Chord;

/// What the operator did.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// A key.
    Key(Chord),
    /// Text pasted.
    Paste(String),
    /// The terminal has another size: ask it.
    Resized,
}

/// Keys that may wait to be handled; whoever types faster than that waits.
const AHEAD: usize = 256;
/// Faults of the terminal in a row after which reading ends; the watchdog then decides.
const FAULTS: u32 = 50;

/// Reads for ever.
pub(super) fn read() -> mpsc::Receiver<Input> {
    let (tell, told) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut faults = 0;
        while faults < FAULTS {
            let input = if let Ok(event) = crossterm::event::read() {
                faults = 0;
                of(event)
            } else {
                faults += 1;
                std::thread::sleep(Duration::from_millis(20));
                None
            };
            if let Some(input) = input
                && tell.blocking_send(input).is_err()
            {
                return;
            }
        }
        // The sender stays alive: a closed channel would read as an end that nobody asked for.
        loop {
            std::thread::park();
        }
    });
    told
}

fn of(event: Event) -> Option<Input> {
    match event {
        Event::Key(key) => keys::chord(key).map(Input::Key),
        Event::Paste(text) => Some(Input::Paste(text)),
        Event::Resize(..) => Some(Input::Resized),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}
