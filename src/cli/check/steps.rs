//! The steps of a check, in order. A step that fails and has a remedy goes on with it, so that one run shows all that is to
//! be mended.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::anyhow;

use super::compare::{Comparison, compare};
use super::input::{Input, Payload, Records};
use super::report::{Outcome, Report, read_as, read_of};
use super::subject::{Batched, Opener, Own, Subject, told_of_model};
use crate::aws::advice::{self, Doubt, Remedy};
use crate::model::container::{BatchRow, ContainerError};
use crate::model::{ModelError, Predictions};
use crate::shap::Link;

const DEFINITION: &str = "definition";
const RECORDS: &str = "records";
const READY: &str = "ready";
const ONE: &str = "one record";
const TWO: &str = "two records";
const BATCH: &str = "a batch";
const SMALLER: &str = "smaller requests";
const SAME: &str = "same scores";
const STEPS: [&str; 8] = [DEFINITION, RECORDS, READY, ONE, TWO, BATCH, SMALLER, SAME];

/// Whether explanations will work.
pub(super) async fn check<W: Write>(
    opener: Opener,
    input: Input,
    accept: Option<String>,
    mut report: Report<W>,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    let subject = match opener.open(accept, input.target_model.is_some()).await {
        Ok(subject) => subject,
        Err(error) => {
            report.step(DEFINITION, Outcome::Failed, Some(started.elapsed()), opener.path.display())?;
            report.fault(format_args!("{error:#}"))?;
            return Ok(stopped(&mut report, DEFINITION)?);
        }
    };
    let note = format!("endpoint {:?}: {}", subject.name, subject.place);
    report.step(DEFINITION, Outcome::Ok, Some(started.elapsed()), note)?;
    let mut check = Check { opener, subject, report, adopted: Vec::new() };
    match check.read(input).await? {
        Some(records) => check.ask(&records).await,
        None => Ok(stopped(&mut check.report, RECORDS)?),
    }
}

/// No step after this one makes sense.
fn stopped<W: Write>(report: &mut Report<W>, after: &str) -> io::Result<bool> {
    for name in STEPS.into_iter().skip_while(|name| *name != after).skip(1) {
        report.step(name, Outcome::Skipped, None, "")?;
    }
    report.line(format_args!("\nExplanations will not work: see {after}."))?;
    Ok(false)
}

struct Check<W> {
    opener: Opener,
    /// With all remedies so far.
    subject: Subject,
    report: Report<W>,
    adopted: Vec<Remedy>,
}

impl<W: Write> Check<W> {
    async fn read(&mut self, input: Input) -> anyhow::Result<Option<Records>> {
        let started = Instant::now();
        let path = input.path.display().to_string();
        let payload = match input.read() {
            Ok(payload) => payload,
            Err(error) => {
                self.report.step(RECORDS, Outcome::Failed, Some(started.elapsed()), path)?;
                self.report.fault(format_args!("{error:#}"))?;
                return Ok(None);
            }
        };
        let read = self.fitting(&payload);
        let outcome = if read.is_ok() { Outcome::Ok } else { Outcome::Failed };
        self.report.step(RECORDS, outcome, Some(started.elapsed()), format_args!("{path}, {}", payload.content_type))?;
        let table = match read {
            Ok(table) => table,
            Err(error) => {
                self.report.fault(error)?;
                let Some(table) = self.find_features(&payload).await? else { return Ok(None) };
                table
            }
        };
        let records = payload.into_records(&table);
        self.describe(&records)?;
        Ok(Some(records))
    }

    /// The records, as many features as the baseline has columns.
    fn fitting(&self, payload: &Payload) -> anyhow::Result<crate::records::Table> {
        fitting(&self.subject, payload)
    }

    async fn find_features(&mut self, payload: &Payload) -> anyhow::Result<Option<crate::records::Table>> {
        let Some(line) = payload.first_line() else { return Ok(None) };
        for amendment in advice::for_features(line, self.subject.probe.n_features) {
            let remedy = Remedy::Amend(amendment);
            let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { continue };
            let Ok(table) = fitting(&subject, payload) else { continue };
            self.adopt(remedy, subject)?;
            return Ok(Some(table));
        }
        Ok(None)
    }

