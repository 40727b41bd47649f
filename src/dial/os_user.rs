//! The operating system's name for whoever runs this.

use std::os::unix::fs::MetadataExt as _;

/// The login name of the effective user, as `/etc/passwd` has it; else as the environment tells.
pub(super) fn os_user() -> Option<String> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let told = ["LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    name_of(uid, &known).or_else(|| told.filter(|name| !name.is_empty()))
}

fn name_of(uid: u32, passwd: &str) -> Option<String> {
    let mut users = passwd.lines().map(|line| line.split(':'));
    users.find_map(|mut user| {
        let name = user.next()?;
        (user.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_called_as_its_number_says() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\noncall:x:1000:1000::/home/oncall:/bin/sh\n";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("oncall"));
        assert_eq!(name_of(0, passwd).as_deref(), Some("root"));
        assert_eq!(name_of(7, passwd), None);
    }
}
