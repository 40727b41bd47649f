//! From a role to a style: the only file that knows a colour.

use ratatui::style::{Color, Modifier, Style};
use thiserror::Error;

use crate::model::Severity;

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $name:literal,)*) => {
        /// What a piece of the screen means. A theme gives each a style.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Role { $($(#[$doc])* $role,)* }

        impl Role {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$role,)*];

            /// Its name in a theme's file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$role => $name,)* }
            }
        }
    };
}

roles! {
    /// Plain text, and the ground of the whole screen.
    Text = "text",
    /// Units, labels, what can wait.
    Muted = "muted",
    /// Titles of panes and tables.
    Title = "title",
    /// Lines between panes.
    Border = "border",
    /// The line over the focused pane.
    BorderFocus = "border_focus",
    /// The top line.
    Header = "header",
    /// The environment's name.
    Env = "env",
    /// The same where a mistake costs most.
    EnvProduction = "env_production",
    /// The clock while it runs.
    Live = "live",
    /// The clock while an earlier moment is shown.
    Past = "past",
    /// Fine.
    Ok = "ok",
    /// Cannot be judged.
    Unknown = "unknown",
    /// Look at it.
    Warning = "warning",
    /// Act on it.
    Critical = "critical",
    /// The verdict's head when all is well.
    VerdictOk = "verdict_ok",
    /// The verdict's head when nothing can be judged.
    VerdictUnknown = "verdict_unknown",
    /// The verdict's head for a warning.
    VerdictWarning = "verdict_warning",
    /// The verdict's head for a critical finding.
    VerdictCritical = "verdict_critical",
    /// The selected row.
    Selected = "selected",
    /// A marked row's mark.
    Marked = "marked",
    /// A key that helps.
    Key = "key",
    /// Heads of columns.
    Column = "column",
    /// The bars of a chart.
    Chart = "chart",
    /// A hole in a chart: no answer.
    ChartGap = "chart_gap",
    /// A deploy mark.
    Deploy = "deploy",
    /// The lines of a tree.
    Tree = "tree",
    /// What is being typed.
    Input = "input",
    /// What cannot be chosen now.
    Greyed = "greyed",
    /// What was true a while ago.
    Stale = "stale",
    /// The ground of a dialog.
    Dialog = "dialog",
    /// The choice that has the focus.
    Button = "button",
    /// A line to be read in passing.
    Notice = "notice",
}

impl Role {
    /// The role of a severity.
    #[must_use]
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Ok => Self::Ok,
            Severity::Unknown => Self::Unknown,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }

    /// The role of the verdict's head.
    #[must_use]
    pub const fn verdict(severity: Severity) -> Self {
        match severity {
            Severity::Ok => Self::VerdictOk,
            Severity::Unknown => Self::VerdictUnknown,
            Severity::Warning => Self::VerdictWarning,
            Severity::Critical => Self::VerdictCritical,
        }
    }
}

/// The themes that come with the program; the first is the default.
const BUILT_IN: &[(&str, &str)] = &[
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("midnight", include_str!("../../themes/midnight.toml")),
];

/// A style for every role.
#[derive(Clone, Debug)]
pub struct Theme {
    name: String,
    styles: Vec<Style>,
}

/// Why a theme cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("no theme is called {0:?}; there are {1}")]
    Name(String, String),
    /// The file is no TOML table of strings.
    #[error("theme {0}: {1}")]
    Toml(String, String),
    /// A role has no style.
    #[error("theme {0}: the role {1:?} is missing")]
    Missing(String, &'static str),
    /// A key is no role.
    #[error("theme {0}: {1:?} is no role")]
    Role(String, String),
    /// A word of a style is neither colour nor modifier.
    #[error("theme {0}: {1:?} is no colour and no modifier")]
    Word(String, String),
}

impl Default for Theme {
    /// Every role in the terminal's own colours, told apart by nothing: only for the moment before a theme is read.
    fn default() -> Self {
        Self { name: String::new(), styles: vec![Style::new(); Role::ALL.len()] }
    }
}

