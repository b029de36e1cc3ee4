//! What holds for any bytes at all: one function for each reader of text from outside. Each says whether it took the
//! input, and panics where a law breaks. The same functions run over the corpus as a test and under libFuzzer.

#[path = "header_values.rs"]
mod header_values;
#[path = "model_files.rs"]
mod model_files;
#[path = "reach.rs"]
mod reach;
#[path = "units.rs"]
mod units;

use std::path::Path;
use std::time::{Duration, Instant};

use explaind::aws::definition;
use explaind::config::Kernel;
use explaind::model::container::{Dialect, input_of};
use explaind::model::{Message, ModelError, Reply};
use explaind::records::{
    AnswerError, AnswerLayout, Encoding, Expression, Filter, FilterError, Format, Json, JsonError, Spelled, Table,
    TableError, Template, answer_records, parse_json,
};
use serde_json::Value;

/// A reader of text from outside.
pub struct Target {
    pub name: &'static str,
    pub takes: fn(&[u8]) -> bool,
}

pub const TARGETS: [Target; 16] = [
    Target { name: "csv", takes: csv },
    Target { name: "json_lines", takes: json_lines },
    Target { name: "template", takes: template },
    Target { name: "headers", takes: header_values::read },
    Target { name: "answer", takes: answer },
    Target { name: "expression", takes: expression },
    Target { name: "definition", takes: endpoint_definition },
    Target { name: "protocol", takes: protocol },
    Target { name: "target_model", takes: header_values::target_model },
    Target { name: "authorization", takes: header_values::authorization },
    Target { name: "ubjson", takes: model_files::read },
    Target { name: "lightgbm", takes: model_files::read },
    Target { name: "archive", takes: model_files::read },
    Target { name: "onnx", takes: model_files::read },
    Target { name: "reach", takes: reach::admit },
    Target { name: "units", takes: units::split },
];

const RECORDS_MAX: usize = 64;
/// Any text that a client is told; texts of its own in it are cut or short.
const ERROR_BYTES_MAX: usize = 3 << 10;
/// Of a definition up to a hundred faults are told.
const DEFINITION_ERROR_BYTES_MAX: usize = 64 << 10;
/// For inputs of 64 KiB at most, on a busy machine, in a build for fuzzing.
const TOOK_MAX: Duration = Duration::from_secs(10);
/// Characters of a ContentTemplate in the service model.
const TEMPLATE_CHARS_MAX: usize = 64;

pub fn run(target: &Target, data: &[u8]) -> bool {
    let started = Instant::now();
    let takes = (target.takes)(data);
    assert!(started.elapsed() < TOOK_MAX, "{} took {:?}", target.name, started.elapsed());
    takes
}

fn csv(data: &[u8]) -> bool {
    check_table(data, Format::Csv, None)
}

/// The first line is FeaturesAttribute, if it says anything; what follows are the records.
fn json_lines(data: &[u8]) -> bool {
    let Some((line, payload)) = first_line(data) else { return false };
    if line.is_empty() {
        return check_table(payload, Format::JsonLines, None);
    }
    Expression::compile(line).is_ok_and(|features| check_table(payload, Format::JsonLines, Some(&features)))
}

fn check_table(payload: &[u8], format: Format, features: Option<&Expression>) -> bool {
    match Table::read(payload, format, features, RECORDS_MAX) {
        Ok(table) => {
            check_cells(&table);
            check_own_format(&table);
            check_other_format(&table);
            check_numbers(&table);
            true
        }
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            let n_lines = payload.split(|&byte| byte == b'\n').count();
            let record = record_of(&error);
            assert!(record.is_none_or(|record| (1..=n_lines + 1).contains(&record)), "{error} in {n_lines} lines");
            check_place(&error, payload);
            false
        }
    }
}

