//! Names for acts.

use std::hash::{BuildHasher, RandomState};

use crate::model::{PlanId, Timestamp};

/// A name for one act: the moment of its plan, this process, and chance, so that two of one moment
/// differ on a bastion that several people share.
#[must_use]
pub fn plan_id(read_at: Timestamp) -> PlanId {
    let process = std::process::id();
    // Every such state has random keys of its own.
    let chance = RandomState::new().hash_one((read_at, process));
    PlanId(format!("{:x}-{process:x}-{:08x}", read_at.as_micros(), chance & 0xffff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_plans_of_one_moment_have_two_names() {
        assert_ne!(plan_id(Timestamp::default()), plan_id(Timestamp::default()));
    }
}
