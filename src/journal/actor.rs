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
        .or_else(|| login_name(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid.as_raw()))
        .unwrap_or_else(|| format!("uid {}", uid.as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let from = set("SSH_CONNECTION").and_then(|line| line.split(' ').next().map(SafeText::new));
    Actor { user: SafeText::new(&user), host: SafeText::new(&host), from }
}

/// The name of a user in the text of a password file.
fn login_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_without_an_environment_still_has_a_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nbroken\noncall:x:1000:1000::/home/oncall:/bin/sh\n";
        assert_eq!(login_name(passwd, 1000).as_deref(), Some("oncall"));
        assert_eq!(login_name(passwd, 7), None);
    }
}
