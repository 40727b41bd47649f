//! What leaves the screen: bell, title, the terminal's own notifications, the clipboard, the desktop.
//! Inside tmux and screen most of it is swallowed unless wrapped, so it is wrapped there.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::app::World;
use crate::config::NotifySettings;
use crate::model::{SafeText, Severity, Timestamp};

/// Between two bells, unless something has just become critical.
const QUIET: Duration = Duration::from_secs(30);
/// Longest text of a notification, in characters.
const LONGEST: usize = 200;
/// Longest clipboard text the common terminals take, bytes of base64.
const CLIPBOARD: usize = 74_994;
/// Longest piece that GNU screen passes on.
const SCREEN_PIECE: usize = 700;
/// A desktop service that is being started can hold the call for a minute.
const DESKTOP_WAIT: Duration = Duration::from_secs(2);

/// What stands between us and the operator's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Nothing that we know of.
    Nothing,
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Inside {
    /// Tells it by the environment.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        if set("TMUX") {
            Self::Tmux
        } else if set("STY") || env("TERM").is_some_and(|term| term.starts_with("screen")) {
            Self::Screen
        } else {
            Self::Nothing
        }
    }

    /// The sequence as the outer terminal gets it.
    fn pass(self, sequence: &str) -> String {
        match self {
            Self::Nothing => sequence.to_owned(),
            Self::Tmux => format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")),
            Self::Screen => {
                let mut out = String::new();
                for piece in sequence.as_bytes().chunks(SCREEN_PIECE) {
                    out.push_str("\x1bP");
                    out.push_str(&String::from_utf8_lossy(piece));
                    out.push_str("\x1b\\");
                }
                out
            }
        }
    }
}

/// Announces transitions beside the screen.
#[derive(Debug)]
pub struct Announcer {
    settings: NotifySettings,
    inside: Inside,
    desktop: bool,
    rang: Option<Timestamp>,
    title: String,
}

impl Announcer {
    /// One for this environment.
    pub fn new(settings: NotifySettings, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        let session = ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"].into_iter().any(set);
        Self {
            settings,
            inside: Inside::of(env),
            desktop: settings.desktop && session,
            rang: None,
            title: String::new(),
        }
    }

    /// The bytes that announce a transition: the bell, and the notification that was configured.
    pub fn announce(&mut self, now: Timestamp, says: &str, critical: bool) -> Vec<u8> {
        let mut out = String::new();
        let quiet = self.rang.is_some_and(|rang| now.since(rang) < QUIET);
        if self.settings.bell && (critical || !quiet) {
            out.push('\x07');
            self.rang = Some(now);
        }
        if let Some(kind) = self.settings.osc {
            // The parts of these sequences are parted by semicolons.
            let says = clean(says).replace(';', ",");
            let sequence = match kind {
                99 => format!("\x1b]99;;{says}\x07"),
                777 => format!("\x1b]777;notify;warroom;{says}\x07"),
                _ => format!("\x1b]9;{says}\x07"),
            };
            out.push_str(&self.inside.pass(&sequence));
        }
        out.into_bytes()
    }

    /// Whether a desktop would show notifications.
    pub const fn has_desktop(&self) -> bool {
        self.desktop
    }

    /// The bytes that set the title to what `world` says; none when it stands there already.
    pub fn title(&mut self, world: &World, environment: &str) -> Vec<u8> {
        if !self.settings.title {
            return Vec::new();
        }
        let title = title(world, environment);
        if title == self.title {
            return Vec::new();
        }
        let bytes = format!("\x1b]2;{title}\x07").into_bytes();
        self.title = title;
        bytes
    }

    /// Sets the title anew the next time: somebody else has had the terminal.
    pub fn forget(&mut self) {
        self.title.clear();
    }