    fn describe(&mut self, records: &Records) -> io::Result<()> {
        let probe = &self.subject.probe;
        let counts = format!(
            "    {} with {}; the baseline has {}",
            count(records.lines.len(), "record"),
            count(records.n_features, "feature"),
            count(probe.n_baseline_rows, "row")
        );
        self.report.line(counts)?;
        if records.has_header {
            self.report.warning("the first record looks like a header row: models get it as a record like any other")?;
        }
        Ok(())
    }

    /// Goes on with a remedy that was tried.
    fn adopt(&mut self, remedy: Remedy, subject: Subject) -> io::Result<()> {
        self.report.line("    this mends it, and the check goes on with it:")?;
        self.report.remedy(&remedy)?;
        self.adopted.push(remedy);
        self.subject = subject;
        Ok(())
    }

    async fn ask(mut self, records: &Records) -> anyhow::Result<bool> {
        if !self.ready().await? {
            return Ok(stopped(&mut self.report, READY)?);
        }
        let Some(alone) = self.one_record(records).await? else { return Ok(stopped(&mut self.report, ONE)?) };
        let (alone, two) = self.two_records(records, alone).await?;
        let Some(batch) = self.batch(records, &alone).await? else { return Ok(stopped(&mut self.report, SMALLER)?) };
        let is_same = self.same_scores(&alone, two.as_ref(), batch.as_ref())?;
        self.conclude(is_same, two.is_some())
    }

    async fn ready(&mut self) -> anyhow::Result<bool> {
        let Some(container) = self.subject.probe.container() else {
            self.report.step(READY, Outcome::Skipped, None, "no container: the model is evaluated in this process")?;
            return Ok(true);
        };
        let (path, started) = (container.ready_path(), Instant::now());
        let answer = container.ping().await;
        let outcome = match &answer {
            Ok(()) => Outcome::Ok,
            Err(ContainerError::Unreachable) => Outcome::Failed,
            Err(_) => Outcome::Warning,
        };
        self.report.step(READY, outcome, Some(started.elapsed()), format_args!("GET {path}"))?;
        if let Err(error) = answer {
            let is_reached = !matches!(error, ContainerError::Unreachable);
            self.report.fault(told_of_model(&error.into()))?;
            if is_reached {
                self.report.fault("explaind does not ask it when it serves; SageMaker would not start the endpoint")?;
            }
            return Ok(is_reached);
        }
        Ok(true)
    }

    async fn one_record(&mut self, records: &Records) -> anyhow::Result<Option<Predictions>> {
        let own = self.subject.own(records, 1).await?;
        let n_selected = own.n_selected;
        let Some(predictions) = self.settle(ONE, own, records).await? else { return Ok(None) };
        if n_selected == 0 && self.adopted.is_empty() {
            self.report.fault("EnableExplanations leaves this record unexplained")?;
        }
        self.doubt(records, &predictions).await?;
        let is_probability = |score: &f64| (0.0..=1.0).contains(score);
        if self.subject.probe.link == Link::Logit && !predictions.values.iter().all(is_probability) {
            self.report.warning("UseLogit needs scores within 0 and 1: others are clipped")?;
        }
        Ok(Some(predictions))
    }

