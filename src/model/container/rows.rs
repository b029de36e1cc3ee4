//! Synthetic records: cells of the client's record and of the baseline by coalition, in the format of the client's
//! request, cut into requests. Each cell keeps its own spelling.

use std::iter::Peekable;
use std::sync::Arc;

use crate::model::{Call, Game, ModelError};
use crate::records::{Format, Table, Template};

/// The cells of one record as they stand in a row of one format.
pub(super) struct Cells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    pub(super) fn of_record(table: &Table, record_idx: usize, format: Format) -> Self {
        let mut cells = Self { bytes: Vec::new(), ends: Vec::with_capacity(table.n_columns()) };
        for column_idx in 0..table.n_columns() {
            table.cell(record_idx, column_idx).write(format, &mut cells.bytes);
            cells.ends.push(cells.bytes.len());
        }
        // An empty line would be no record.
        if format == Format::Csv && cells.bytes.is_empty() && cells.ends.len() == 1 {
            cells.bytes.extend_from_slice(b"\"\"");
            cells.ends[0] = cells.bytes.len();
        }
        cells
    }

    pub(super) fn of_records(table: &Table, format: Format) -> Arc<[Self]> {
        (0..table.n_records()).map(|record_idx| Self::of_record(table, record_idx, format)).collect()
    }

    pub(super) fn get(&self, idx: usize) -> &[u8] {
        let start = if idx == 0 { 0 } else { self.ends[idx - 1] };
        &self.bytes[start..self.ends[idx]]
    }
}

/// What stands around the cells of a row.
#[derive(Clone)]
pub(super) struct RowFormat {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl RowFormat {
    pub(super) fn new(format: Format, template: Option<&Template>) -> Result<Self, ModelError> {
        let (before, after) = match (format, template) {
            (Format::Csv, _) => (String::new(), String::new()),
            (Format::JsonLines, Some(template)) => {
                (format!("{}[", template.before()), format!("]{}", template.after()))
            }
            (Format::JsonLines, None) => return Err(ModelError::NoTemplate),
        };
        Ok(Self { before: before.into_bytes(), after: after.into_bytes() })
    }

    fn row<'a>(&self, n_cells: usize, cell: impl Fn(usize) -> &'a [u8]) -> Vec<u8> {
        let mut row = self.before.clone();
        for idx in 0..n_cells {
            if idx > 0 {
                row.push(b',');
            }
            row.extend_from_slice(cell(idx));
        }
        row.extend_from_slice(&self.after);
        row
    }
}

/// The baseline as it is: nobody is present.
pub(super) fn of_nobody(baseline: Arc<[Cells]>, format: RowFormat) -> impl Iterator<Item = Vec<u8>> + Send {
    (0..baseline.len()).map(move |row_idx| {
        let cells = &baseline[row_idx];
        format.row(cells.ends.len(), |idx| cells.get(idx))
    })
}

/// Every coalition with every baseline row, game by game. Players that are present keep the record's cell.
pub(super) fn of_games(
    call: Arc<Call>,
    games: Arc<[Game]>,
    baseline: Arc<[Cells]>,
    format: RowFormat,
) -> impl Iterator<Item = Vec<u8>> + Send {
    (0..games.len()).flat_map(move |game_idx| {
        let (games, baseline, format) = (Arc::clone(&games), Arc::clone(&baseline), format.clone());
        let record = Cells::of_record(&call.records, games[game_idx].record_idx, call.records.format());
        let players = player_of_feature(&games[game_idx], call.records.n_columns());
        let n_rows = 2 * games[game_idx].coalitions.n_pairs() * baseline.len();
        (0..n_rows).map(move |row_idx| {
            let (coalition_idx, absent) = (row_idx / baseline.len(), &baseline[row_idx % baseline.len()]);
            let coalitions = &games[game_idx].coalitions;
            let is_present = |player| coalitions.is_present(coalition_idx, player);
            let source = |idx: usize| if players[idx].is_some_and(is_present) { &record } else { absent };
            format.row(players.len(), |idx| source(idx).get(idx))
        })
    })
}

fn player_of_feature(game: &Game, n_features: usize) -> Vec<Option<usize>> {
    let mut players = vec![None; n_features];
    for (player_idx, &feature) in game.players.iter().enumerate() {
        players[feature as usize] = Some(player_idx);
    }
    players
}

/// What one request to a container may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    pub(super) rows_max: usize,
    pub(super) bytes_max: usize,
}

/// The records of one request, a line each, none at the end.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    pub(super) body: Vec<u8>,
    pub(super) n_rows: usize,
}

/// The next rows that fit into one request; none at the end.
pub(super) fn next_batch(
    rows: &mut Peekable<impl Iterator<Item = Vec<u8>>>,
    limits: BatchLimits,
) -> Result<Option<Batch>, ModelError> {
    let mut batch = Batch::default();
    while let Some(row) = rows.peek().filter(|_| batch.n_rows < limits.rows_max) {
        let bytes = batch.body.len() + usize::from(batch.n_rows > 0) + row.len();
        if bytes > limits.bytes_max && batch.n_rows > 0 {
            break;
        }
        if bytes > limits.bytes_max {
            return Err(ModelError::RowTooLarge { bytes, limit: limits.bytes_max });
        }
        if batch.n_rows > 0 {
            batch.body.push(b'\n');
        }
        batch.body.extend_from_slice(row);
        batch.n_rows += 1;
        rows.next();
    }
    Ok((batch.n_rows > 0).then_some(batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_end_at_either_limit_and_lose_no_row() {
        let cut = |rows_max, bytes_max| {
            let mut rows =
                ["1,2", "3,4", "55,66", "7,8"].map(|row| row.as_bytes().to_vec()).into_iter().peekable();
            let limits = BatchLimits { rows_max, bytes_max };
            let next = || next_batch(&mut rows, limits).map(|batch| batch.map(|batch| batch.body)).transpose();
            let batches: Result<Vec<Vec<u8>>, ModelError> = std::iter::from_fn(next).collect();
            batches.map(|batches| {
                batches.into_iter().map(|body| String::from_utf8(body).expect("is UTF-8")).collect()
            })
        };
        let cut = |rows_max, bytes_max| -> Result<Vec<String>, String> {
            cut(rows_max, bytes_max).map_err(|error: ModelError| error.to_string())
        };
        assert_eq!(cut(9, 99), Ok(vec!["1,2\n3,4\n55,66\n7,8".to_owned()]));
        assert_eq!(cut(3, 99), Ok(vec!["1,2\n3,4\n55,66".to_owned(), "7,8".to_owned()]));
        assert_eq!(cut(1, 99).map(|batches| batches.len()), Ok(4));
        assert_eq!(cut(9, 7), Ok(vec!["1,2\n3,4".to_owned(), "55,66".to_owned(), "7,8".to_owned()]));
        assert!(cut(9, 4).expect_err("is refused").contains("has 5 bytes; the limit of one request is 4 bytes"));
    }
}