    /// The bytes that put text on the clipboard of the operator's terminal.
    ///
    /// # Errors
    /// When it is longer than terminals take.
    pub fn copy(&self, text: &str) -> Result<Vec<u8>, String> {
        let encoded = BASE64_STANDARD.encode(text);
        if encoded.len() > CLIPBOARD {
            return Err(format!("{} bytes are more than a terminal's clipboard takes", text.len()));
        }
        let plain = format!("\x1b]52;c;{encoded}\x07");
        let passed = self.inside.pass(&plain);
        // tmux takes one of the two, by its settings set-clipboard and allow-passthrough.
        Ok(if self.inside == Inside::Tmux { plain + &passed } else { passed }.into_bytes())
    }
}

/// Shows a desktop notification; silent where there is no desktop, and never longer than two seconds.
pub async fn desktop(says: String, critical: bool) {
    let urgency = if critical { notify_rust::Urgency::Critical } else { notify_rust::Urgency::Normal };
    let mut notification = notify_rust::Notification::new();
    notification.appname("warroom").summary("warroom").body(&escape(&clean(&says))).urgency(urgency);
    let shown = tokio::time::timeout(DESKTOP_WAIT, notification.show_async()).await;
    drop(shown);
}

/// What the title says: `!! LOCKS on primary — warroom production`.
fn title(world: &World, environment: &str) -> String {
    let verdict = &world.judgement.verdict;
    let what = match (verdict.severity, verdict.resource, &verdict.target) {
        (Severity::Ok, ..) => String::new(),
        (severity, Some(resource), Some(target)) => {
            format!("{} {} on {target} — ", severity.glyph(), resource.headline())
        }
        (severity, ..) => format!("{} ", severity.glyph()),
    };
    clean(&format!("{what}warroom {environment}"))
}

fn clean(text: &str) -> String {
    SafeText::new(text).as_str().chars().take(LONGEST).collect()
}

/// Desktop services read the body as markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcer(osc: Option<u16>, inside: &'static str) -> Announcer {
        let settings = NotifySettings { osc, ..NotifySettings::default() };
        Announcer::new(settings, &move |name| (name == inside).then(|| "1".to_owned()))
    }

    fn said(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("sequences are text")
    }

    #[test]
    fn the_bell_keeps_quiet_for_a_while_unless_it_is_critical() {
        let mut announcer = announcer(None, "");
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(announcer.announce(at(0), "x", false), b"\x07");
        assert_eq!(announcer.announce(at(10), "x", false), b"");
        assert_eq!(announcer.announce(at(11), "x", true), b"\x07");
        assert_eq!(announcer.announce(at(42), "x", false), b"\x07");
    }

    #[test]
    fn hostile_text_stays_inside_its_sequence_and_tmux_passes_it_on() {
        let says = "a;b\x1b]52;c;AAAA\x07\u{9c}\n4;";
        let now = Timestamp::default();
        let plain = announcer(Some(777), "").announce(now, says, true);
        let text = said(&plain).strip_prefix("\x07\x1b]777;notify;warroom;").expect("the sequence opens");
        let payload = text.strip_suffix('\x07').expect("the sequence ends");
        assert!(!payload.chars().any(|c| c.is_control() || c == ';'), "{payload:?}");
        let wrapped = announcer(Some(9), "TMUX").announce(now, "x", true);
        assert_eq!(said(&wrapped), "\x07\x1bPtmux;\x1b\x1b]9;x\x07\x1b\\");
        let wrapped = announcer(Some(9), "STY").announce(now, "x", true);
        assert_eq!(said(&wrapped), "\x07\x1bP\x1b]9;x\x07\x1b\\");
    }

    #[test]
    fn the_clipboard_takes_what_terminals_take() {
        let announcer = announcer(None, "");
        assert_eq!(announcer.copy("light w").as_deref().map(said), Ok("\x1b]52;c;bGlnaHQgdw==\x07"));
        assert!(announcer.copy(&"x".repeat(60_000)).is_err());
    }
}
