//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for ten thousand targets; a child that closes all it might have inherited is still done at once.
const ENOUGH: u64 = 65_536;

/// Asks the system for as many as it allows at most. A session is usually given 1024, which a few hundred targets
/// use up; where the system refuses, that number stays.
pub fn allow_enough() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if current.is_some_and(|now| now < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).ok();
    }
}