fn record_of(error: &TableError) -> Option<usize> {
    match error {
        TableError::Empty | TableError::TooMany { .. } => None,
        TableError::EmptyLine { record }
        | TableError::NoFeatures { record }
        | TableError::Width { record, .. }
        | TableError::TooWide { record, .. }
        | TableError::TooLong { record, .. }
        | TableError::Csv { record, .. }
        | TableError::Json { record, .. }
        | TableError::Features { record, .. } => Some(*record),
    }
}

/// Columns and bytes that an error names are there, or come next.
fn check_place(error: &TableError, payload: &[u8]) {
    match error {
        TableError::Csv { column, .. } => assert!((1..=payload.len() + 1).contains(column), "{error}"),
        TableError::Json { reason: JsonError::Payload(_), .. } => {}
        TableError::Json {
            reason:
                JsonError::EndsEarly { byte }
                | JsonError::Unexpected { byte, .. }
                | JsonError::OutOfRange { byte, .. }
                | JsonError::String { byte, .. }
                | JsonError::KeyTwice { byte, .. }
                | JsonError::TooDeep { byte, .. }
                | JsonError::TooManyValues { byte, .. },
            ..
        } => assert!((1..=payload.len() + 1).contains(byte), "{error}"),
        _ => {}
    }
}

fn check_cells(table: &Table) {
    assert!((1..=RECORDS_MAX).contains(&table.n_records()) && table.n_columns() > 0);
    assert_eq!(table.rows().count(), table.n_records());
    assert!(table.rows().all(|row| row.count() == table.n_columns()));
}

/// Every record in one line.
fn written(table: &Table, target: Format) -> Vec<u8> {
    let mut out = Vec::new();
    for row in table.rows() {
        if target == Format::JsonLines {
            out.push(b'[');
        }
        for (column_idx, cell) in row.enumerate() {
            if column_idx > 0 {
                out.push(b',');
            }
            cell.write(target, &mut out);
        }
        out.extend_from_slice(if target == Format::JsonLines { b"]\n" } else { b"\n" });
    }
    out
}

fn read_back(bytes: &[u8], format: Format) -> Table {
    let read = Table::read(bytes, format, None, RECORDS_MAX);
    read.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn check_own_format(table: &Table) {
    let again = read_back(&written(table, table.format()), table.format());
    let raws =
        |table: &Table| -> Vec<String> { table.rows().flatten().map(|cell| cell.raw().to_owned()).collect() };
    assert_eq!((table.n_columns(), raws(table)), (again.n_columns(), raws(&again)));
}

fn check_other_format(table: &Table) {
    let target = if table.format() == Format::Csv { Format::JsonLines } else { Format::Csv };
    let bytes = written(table, target);
    if target == Format::JsonLines {
        check_json_rows(&bytes, table.n_columns());
    }
    // A single `null` is an empty line in CSV, which is no record.
    if target == Format::Csv && table.n_columns() == 1 && table.rows().flatten().any(|cell| cell.raw() == "null") {
        return;
    }
    let other = read_back(&bytes, target);
    assert_eq!((other.n_records(), other.n_columns()), (table.n_records(), table.n_columns()));
    for (ours, theirs) in table.rows().flatten().zip(other.rows().flatten()) {
        match target {
            Format::JsonLines => {
                let mut written = Vec::new();
                ours.write(Format::JsonLines, &mut written);
                assert_eq!(written, theirs.raw().as_bytes());
            }
            Format::Csv => assert_eq!(ours.text(), theirs.text()),
        }
    }
}

fn check_json_rows(bytes: &[u8], n_columns: usize) {
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let row: Vec<Value> = serde_json::from_slice(line).expect("a written row is JSON");
        assert!(row.len() == n_columns && row.iter().all(|cell| !cell.is_array() && !cell.is_object()));
    }
}

