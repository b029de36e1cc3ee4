//! The steps that send synthetic records: a batch, and what is done when it is refused.

use std::io::{self, Write};

use super::input::Records;
use super::report::{Outcome, count, read_as};
use super::steps::{BATCH, Check, SMALLER};
use super::subject::{Batched, told_of_model};
use crate::model::container::BatchRow;
use crate::model::{ModelError, Predictions};

impl<W: Write> Check<W> {
    /// None where even single records fail.
    pub(super) async fn batch(
        &mut self,
        records: &Records,
        alone: &Predictions,
    ) -> anyhow::Result<Option<Batched>> {
        let batched = self.subject.batch(records, alone).await?;
        self.show_batch(&batched)?;
        if let Some(batched) = answered(batched) {
            self.spare(records, alone, &batched).await?;
            return Ok(Some(batched));
        }
        for remedy in self.subject.remedies_of_batch(records) {
            let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { continue };
            if let Some(batched) = answered(subject.batch(records, alone).await?) {
                self.adopt(remedy, subject)?;
                let batched = Ok(batched);
                self.show_batch(&batched)?;
                return Ok(batched.ok());
            }
        }
        Ok(None)
    }

    pub(super) fn no_batch(&mut self) -> io::Result<Option<Batched>> {
        for name in [BATCH, SMALLER] {
            let note = "no container: synthetic records are evaluated in this process";
            self.report.step(name, Outcome::Skipped, None, note)?;
        }
        Ok(None)
    }

    fn show_batch(&mut self, batched: &Result<Batched, ModelError>) -> io::Result<()> {
        let batched = match batched {
            Ok(batched) => batched,
            Err(error) => {
                self.report.step(BATCH, Outcome::Failed, None, "")?;
                self.report.fault(told_of_model(error))?;
                return self.report.step(SMALLER, Outcome::Skipped, None, "no request can be written");
            }
        };
        let together = &batched.together;
        let outcome = if together.read.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let note = format!("{} in one request, as explanations write them", rows(&batched.rows));
        self.report.step(BATCH, outcome, Some(together.took), note)?;
        if let Some(exchange) = together.exchanges.first() {
            let read = |idx| together.read.as_ref().ok().map(|scores| read_as(scores.row(idx), None));
            self.report.exchange(exchange, batched.rows.len(), read)?;
        }
        if let Err(error) = &together.read {
            self.report.fault(told_of_model(error))?;
        }
        self.show_smaller(batched)
    }

    fn show_smaller(&mut self, batched: &Batched) -> io::Result<()> {
        let Some(asked) = &batched.with_remedies else {
            let note = if batched.together.read.is_ok() { "the batch was answered" } else { "" };
            return self.report.step(SMALLER, Outcome::Skipped, None, note);
        };
        let outcome = if asked.read.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let n_answered = asked.exchanges.iter().filter(|exchange| exchange.reply.is_some()).count();
        let answered = format!("{}, {n_answered} answered", count(asked.exchanges.len(), "request"));
        self.report.step(SMALLER, outcome, Some(asked.took), format_args!("the same records in {answered}"))?;
        asked.read.as_ref().map_or_else(|error| self.report.fault(told_of_model(error)), |_| Ok(()))
    }

    /// What a refused batch costs, and what spares the refusal.
    async fn spare(&mut self, records: &Records, alone: &Predictions, batched: &Batched) -> anyhow::Result<()> {
        let Some((remedy, n_rows)) = batched.spare() else { return Ok(()) };
        let of_features = || self.subject.probe.n_synthetic_records();
        let n_synthetic = records.players.as_ref().map_or_else(of_features, |players| players.n_synthetic_records);
        let n_requests = n_synthetic.div_ceil(n_rows);
        self.report.warning(format_args!(
            "explanations do the same: up to {} for one record, and from time to time a refused one",
            count(n_requests, "request")
        ))?;
        let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { return Ok(()) };
        if subject.batch(records, alone).await?.is_ok_and(|batched| batched.together.read.is_ok()) {
            self.report.line("    this spares them the refused one:")?;
            self.report.remedy(&remedy)?;
        }
        Ok(())
    }
}

/// A batch whose records have their scores, however they were got.
fn answered(batched: Result<Batched, ModelError>) -> Option<Batched> {
    batched.ok().filter(|batched| batched.scores().is_some())
}

fn rows(rows: &[BatchRow]) -> String {
    let n_baseline_rows = rows.iter().filter(|row| matches!(row, BatchRow::Baseline(_))).count();
    let n_records = rows.len() - n_baseline_rows;
    match n_baseline_rows {
        0 => count(n_records, "record"),
        _ => format!("{} and {}", count(n_baseline_rows, "baseline row"), count(n_records, "record")),
    }
}
