//! One console, kept open: a pooler that takes no more clients still answers it.

use super::console::Console;
use super::parse;
use crate::config::TargetSpec;
use crate::dial::PostgresDial;
use crate::model::{Missing, PollError, PoolerSample, Reading, SafeText, Sample, TargetId};
use crate::sources::one_answer::one_answer;
use crate::sources::{BoxFuture, Source};

/// Clients up to which they are listed: the console cannot be asked for some of them only.
const LISTED: u64 = 2_000;

/// Polls one PgBouncer.
pub(super) struct PgbouncerSource {
    target: TargetId,
    dial: PostgresDial,
    session: Option<Session>,
}

/// The console, and what is read once.
pub(super) struct Session {
    console: Console,
    pub(super) version: SafeText,
    max_clients: Option<u64>,
}

impl PgbouncerSource {
    /// Does not connect yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { target: spec.id.clone(), dial: PostgresDial::pooler(spec)?, session: None })
    }

    /// A failed or abandoned poll leaves no session: the next one opens another.
    async fn ask(&mut self) -> Result<PoolerSample, PollError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.dial).await?,
        };
        let sample = session.sample().await?;
        self.session = Some(session);
        Ok(sample)
    }
}

impl Session {
    pub(super) async fn open(dial: &PostgresDial) -> Result<Self, PollError> {
        let mut console = Console::open(dial).await?;
        let version = SafeText::new(console.show("show version").await?.first());
        let config = console.show("show config").await?;
        let max_clients = config.value("max_client_conn").and_then(|value| value.parse().ok());
        Ok(Self { console, version, max_clients })
    }

    pub(super) async fn sample(&mut self) -> Result<PoolerSample, PollError> {
        let pools = self.console.show("show pools").await?;
        let databases = self.console.show("show databases").await?;
        let stats = self.console.show("show stats").await?;
        let (pools, databases) = (parse::pools(&pools, &databases), parse::databases(&databases, &stats));
        let mut sample = parse::sample(&self.version, self.max_clients, pools, databases);
        if sample.clients > LISTED {
            let why = format!("{} clients are too many to list at every poll", sample.clients);
            sample.missing.push(Missing::new("pooled clients", &why));
        } else if sample.pools.iter().any(|pool| pool.servers_active > 0) {
            let servers = self.console.show("show servers").await?;
            let clients = self.console.show("show clients").await?;
            sample.links = parse::links(&servers, &clients);
        }
        Ok(sample)
    }

    pub(super) async fn close(self) {
        self.console.close().await;
    }
}

impl Source for PgbouncerSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.ask(), Sample::Pooler)
    }
}