fn check_numbers(table: &Table) {
    match table.numbers(&Encoding::default()) {
        Ok(numbers) => {
            assert_eq!(numbers.dim(), (table.n_records(), table.n_columns()));
            assert!(numbers.iter().all(|number| !number.is_infinite()));
        }
        Err(error) => check_text(&error.to_string(), ERROR_BYTES_MAX),
    }
}

/// The first line is ContentTemplate; what follows are records in CSV, which every template can hold.
fn template(data: &[u8]) -> bool {
    let Some((line, payload)) = first_line(data).filter(|(line, _)| line.chars().count() <= TEMPLATE_CHARS_MAX)
    else {
        return false;
    };
    let template = match Template::compile(line) {
        Ok(template) => template,
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            return false;
        }
    };
    assert_eq!(format!("{}$features{}", template.before(), template.after()), line);
    let Ok(table) = Table::read(payload, Format::Csv, None, RECORDS_MAX) else { return false };
    for row in String::from_utf8(written(&table, Format::JsonLines)).expect("rows are UTF-8").lines() {
        let whole = format!("{}{row}{}", template.before(), template.after());
        let json: Value = serde_json::from_str(&whole).expect("a templated row is JSON");
        let features: Value = serde_json::from_str(row).expect("a row is JSON");
        assert!(holds(&json, &features), "{features} is not in {json}");
        assert!(!whole.contains(['\n', '\r']), "{whole:?} is more than one line");
    }
    true
}

/// Whether a part of `json` is `part`.
fn holds(json: &Value, part: &Value) -> bool {
    json == part
        || match json {
            Value::Array(elements) => elements.iter().any(|element| holds(element, part)),
            Value::Object(members) => members.values().any(|member| holds(member, part)),
            _ => false,
        }
}

/// The first line lays the answer out: a byte for the format, one for the number of records, one for each index
/// (`0` to `9`, anything else is none), then ProbabilityAttribute, a `|` and LabelAttribute, each perhaps empty.
fn answer(data: &[u8]) -> bool {
    let Some((line, text)) = first_line(data) else { return false };
    let (Some((format, n_records, layout)), Ok(text)) = (read_layout(line), std::str::from_utf8(text)) else {
        return false;
    };
    let records = answer_records(text, format, n_records);
    match (layout.read(text, format, n_records), &records) {
        (Ok(scores), Ok(records)) => {
            assert_eq!((records.len(), scores.scores.nrows()), (n_records, n_records));
            assert!(scores.scores.ncols() > 0 && scores.scores.iter().all(|score| score.is_finite()));
            assert!(scores.labels.is_none_or(|labels| !labels.is_empty()));
            records.iter().for_each(check_json);
            if layout.probability_index.is_none() && layout.probability_attribute.is_none() {
                let told: Vec<f64> = records.iter().flat_map(numbers_of).collect();
                assert_eq!(told, scores.scores.iter().copied().collect::<Vec<f64>>());
            }
            true
        }
        (Ok(_), Err(error)) => panic!("scores without records: {error}"),
        (Err(error), records) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            assert!(records.as_ref().err().is_none_or(|other| other.to_string() == error.to_string()));
            false
        }
    }
}

fn read_layout(line: &str) -> Option<(Format, usize, AnswerLayout)> {
    let mut chars = line.chars();
    let format = if chars.next()? == 'c' { Format::Csv } else { Format::JsonLines };
    let mut digit = || chars.next().and_then(|c| c.to_digit(10)).map(|digit| digit as usize);
    let (n_records, probability_index, label_index) = (digit()?.max(1), digit(), digit());
    let (probability, label) = chars.as_str().split_once('|').unwrap_or((chars.as_str(), ""));
    let attribute = |text: &str| Expression::compile(text).ok().filter(|_| !text.is_empty());
    let (probability_attribute, label_attribute) = (attribute(probability), attribute(label));
    let layout = AnswerLayout { probability_index, label_index, probability_attribute, label_attribute };
    Some((format, n_records, layout))
}