impl Theme {
    /// Names of the built-in themes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The built-in theme of this name.
    ///
    /// # Errors
    /// When there is none; the message names those that are.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (name, text) = found.ok_or_else(|| {
            let known: Vec<_> = Self::names().collect();
            ThemeError::Name(name.to_owned(), known.join(", "))
        })?;
        Self::parse(name, text)
    }

    /// The theme to start with: `mono` where colour is not wanted, else the one that was configured, else the default.
    ///
    /// # Errors
    /// When the configured name is unknown.
    pub fn choose(configured: Option<&str>, no_color: bool) -> Result<Self, ThemeError> {
        Self::named(if no_color { "mono" } else { configured.unwrap_or("terminal") })
    }

    /// Reads a theme from its TOML text.
    ///
    /// # Errors
    /// When a role is missing or unknown, or a style cannot be read.
    pub fn parse(name: &str, text: &str) -> Result<Self, ThemeError> {
        let table: std::collections::BTreeMap<String, String> = toml::from_str(text)
            .map_err(|error| ThemeError::Toml(name.to_owned(), error.message().to_owned()))?;
        if let Some(stranger) = table.keys().find(|key| Role::ALL.iter().all(|role| role.name() != *key)) {
            return Err(ThemeError::Role(name.to_owned(), stranger.clone()));
        }
        let styles = Role::ALL
            .iter()
            .map(|role| {
                let words = table
                    .get(role.name())
                    .ok_or_else(|| ThemeError::Missing(name.to_owned(), role.name()))?;
                style(words).map_err(|word| ThemeError::Word(name.to_owned(), word))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), styles })
    }

    /// The theme as a terminal can show it: without true colour, by the nearest of 256.
    #[must_use]
    pub fn shown_in(mut self, true_colour: bool) -> Self {
        if !true_colour {
            for style in &mut self.styles {
                style.fg = style.fg.map(super::depth::nearest);
                style.bg = style.bg.map(super::depth::nearest);
            }
        }
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }
}

/// `bold white on red`: a colour, after `on` the ground, and modifiers. The word it stumbles over on failure.
fn style(words: &str) -> Result<Style, String> {
    let mut style = Style::new().fg(Color::Reset).bg(Color::Reset);
    let mut ground = false;
    for word in words.split_whitespace() {
        let modifier = match word {
            "on" => {
                ground = true;
                continue;
            }
            "bold" => Some(Modifier::BOLD),
            "dim" => Some(Modifier::DIM),
            "italic" => Some(Modifier::ITALIC),
            "underline" => Some(Modifier::UNDERLINED),
            "reverse" => Some(Modifier::REVERSED),
            _ => None,
        };
        style = if let Some(modifier) = modifier {
            style.add_modifier(modifier)
        } else {
            let color = color(word).ok_or_else(|| word.to_owned())?;
            if ground { style.bg(color) } else { style.fg(color) }
        };
    }
    Ok(style)
}

fn color(word: &str) -> Option<Color> {
    if let Some(hex) = word.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.is_ascii()) {
        let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
        return Some(Color::Rgb(part(0)?, part(2)?, part(4)?));
    }
    Some(match word {
        "default" => Color::Reset,
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_has_every_role_and_can_be_read() {
        for name in Theme::names() {
            let theme = Theme::named(name).expect(name);
            assert_eq!((theme.name(), theme.styles.len()), (name, Role::ALL.len()));
            assert_ne!(theme.style(Role::Critical), theme.style(Role::Text), "{name}");
            assert_ne!(theme.style(Role::Selected), theme.style(Role::Text), "{name}");
            assert_ne!(theme.style(Role::Warning), theme.style(Role::Critical), "{name}");
        }
    }

    #[test]
    fn mono_and_terminal_keep_to_what_they_promise() {
        let colours = |name: &str| {
            let theme = Theme::named(name).expect(name);
            theme.styles.iter().flat_map(|s| [s.fg, s.bg]).flatten().collect::<Vec<_>>()
        };
        assert!(colours("mono").iter().all(|color| *color == Color::Reset));
        assert!(!colours("terminal").iter().any(|color| matches!(color, Color::Rgb(..) | Color::Indexed(_))));
        assert_eq!(Theme::choose(Some("midnight"), true).expect("mono").name(), "mono");
    }

    #[test]
    fn a_bad_theme_is_refused_with_the_word_that_is_wrong() {
        let said = |text: &str| Theme::parse("t", text).expect_err("refused").to_string();
        assert_eq!(said("txet = \"red\""), "theme t: \"txet\" is no role");
        assert_eq!(said("text = \"rde\""), "theme t: \"rde\" is no colour and no modifier");
        assert_eq!(said("text = \"red\""), "theme t: the role \"muted\" is missing");
        assert!(Theme::named("sunrise").expect_err("unknown").to_string().contains("terminal, mono"));
    }
}
