//! Judges what a backtest has read, beside those who answer requests: hundreds of thousands of values
//! take a core for a second, in which nobody else would be answered.

use anyhow::{Context, Result};
use muster_alerts::RuleDefinition;
use muster_alerts::backtest::{Backtest, Look, Outcome};
use muster_schemas::HostId;
use tokio::task::spawn_blocking;

use super::backtest_run::TestedHost;
use crate::io::from_postgres::backtest::Values;
use crate::logic::backtest::Teller;

pub(super) struct Judge {
    test: Backtest,
    hosts: Vec<(HostId, Teller)>,
}

impl Judge {
    pub(super) fn new(definition: &RuleDefinition, hosts: &[TestedHost]) -> Result<Self> {
        let mut test = Backtest::new(definition)?;
        for (host, labels) in hosts {
            test.host(host, labels.clone());
        }
        let hosts = hosts.iter().map(|(host, _)| (host.clone(), Teller::default())).collect();
        Ok(Self { test, hosts })
    }

    /// Values by the number of their host, of each in order of time, and later than all before.
    pub(super) async fn judged(mut self, values: Vec<(usize, Values)>) -> Result<Self> {
        let judging = spawn_blocking(move || {
            self.judge(&values);
            self
        });
        judging.await.context("a backtest ended in the middle of it")
    }

    fn judge(&mut self, values: &[(usize, Values)]) {
        let mut looks: Vec<(i64, usize, Look)> = Vec::new();
        for (index, values) in values {
            let told = self.hosts[*index].1.looks(&values.lines(), values.step_ms);
            looks.extend(told.into_iter().map(|look| (look.at, *index, look)));
        }
        looks.sort_by_key(|(at, index, _)| (*at, *index));
        for (_, index, look) in &looks {
            self.test.look(&self.hosts[*index].0, look);
        }
    }

    pub(super) fn finish(self) -> Outcome {
        self.test.finish()
    }
}