fn numbers_of(json: &Json) -> Vec<f64> {
    match json.as_array() {
        Some(elements) => elements.iter().flat_map(numbers_of).collect(),
        None => json.as_number().into_iter().collect(),
    }
}

/// The first line is the expression; what follows is JSON, or the material of some.
fn expression(data: &[u8]) -> bool {
    let Some((line, rest)) = first_line(data) else { return false };
    let expression = match Expression::compile(line) {
        Ok(expression) => expression,
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            return false;
        }
    };
    let text = std::str::from_utf8(rest).ok();
    let json = text.and_then(|text| parse_json(text).ok()).unwrap_or_else(|| made(rest));
    let filter = Filter::compile(line).expect("what compiles is a filter");
    let selected = filter.select(std::slice::from_ref(&json));
    match expression.evaluate(&json) {
        Ok(result) => {
            check_json(&result);
            match (selected, result.as_boolean()) {
                (Ok(selected), Some(truth)) => assert_eq!(selected, vec![0; usize::from(truth)]),
                (Err(error @ FilterError::NotBoolean { .. }), None) => {
                    check_text(&error.to_string(), ERROR_BYTES_MAX);
                }
                (selected, _) => panic!("{selected:?} for {result}"),
            }
            true
        }
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            assert!(matches!(selected, Err(FilterError::Record { record: 1, .. })), "{selected:?}");
            false
        }
    }
}

/// A value with numbers, texts, lists and members, a few for each byte.
fn made(bytes: &[u8]) -> Json {
    let value = |byte: &u8| match byte % 7 {
        0 => Value::Null,
        1 => (*byte > 127).into(),
        2 | 3 => i64::from(*byte).wrapping_sub(99).into(),
        4 => format!("{}", *byte as char).into(),
        5 => (0..byte % 32).collect::<Vec<u8>>().into(),
        _ => serde_json::json!({ "a": byte, "b": { "c": [byte] } }),
    };
    let whole = serde_json::json!({ "a": bytes.iter().map(value).collect::<Vec<Value>>(), "b": 0.5 });
    parse_json(&whole.to_string()).expect("what is made is JSON")
}

/// Written as JSON it reads back, unless the expression nests it deeper than serde_json goes.
fn check_json(json: &Json) {
    let text = json.to_string();
    if let Err(error) = serde_json::from_str::<Value>(&text) {
        assert!(error.to_string().starts_with("recursion limit exceeded"), "{error}: {text}");
    }
}

/// The first line says whose answer follows: a byte for the kind of server (`m`: MLflow, `v`: V2, else the metadata of a V2
/// model), one for the accepted format, one for the number of records, then the output that is wanted, if any.
fn protocol(data: &[u8]) -> bool {
    let Some((line, answer)) = first_line(data) else { return false };
    let mut chars = line.chars();
    let (kind, format, digit) = (chars.next(), chars.next(), chars.next().and_then(|c| c.to_digit(10)));
    let (format, n_records) =
        (if format == Some('c') { Format::Csv } else { Format::JsonLines }, digit.unwrap_or(1).max(1) as usize);
    let output = Some(chars.as_str().to_owned()).filter(|output| !output.is_empty());
    let input = || input_of(b"{}").expect("servers may describe no input");
    match kind {
        Some('m') => check_dialect(&Dialect::MlFlow { columns: None }, answer, n_records, format),
        Some('v') => check_dialect(&Dialect::OpenInference { input: input(), output }, answer, n_records, format),
        _ => input_of(answer).map_err(|error| check_text(&error.to_string(), ERROR_BYTES_MAX)).is_ok(),
    }
}

