//! Who is at the keyboard, as well as the system can tell.

use crate::model::{Actor, SafeText};

/// Who acts: through sudo the one who called it, else the login name, else the number.
#[must_use]
pub fn actor(env: &dyn Fn(&str) -> Option<String>) -> Actor {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let uid = rustix::process::getuid();
    // SUDO_USER means something only where sudo has really made us another user.
    let through_sudo = if uid.is_root() { set("SUDO_USER") } else { None };
    let user = through_sudo
        .or_else(|| set("LOGNAME"))
        .or_else(|| set("USER"))
        .unwrap_or_else(|| format!("uid {}", uid.as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let from = set("SSH_CONNECTION").and_then(|line| line.split(' ').next().map(SafeText::new));
    Actor { user: SafeText::new(&user), host: SafeText::new(&host), from }
}
