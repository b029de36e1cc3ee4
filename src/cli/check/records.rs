//! The step that reads the file of records as the endpoint reads it.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::anyhow;

use super::input::{Input, Payload, Records};
use super::report::{Outcome, count};
use super::steps::{Check, RECORDS};
use super::subject::Subject;
use crate::aws::advice::{self, Remedy};
use crate::model::ModelError;
use crate::records::Table;

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
        let table = fitting(&self.subject, &payload);
        let outcome = if table.is_ok() { Outcome::Ok } else { Outcome::Failed };
        let note = format!("{path}, {}", payload.content_type);
        self.report.step(RECORDS, outcome, Some(started.elapsed()), note)?;
        let table = match table {
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

    async fn find_features(&mut self, payload: &Payload) -> anyhow::Result<Option<Table>> {
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
        let (n_records, n_features) = (count(records.lines.len(), "record"), count(probe.n_features, "feature"));
        let baseline = count(probe.n_baseline_rows, "row");
        self.report.line(format_args!("    {n_records} with {n_features}; the baseline has {baseline}"))?;
        if records.has_header {
            self.report
                .warning("the first record looks like a header row; it goes to the model like any other")?;
        }
        Ok(())
    }
}

/// The records, if they have as many features as the baseline has columns.
fn fitting(subject: &Subject, payload: &Payload) -> anyhow::Result<Table> {
    let table = payload.table(&subject.probe)?;
    let (n_columns, expected) = (table.n_columns(), subject.probe.n_features);
    if n_columns == expected {
        return Ok(table);
    }
    let hint = if n_columns == expected + 1 { ". Do the records still hold the label?" } else { "" };
    let error = ModelError::Width { record: 1, n_columns, expected };
    Err(anyhow!("{error}, the columns of the baseline{hint}"))
}
