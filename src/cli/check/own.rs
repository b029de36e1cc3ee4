//! The steps that send the client's own records: one, then two, as clients send them.

use std::io::{self, Write};

use anyhow::anyhow;

use super::input::Records;
use super::report::{Outcome, count, read_as};
use super::steps::{Check, ONE, TWO};
use super::subject::Own;
use crate::aws::advice::{Doubt, Remedy};
use crate::model::Predictions;
use crate::shap::Link;

impl<W: Write> Check<W> {
    /// None where no remedy makes it readable.
    pub(super) async fn one_record(&mut self, records: &Records) -> anyhow::Result<Option<Predictions>> {
        let own = self.subject.own(records, 1).await?;
        let Some(predictions) = self.settle(ONE, own, records).await? else { return Ok(None) };
        self.doubt(records, &predictions).await?;
        let is_probability = |score: &f64| (0.0..=1.0).contains(score);
        if self.subject.probe.link == Link::Logit && !predictions.values.iter().all(is_probability) {
            self.report.warning("UseLogit needs scores from 0 to 1; others are clipped")?;
        }
        Ok(Some(predictions))
    }

    /// The answer for one record again, since a remedy may have changed it, and that for two, if there is one.
    pub(super) async fn two_records(
        &mut self,
        records: &Records,
        alone: Predictions,
    ) -> anyhow::Result<(Predictions, Option<Predictions>)> {
        let mut own = self.subject.own(records, 2).await?;
        own.refuse_other_outputs(&alone);
        let n_adopted = self.n_adopted();
        let two = self.settle(TWO, own, records).await?;
        if self.n_adopted() > n_adopted {
            let again = self.subject.own(records, 1).await?.outcome;
            return Ok((again.map_err(|fault| anyhow!("one record, with what mended two: {fault}"))?, two));
        }
        if two.is_none() {
            self.report.warning("requests of clients can have one record only")?;
        }
        Ok((alone, two))
    }

    /// Shows what was asked and answered; where that does not do, with the first remedy with which it does.
    async fn settle(&mut self, name: &str, own: Own, records: &Records) -> anyhow::Result<Option<Predictions>> {
        let outcome = if own.outcome.is_ok() { Outcome::Ok } else { Outcome::Failed };
        self.report.step(name, outcome, Some(own.took), "")?;
        self.show(&own)?;
        let fault = match own.outcome {
            Ok(predictions) => return Ok(Some(predictions)),
            Err(fault) => fault,
        };
        self.report.fault(fault)?;
        for remedy in own.remedies {
            let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { continue };
            let again = subject.own(records, own.n_records).await?;
            if again.outcome.is_ok() {
                self.adopt(remedy, subject)?;
                self.show(&again)?;
                return Ok(again.outcome.ok());
            }
        }
        Ok(None)
    }

    fn show(&mut self, own: &Own) -> io::Result<()> {
        let read = |idx| {
            let predictions = own.outcome.as_ref().ok()?;
            Some(read_as(predictions.values.row(idx), predictions.labels.as_deref()))
        };
        if let Some(exchange) = &own.exchange {
            self.report.exchange(exchange, own.n_records, read)?;
        }
        if own.outcome.is_ok() && own.n_selected < own.n_records {
            let selected = format!("{} of {}", own.n_selected, own.n_records);
            self.report.line(format_args!("    EnableExplanations would have {selected} explained"))?;
        }
        Ok(())
    }

    /// What may be meant otherwise is shown as it would be read then.
    async fn doubt(&mut self, records: &Records, predictions: &Predictions) -> anyhow::Result<()> {
        let Some(Doubt { reason, amendment }) = self.subject.doubt(predictions, 1) else { return Ok(()) };
        let remedy = Remedy::Amend(amendment);
        let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { return Ok(()) };
        if let Ok(otherwise) = subject.own(records, 1).await?.outcome {
            let read = read_as(otherwise.values.row(0), otherwise.labels.as_deref());
            self.report.warning(format_args!("{reason}. With this it would read {read}:"))?;
            self.report.remedy(&remedy)?;
        }
        Ok(())
    }
}

impl Own {
    /// Two records have as many scores each as one has alone.
    fn refuse_other_outputs(&mut self, alone: &Predictions) {
        let Ok(two) = &self.outcome else { return };
        let (got, expected) = (two.values.ncols(), alone.values.ncols());
        if got != expected {
            let (got, expected) = (count(got, "score"), count(expected, "score"));
            self.outcome = Err(format!(
                "each record has {got}, and alone it has {expected}: one answer may have been read as those of both"
            ));
        }
    }
}