fn check_dialect(dialect: &Dialect, answer: &[u8], n_records: usize, format: Format) -> bool {
    let accept = Some(format.mime().to_owned());
    let message = Message { accept, ..Message::new("", "text/csv", Instant::now()) };
    let body = answer.to_vec().into();
    let reply = Reply { body, content_type: None, custom_attributes: None, took: Duration::ZERO };
    match dialect.reply(reply, n_records, &message) {
        Ok(reply) => {
            assert_eq!(reply.content_type.as_deref(), Some(format.mime()));
            let lines = std::str::from_utf8(&reply.body).expect("lines are UTF-8");
            check_lines(lines, format, n_records);
            check_spellings(lines, format, answer);
            true
        }
        Err(error) => {
            assert!(!matches!(error, ModelError::Accept(_) | ModelError::ContentType(_)));
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            false
        }
    }
}

/// As many lines as records, none of them empty, and whoever reads the answer counts the same.
fn check_lines(lines: &str, format: Format, n_records: usize) {
    let is_quoted = |quotes: &mut bool, c: char| {
        *quotes ^= c == '"' && format == Format::Csv;
        Some((c, *quotes))
    };
    let breaks = lines.chars().scan(false, is_quoted).filter(|&(c, is_quoted)| c == '\n' && !is_quoted);
    assert_eq!(breaks.count() + 1, n_records, "{lines:?}");
    if format == Format::JsonLines {
        let is_object = |line: &str| Spelled::read(line).is_ok_and(|line| line.kind() == "an object");
        assert!(lines.lines().all(is_object), "{lines:?}");
    }
    match answer_records(lines, format, n_records) {
        Ok(records) => assert_eq!(records.len(), n_records),
        Err(AnswerError::Csv(TableError::Csv { .. }) | AnswerError::Json { .. }) => {}
        Err(error) => panic!("{error} in {lines:?}"),
    }
}

/// Numbers are copied; what an escape spells is another matter.
fn check_spellings(lines: &str, format: Format, answer: &[u8]) {
    let answer = std::str::from_utf8(answer).expect("was read");
    if answer.contains('\\') || format == Format::JsonLines {
        return;
    }
    let Ok(table) = Table::read(lines.as_bytes(), Format::Csv, None, RECORDS_MAX) else { return };
    for cell in table.rows().flatten().map(|cell| cell.raw()).filter(|raw| !raw.starts_with('"')) {
        assert!(answer.contains(cell), "{cell:?} is not in {answer:?}");
    }
}

fn endpoint_definition(data: &[u8]) -> bool {
    let read = |json: &[u8]| definition::read(json, Path::new("folder"), Kernel::Shapley);
    let outcome = read(data);
    let told = |outcome: &Result<_, definition::DefinitionError>| match outcome {
        Ok(setup) => format!("{setup:?}"),
        Err(error) => error.to_string(),
    };
    if let Err(error) = &outcome {
        check_text(&error.to_string(), DEFINITION_ERROR_BYTES_MAX);
        assert!(!error.to_string().contains(char::is_control), "{error:?}");
    }
    if matches!(outcome, Err(definition::DefinitionError::Json { .. })) {
        return false;
    }
    // The same definition, written otherwise, means the same.
    let value: Value = serde_json::from_slice(data).expect("what was read is JSON");
    let again = read(&serde_json::to_vec_pretty(&value).expect("is JSON"));
    assert_eq!(told(&outcome), told(&again));
    let Ok(setup) = outcome else { return false };
    assert!((1..=63).contains(&setup.name.len()), "{}", setup.name);
    if let Some(explainer) = setup.explainer {
        assert_eq!(explainer.config, value["ExplainerConfig"]);
        assert!((1..=25).contains(&(explainer.max_payload_bytes >> 20)));
    }
    true
}

fn check_text(told: &str, bytes_max: usize) {
    assert!(!told.is_empty() && told.len() <= bytes_max, "{} bytes: {told}", told.len());
}

/// The first line as text, and what follows it.
fn first_line(data: &[u8]) -> Option<(&str, &[u8])> {
    let end = data.iter().position(|&byte| byte == b'\n')?;
    Some((std::str::from_utf8(&data[..end]).ok()?, &data[end + 1..]))
}
