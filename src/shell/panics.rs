//! What a panic says is kept until the terminal is back, and a panic in one task is told as a failure
//! of that task: it never ends the console.

use std::collections::VecDeque;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::feed::Live;
use crate::model::SafeText;

/// Messages kept at most.
const KEPT: usize = 20;

/// What panics have said since the console opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Panics(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Not yet told on the screen.
    news: VecDeque<String>,
    /// Everything once, for the end.
    all: Vec<String>,
}

impl Panics {
    /// Keeps what panics say from now on, instead of printing it over the screen.
    #[must_use]
    pub(super) fn keep() -> Self {
        let panics = Self::default();
        let kept = panics.clone();
        std::panic::set_hook(Box::new(move |info| {
            // A panic while a target is polled shows as that target's failed reading.
            let polls = std::thread::current().name() == Some(Live::THREAD);
            kept.push(told(info), !polls);
        }));
        panics
    }

    /// Takes the oldest one that the screen has not told yet.
    #[must_use]
    pub(super) fn take(&self) -> Option<String> {
        self.lock().news.pop_front()
    }

    /// Prints all of them on standard error, once the terminal is back.
    pub(super) fn print(&self) {
        for says in std::mem::take(&mut self.lock().all) {
            writeln!(std::io::stderr(), "warroom: internal error: {says}; please report it").ok();
        }
    }

    fn push(&self, says: String, news: bool) {
        let mut kept = self.lock();
        if kept.all.contains(&says) || kept.all.len() >= KEPT {
            return;
        }
        if news {
            kept.news.push_back(says.clone());
        }
        kept.all.push(says);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    // A message may quote what a server said.
    format!("{}{place}", SafeText::new(what))
}
