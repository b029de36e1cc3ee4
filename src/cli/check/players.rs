//! Records whose texts play in units → how many players they have, and which have too many to be explained. Asks nothing.

use std::fmt;

use super::report::count;
use crate::endpoints::Probe;
use crate::explain::ExplainError;
use crate::records::Table;
use crate::records::units::Granularity;

/// At least one record can be explained.
pub(super) struct Players {
    granularity: Granularity,
    fewest: usize,
    most: usize,
    /// Of the record that needs most.
    pub(super) n_synthetic_records: usize,
    n_records: usize,
    n_refused: usize,
    first_refusal: Option<ExplainError>,
}

impl Players {
    /// None where no feature is a text. Fails where none of the records can be explained.
    pub(super) fn of(probe: &Probe, records: &Table) -> anyhow::Result<Option<Self>> {
        let Some(cutter) = probe.cutter() else { return Ok(None) };
        let mut players = Self {
            granularity: cutter.granularity(),
            fewest: usize::MAX,
            most: 0,
            n_synthetic_records: 0,
            n_records: 0,
            n_refused: 0,
            first_refusal: None,
        };
        for (record_idx, pieces) in cutter.cut_each(records).enumerate() {
            let pieces = pieces?;
            players.count(pieces.len(), probe.n_synthetic_records_of(record_idx, &pieces));
        }
        match players.first_refusal {
            Some(refusal) if players.n_refused == players.n_records => Err(refusal.into()),
            _ => Ok(Some(players)),
        }
    }

    fn count(&mut self, n_players: usize, n_synthetic_records: Result<usize, ExplainError>) {
        self.n_records += 1;
        self.fewest = self.fewest.min(n_players);
        self.most = self.most.max(n_players);
        match n_synthetic_records {
            Ok(n) => self.n_synthetic_records = self.n_synthetic_records.max(n),
            Err(refusal) => {
                self.n_refused += 1;
                self.first_refusal.get_or_insert(refusal);
            }
        }
    }

    /// What requests with some of the records will be told.
    pub(super) fn refused(&self) -> Option<String> {
        let refusal = self.first_refusal.as_ref()?;
        let (n_refused, n_records) = (self.n_refused, self.n_records);
        Some(format!("{refusal}. Requests with such records, {n_refused} of {n_records} here, are refused"))
    }
}

impl fmt::Display for Players {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let units = match self.granularity {
            Granularity::Token => "tokens",
            Granularity::Sentence => "sentences",
            Granularity::Paragraph => "paragraphs",
        };
        let (fewest, most) = (self.fewest, count(self.most, "player"));
        write!(out, "texts are cut into {units}: ")?;
        if self.fewest == self.most {
            write!(out, "{most} a record")
        } else {
            write!(out, "{fewest} to {most} a record")
        }
    }
}
