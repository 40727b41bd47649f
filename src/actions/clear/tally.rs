//! What a clear has done so far, and how it ended.

/// What was done so far; true at every moment, whatever ends the sweep.
#[derive(Clone, Debug, Default)]
pub(in crate::actions) struct Tally {
    /// Keys found that belong to the namespace.
    pub matched: u64,
    /// Keys the server says it removed, or that expire sooner now.
    pub deleted: u64,
    /// Keys sent whose answer never came: they may be gone or not.
    pub in_doubt: u64,
    /// What the second look found; `None` before it.
    pub back: Option<Back>,
    /// Share of the keyspace walked through, 0 to 1.
    pub share: f64,
    /// Replicas that were asked whether they have heard of all of it.
    pub replicas: u64,
    /// Those of them that have not.
    pub unheard: u64,
    /// Slowed down because others feel it.
    pub braked: bool,
    /// Held, and by what, until it gets better.
    pub held: Option<&'static str>,
}

/// What a second look found: keys of the namespace that came, or came back, while the sweep went on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::actions) struct Back {
    /// Keys of the namespace seen.
    pub keys: u64,
    /// Every key was looked at; else only about this many.
    pub among: Option<u64>,
}

/// How a sweep ended.
#[derive(Debug)]
pub(in crate::actions) enum End {
    /// The cursor came round, and the second look is done too.
    Finished,
    /// The operator stopped it.
    Stopped,
    /// It could not go on, and why.
    Broke(String),
}