    /// Shows what a client's own records gave; where they failed, with the first remedy that does.
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
        let Some(exchange) = &own.exchange else { return Ok(()) };
        let read = |idx| own.outcome.as_ref().ok().and_then(|predictions| read_of(predictions, idx));
        self.report.exchange(exchange, own.n_records, read)
    }

    /// What may be meant otherwise is shown as it would be read then.
    async fn doubt(&mut self, records: &Records, predictions: &Predictions) -> anyhow::Result<()> {
        let Some(Doubt { reason, amendment }) = self.subject.doubt(predictions, 1) else { return Ok(()) };
        let remedy = Remedy::Amend(amendment);
        let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { return Ok(()) };
        if let Ok(otherwise) = subject.own(records, 1).await?.outcome {
            let read = read_as(otherwise.values.row(0), otherwise.labels.as_deref());
            self.report.warning(format_args!("{reason}. This would read {read}:"))?;
            self.report.remedy(&remedy)?;
        }
        Ok(())
    }

    /// The answer for one record again, since a remedy may have changed it, and that for two, if there is one.
    async fn two_records(
        &mut self,
        records: &Records,
        alone: Predictions,
    ) -> anyhow::Result<(Predictions, Option<Predictions>)> {
        let mut own = self.subject.own(records, 2).await?;
        if let Some(got) = own.outcome.as_ref().ok().map(|two| two.values.ncols()) {
            let expected = alone.values.ncols();
            if got != expected {
                let fault = "here and for one record alone: one answer was read as those of both";
                own.outcome = Err(format!("each record has {} {fault}", differing(got, expected)));
            }
        }
        let n_adopted = self.adopted.len();
        let two = self.settle(TWO, own, records).await?;
        if self.adopted.len() > n_adopted {
            let again = self.subject.own(records, 1).await?.outcome;
            let alone = again.map_err(|fault| anyhow!("one record failed with what mended two: {fault}"))?;
            return Ok((alone, two));
        }
        if two.is_none() {
            self.report.warning("requests of clients can have one record only")?;
        }
        Ok((alone, two))
    }

    /// None where even single records fail; nothing inside where there is no container.
    async fn batch(&mut self, records: &Records, alone: &Predictions) -> anyhow::Result<Option<Option<Batched>>> {
        if self.subject.probe.container().is_none() {
            for name in [BATCH, SMALLER] {
                let note = "no container: synthetic records are evaluated in this process";
                self.report.step(name, Outcome::Skipped, None, note)?;
            }
            return Ok(Some(None));
        }
        let batched = self.subject.batch(records, alone).await?;
        self.show_batch(&batched)?;
        if let Ok(batched) = batched
            && batched.scores().is_some()
        {
            self.spare(records, alone, &batched).await?;
            return Ok(Some(Some(batched)));
        }
        for remedy in self.subject.remedies_of_batch(records) {
            let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { continue };
            let again = subject.batch(records, alone).await?;
            if again.as_ref().is_ok_and(|batched| batched.scores().is_some()) {
                self.adopt(remedy, subject)?;
                self.show_batch(&again)?;
                return Ok(again.ok().map(Some));
            }
        }
        Ok(None)
    }

    fn show_batch(&mut self, batched: &Result<Batched, ModelError>) -> anyhow::Result<()> {
        let batched = match batched {
            Ok(batched) => batched,
            Err(error) => {
                self.report.step(BATCH, Outcome::Failed, None, "")?;
                self.report.fault(told_of_model(error))?;
                self.report.step(SMALLER, Outcome::Skipped, None, "no request could be written")?;
                return Ok(());
            }
        };
        let together = &batched.together;
        let outcome = if together.read.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let note = format!("{} in one request, as explanations send them", rows(&batched.rows));
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

    fn show_smaller(&mut self, batched: &Batched) -> anyhow::Result<()> {
        let Some(asked) = &batched.with_remedies else {
            let note = if batched.together.read.is_ok() { "the batch was answered" } else { "" };
            return Ok(self.report.step(SMALLER, Outcome::Skipped, None, note)?);
        };
        let outcome = if asked.read.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let note = format!("the same records in {}", count(asked.exchanges.len(), "request"));
        self.report.step(SMALLER, outcome, Some(asked.took), note)?;
        if let Err(error) = &asked.read {
            self.report.fault(told_of_model(error))?;
        }
        Ok(())
    }

    /// What a refused batch costs, and what spares the try.
    async fn spare(&mut self, records: &Records, alone: &Predictions, batched: &Batched) -> anyhow::Result<()> {
        let Some(remedy) = batched.spare() else { return Ok(()) };
        let limit = match batched.limits.rows_max {
            1 => "one record in each request",
            _ => "smaller requests",
        };
        self.report.warning(format_args!(
            "explanations go on with {limit}: up to {} for an explained record",
            count(self.subject.probe.n_synthetic_records() / batched.limits.rows_max.max(1), "request")
        ))?;
        let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { return Ok(()) };
        if subject.batch(records, alone).await?.is_ok_and(|batched| batched.together.read.is_ok()) {
            self.report.line("    this spares them the request that is refused:")?;
            self.report.remedy(&remedy)?;
        }
        Ok(())
    }

    fn same_scores(
        &mut self,
        alone: &Predictions,
        two: Option<&Predictions>,
        batch: Option<&Batched>,
    ) -> anyhow::Result<bool> {
        let alone = alone.values.row(0);
        let pair = [BatchRow::Record(0), BatchRow::Record(1)];
        let of_two = two.map(|two| compare(alone, &pair, &two.values));
        let of_batch = batch.and_then(|batch| Some(compare(alone, &batch.rows, batch.scores()?)));
        let mut difference: f64 = 0.0;
        let mut faults = Vec::new();
        let mut outcome = Outcome::Ok;
        for comparison in [of_two, of_batch].into_iter().flatten() {
            match comparison {
                Comparison::Same { difference: own } => difference = difference.max(own),
                Comparison::Near(fault) => {
                    outcome = if faults.is_empty() { Outcome::Warning } else { outcome };
                    faults.push(fault);
                }
                Comparison::Other(fault) => {
                    outcome = Outcome::Failed;
                    faults.push(fault);
                }
            }
        }
        let note = match faults.is_empty() {
            true if difference == 0.0 => "alone and among others".to_owned(),
            true => format!("alone and among others, up to {difference:.0e} of the largest score"),
            false => String::new(),
        };
        self.report.step(SAME, outcome, None, note)?;
        faults.into_iter().try_for_each(|fault| self.report.fault(fault))?;
        Ok(!matches!(outcome, Outcome::Failed))
    }

    fn conclude(mut self, is_same: bool, takes_two: bool) -> anyhow::Result<bool> {
        let works = is_same && self.adopted.is_empty();
        self.report.line("")?;
        if !is_same {
            self.report.line(format_args!("Explanations would be wrong: see {SAME}."))?;
        } else if works {
            let warnings = match self.report.n_warnings {
                0 => String::new(),
                n_warnings => format!(" See {} above.", count(n_warnings, "warning")),
            };
            let limits = if takes_two { "" } else { " for requests of one record" };
            self.report.line(format_args!("Explanations will work{limits}.{warnings}"))?;
        }
        if !self.adopted.is_empty() {
            self.report.line("Explanations need this, which the check went on with:")?;
            self.report.remedies(&self.adopted)?;
        }
        Ok(works)
    }
}

fn fitting(subject: &Subject, payload: &Payload) -> anyhow::Result<crate::records::Table> {
    let table = payload.table(&subject.probe)?;
    let (n_columns, expected) = (table.n_columns(), subject.probe.n_features);
    if n_columns == expected {
        return Ok(table);
    }
    let hint = if n_columns == expected + 1 { ". Do the records still hold the label?" } else { "" };
    let error = ModelError::Width { record: 1, n_columns, expected };
    Err(anyhow!("{error}, as the baseline has{hint}"))
}

fn differing(got: usize, expected: usize) -> String {
    format!("{} and {}", count(got, "score"), count(expected, "score"))
}

fn rows(rows: &[BatchRow]) -> String {
    let n_baseline_rows = rows.iter().filter(|row| matches!(row, BatchRow::Baseline(_))).count();
    let n_records = rows.len() - n_baseline_rows;
    match n_baseline_rows {
        0 => count(n_records, "record"),
        _ => format!("{} and {}", count(n_baseline_rows, "baseline row"), count(n_records, "record")),
    }
}

fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}
