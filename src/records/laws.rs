//! Laws of tables that hold for every payload, and agreement with readers that others wrote.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::json_tree::{JsonError, Tree};
use super::{Cell, Encoding, Expression, Format, PayloadError, Table, parse_json};

const RECORDS_MAX: usize = 100;

fn read(payload: &[u8], format: Format) -> Option<Table> {
    Table::read(payload, format, None, RECORDS_MAX).ok()
}

fn cells(table: &Table) -> Vec<Vec<Cell<'_>>> {
    table.rows().map(Iterator::collect).collect()
}

/// All cells written in a format, commas between them and every record in one line.
fn write(table: &Table, target: Format) -> Vec<u8> {
    let (before, after): (&[u8], &[u8]) = match target {
        Format::Csv => (b"", b"\n"),
        Format::JsonLines => (b"[", b"]\n"),
    };
    let mut out = Vec::new();
    for row in table.rows() {
        out.extend_from_slice(before);
        for (column_idx, cell) in row.enumerate() {
            out.extend_from_slice(if column_idx == 0 { b"" } else { b"," });
            cell.write(target, &mut out);
        }
        out.extend_from_slice(after);
    }
    out
}

fn raws(table: &Table) -> Vec<Vec<&str>> {
    table.rows().map(|row| row.map(Cell::raw).collect()).collect()
}

/// Pieces that meet each other's special cases, seldom any byte at all.
fn payload(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        60 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..3),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn csv_payload() -> impl Strategy<Value = Vec<u8>> {
    payload(&[
        ",", ",", "\n", "\r\n", "\r", "\"", "\"\"", "\"a\"", " ", "\t", "a", "é", "1", "0", "-", "+", ".", "e5",
    ])
}

/// Lines of a few JSON scalars, as many in each.
fn json_rows() -> impl Strategy<Value = Vec<u8>> {
    const SCALARS: &[&str] =
        &["1", "-0", "1.50", "1e5", "null", "true", "\"\"", "\" a\"", "\"1\"", "\"\\u00e9,\\n\"", "\"a\\\"b\""];
    (1..4_usize).prop_flat_map(|n_columns| {
        let row = vec(select(SCALARS), n_columns).prop_map(|row| format!("[{}]", row.join(" ,")));
        vec(row, 1..5).prop_map(|rows| rows.join("\n").into_bytes())
    })
}

fn json_payload() -> impl Strategy<Value = Vec<u8>> {
    payload(&[
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\n",
        "\r",
        " ",
        "\"",
        "\\",
        "\"a\"",
        "\"\\u00e9\"",
        "\\ud800",
        "\\udc00",
        "null",
        "true",
        "1",
        "-",
        "0",
        ".",
        "e5",
        "1e999",
        "NaN",
        "[1]",
        "[1,\"b\"]",
        "{\"a\":[2]}",
        "\"a\":",
    ])
}

fn any_payload() -> impl Strategy<Value = (Vec<u8>, Format)> {
    prop_oneof![
        csv_payload().prop_map(|payload| (payload, Format::Csv)),
        json_rows().prop_map(|payload| (payload, Format::JsonLines)),
        json_payload().prop_map(|payload| (payload, Format::JsonLines)),
    ]
}

/// A number as JSON may spell it.
fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_payload_gives_whole_records_or_an_error((payload, format) in any_payload()) {
        let features = Expression::compile("a").expect("compiles");
        for features in [None, Some(&features)] {
            if let Ok(table) = Table::read(&payload, format, features, RECORDS_MAX) {
                prop_assert!(table.n_records() > 0 && table.n_columns() > 0);
                let texts: Vec<_> = cells(&table).concat().into_iter().map(Cell::text).collect();
                prop_assert_eq!(texts.len(), table.n_records() * table.n_columns());
                let _ = table.numbers(&Encoding::default());
            }
        }
    }

    #[test]
    fn a_table_written_and_read_again_is_the_same((payload, format) in any_payload()) {
        let Some(table) = read(&payload, format) else { return Ok(()) };
        let again = read(&write(&table, format), format).expect("what was read can be read");
        prop_assert_eq!(raws(&table), raws(&again));
    }

    #[test]
    fn a_table_in_the_other_format_says_the_same((payload, format) in any_payload()) {
        let Some(table) = read(&payload, format) else { return Ok(()) };
        let target = if format == Format::Csv { Format::JsonLines } else { Format::Csv };
        // A single `null` is an empty line in CSV, which is no record.
        prop_assume!(table.n_columns() > 1 || raws(&table).iter().all(|row| row[0] != "null"));
        let other = read(&write(&table, target), target).expect("what is written can be read");
        for (ours, theirs) in cells(&table).iter().flatten().zip(cells(&other).iter().flatten()) {
            match target {
                Format::JsonLines => {
                    let mut written = Vec::new();
                    ours.write(Format::JsonLines, &mut written);
                    prop_assert_eq!(written, theirs.raw().as_bytes());
                }
                Format::Csv => prop_assert_eq!(ours.text(), theirs.text()),
            }
        }
    }

    #[test]
    fn numbers_keep_their_spelling_on_the_way_to_json_and_back(numbers in vec(number(), 1..5)) {
        let csv = numbers.join(",") + "\n";
        let table = read(csv.as_bytes(), Format::Csv).expect("reads");
        let json = write(&table, Format::JsonLines);
        prop_assert_eq!(String::from_utf8_lossy(&json), format!("[{}]\n", numbers.join(",")));
        let back = write(&read(&json, Format::JsonLines).expect("reads"), Format::Csv);
        prop_assert_eq!(back, csv.as_bytes());
    }

    #[test]
    fn accepted_csv_says_what_the_csv_crate_reads(payload in csv_payload()) {
        let Some(table) = read(&payload, Format::Csv) else { return Ok(()) };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&payload[..]);
        let theirs: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("reads");
        let theirs: Vec<Vec<&str>> = theirs.iter().map(|record| record.iter().collect()).collect();
        let ours = cells(&table);
        let ours: Vec<Vec<_>> = ours.iter().map(|row| row.iter().map(|cell| cell.text()).collect()).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn json_is_what_serde_json_takes_for_it(payload in json_payload()) {
        let Ok(text) = String::from_utf8(payload) else { return Ok(()) };
        match (Tree::read(&text), parse_json(&text)) {
            (Ok(ours), theirs) => {
                prop_assert_eq!(ours.root.to_string(), theirs.expect("is JSON").to_string());
            }
            (Err(JsonError::KeyTwice { .. } | JsonError::Payload(PayloadError::Nul)), _) => {}
            (Err(error), theirs) => prop_assert!(theirs.is_err(), "{error}: {text:?}"),
        }
    }
}

#[test]
fn the_payloads_of_these_laws_are_read_often_enough() {
    let mut runner = TestRunner::deterministic();
    let mut n_read = [0; 2];
    for _ in 0..1_000 {
        let (payload, format) = any_payload().new_tree(&mut runner).expect("generates").current();
        n_read[usize::from(format == Format::Csv)] += usize::from(read(&payload, format).is_some());
    }
    assert!(n_read.iter().all(|&n| n > 20), "{n_read:?}");
}
