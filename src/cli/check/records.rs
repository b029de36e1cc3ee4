//! The step that reads the file of records as the endpoint reads it.

use std::cmp::Ordering;
use std::io::{self, Write};
use std::time::Instant;

use anyhow::anyhow;

use super::input::{Input, Payload, Records};
use super::players::Players;
use super::report::{Outcome, count};
use super::steps::{Check, RECORDS};
use super::subject::Subject;
use crate::aws::advice::{self, Remedy};
use crate::model::ModelError;
use crate::records::{Format, Table};

impl<W: Write> Check<W> {
    /// None where they cannot be read.
    pub(super) async fn read(&mut self, input: Input) -> anyhow::Result<Option<Records>> {
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
        let fitting = Fitting::of(&self.subject, &payload);
        let outcome = if fitting.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let note = format!("{path}, {}", payload.content_type);
        self.report.step(RECORDS, outcome, Some(started.elapsed()), note)?;
        let Fitting { table, players } = match fitting {
            Ok(fitting) => fitting,
            Err(error) => {
                self.report.fault(error)?;
                let Some(fitting) = self.find_features(&payload).await? else { return Ok(None) };
                fitting
            }
        };
        let records = payload.into_records(&table, players);
        self.describe(&records)?;
        Ok(Some(records))
    }

    async fn find_features(&mut self, payload: &Payload) -> anyhow::Result<Option<Fitting>> {
        let Some(line) = payload.first_line() else { return Ok(None) };
        for amendment in advice::for_features(line, self.subject.probe.n_features) {
            let remedy = Remedy::Amend(amendment);
            let Some(subject) = self.opener.mended(&self.subject, &remedy).await else { continue };
            let Ok(fitting) = Fitting::of(&subject, payload) else { continue };
            self.adopt(remedy, subject)?;
            return Ok(Some(fitting));
        }
        Ok(None)
    }

    fn describe(&mut self, records: &Records) -> io::Result<()> {
        let probe = &self.subject.probe;
        let (n_records, n_features) = (count(records.lines.len(), "record"), count(probe.n_features, "feature"));
        let baseline = count(probe.n_baseline_rows, "row");
        self.report.line(format_args!("    {n_records} with {n_features}; the baseline has {baseline}"))?;
        if let Some(players) = &records.players {
            self.report.line(format_args!("    {players}"))?;
            players.refused().map_or(Ok(()), |refused| self.report.warning(refused))?;
        }
        if records.has_header {
            self.report
                .warning("the first record looks like a header row; it goes to the model like any other")?;
        }
        Ok(())
    }
}

/// Records that have as many features as the baseline has columns, and players that can be counted.
struct Fitting {
    table: Table,
    players: Option<Players>,
}

impl Fitting {
    fn of(subject: &Subject, payload: &Payload) -> anyhow::Result<Self> {
        let table = payload.table(&subject.probe)?;
        let (n_columns, expected) = (table.n_columns(), subject.probe.n_features);
        if n_columns != expected {
            let hint = hint(subject, payload.format, n_columns);
            let error = ModelError::Width { record: 1, n_columns, expected };
            return Err(anyhow!("{error}, the columns of the baseline{hint}"));
        }
        let players = Players::of(&subject.probe, &table)?;
        Ok(Self { table, players })
    }
}

/// What records of another width may suffer from.
fn hint(subject: &Subject, format: Format, n_columns: usize) -> &'static str {
    let expected = subject.probe.n_features;
    match n_columns.cmp(&expected) {
        Ordering::Greater if format == Format::Csv && subject.probe.cutter().is_some() => {
            ". A text that holds a comma must stand in quotes"
        }
        Ordering::Greater if n_columns == expected + 1 => ". Do the records still hold the label?",
        _ => "",
    }
}
