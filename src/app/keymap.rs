//! Which key means which command: the table's own keys with the operator's rebindings laid over them.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{COMMANDS, Chord, ChordError, Command, CommandInfo, Settings};

/// Why a rebinding cannot be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeymapError {
    /// The name is not in the table.
    #[error("keys: no such command: {name:?}; the nearest is {nearest:?}")]
    Unknown {
        /// What was written.
        name: String,
        /// The command that is spelt most like it.
        nearest: &'static str,
    },
    /// The chord cannot be read.
    #[error("keys: {name}: {why}")]
    Chord {
        /// The command.
        name: String,
        /// What is wrong.
        why: ChordError,
    },
    /// Two commands want one key.
    #[error("keys: {chord} is both {first} and {second}; give one of them another key")]
    Taken {
        /// The key.
        chord: String,
        /// The command that has it.
        first: &'static str,
        /// The command that wants it too.
        second: &'static str,
    },
}

/// Keys to commands.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    by_chord: BTreeMap<Chord, Command>,
}

impl Keymap {
    /// The keymap with these rebindings, command name and chord: the chord takes the place of the
    /// command's first key.
    ///
    /// # Errors
    /// When a command is not known, a chord cannot be read, or two commands want one key; each names what.
    pub fn new(rebound: &[(String, String)]) -> Result<Self, KeymapError> {
        let mut keys: BTreeMap<Command, Vec<Chord>> = BTreeMap::new();
        for info in COMMANDS {
            let own = info.keys.iter().map(|key| read(info.name, key)).collect::<Result<_, _>>()?;
            keys.insert(info.command, own);
        }
        for (name, chord) in rebound {
            let info = named(name)
                .ok_or_else(|| KeymapError::Unknown { name: name.clone(), nearest: nearest(name).name })?;
            let chord = read(name, chord)?;
            let own = keys.entry(info.command).or_default();
            own.retain(|known| *known != chord);
            if !own.is_empty() {
                own.remove(0);
            }
            own.insert(0, chord);
        }
        let mut by_chord: BTreeMap<Chord, Command> = BTreeMap::new();
        for info in COMMANDS {
            for chord in keys.get(&info.command).into_iter().flatten() {
                if let Some(first) = by_chord.insert(*chord, info.command) {
                    let first = about(first).name;
                    return Err(KeymapError::Taken { chord: chord.to_string(), first, second: info.name });
                }
            }
        }
        Ok(Self { by_chord })
    }

    /// The keymap of these settings; where they cannot be taken, the table's own keys.
    pub fn of(settings: &Settings) -> Self {
        Self::new(&settings.keys).or_else(|_| Self::new(&[])).unwrap_or_default()
    }

    /// What a key means.
    pub fn command(&self, chord: Chord) -> Option<Command> {
        self.by_chord.get(&chord).copied()
    }

    /// The keys of a command, its first one first.
    pub fn keys(&self, command: Command) -> Vec<Chord> {
        let mut keys: Vec<Chord> =
            self.by_chord.iter().filter(|(_, known)| **known == command).map(|(chord, _)| *chord).collect();
        let place = |chord: &Chord| {
            let own = about(command).keys;
            // A rebound key is not in the table, and stands first.
            own.iter().position(|key| *key == chord.to_string()).map_or(0, |at| at + 1)
        };
        keys.sort_by_key(place);
        keys
    }

    /// The file that holds every command with its keys, for who wants to rebind one.
    pub fn file(&self) -> String {
        let mut out = String::from(
            "# Every command and its key. Copy a line below [keys] of your config to rebind it.\n[keys]\n",
        );
        for info in COMMANDS {
            let keys = self.keys(info.command);
            let first = keys.first().map(ToString::to_string).unwrap_or_default();
            let value = first.replace('\\', "\\\\").replace('"', "\\\"");
            let more: Vec<_> = keys.iter().skip(1).map(ToString::to_string).collect();
            let also = if more.is_empty() { String::new() } else { format!(" (also {})", more.join(", ")) };
            for part in ["# ", info.name, " = \"", &value, "\"   # ", info.says, &also, "\n"] {
                out.push_str(part);
            }
        }
        out
    }
}

fn read(name: &str, key: &str) -> Result<Chord, KeymapError> {
    key.parse().map_err(|why| KeymapError::Chord { name: name.to_owned(), why })
}

/// How a command is shown and reached.
pub fn about(command: Command) -> &'static CommandInfo {
    // The table holds every command; a test holds it to that.
    COMMANDS.iter().find(|info| info.command == command).unwrap_or(&COMMANDS[0])
}

/// The command of this name.
pub fn named(name: &str) -> Option<&'static CommandInfo> {
    COMMANDS.iter().find(|info| info.name == name)
}

/// The command that is spelt most like `name`.
pub fn nearest(name: &str) -> &'static CommandInfo {
    COMMANDS.iter().min_by_key(|info| distance(name, info.name)).unwrap_or(&COMMANDS[0])
}

/// Letters to change, add or drop to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(64).enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = before + usize::from(from != *to);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
