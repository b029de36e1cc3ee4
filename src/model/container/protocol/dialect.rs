//! How one endpoint and its container understand each other: how records stand in a request, and what an answer says in the
//! words of a SageMaker container. Bytes are copied; no number is read or printed again.

use bytes::Bytes;

use super::{ProtocolError, TensorInput, mlflow, open_inference};
use crate::model::{Message, ModelError, Reply};
use crate::records::{Format, Spelling, Table, Template};

const JSON: &str = "application/json";

/// A protocol with what is known of the endpoint's features and of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    SageMaker,
    MlFlow { columns: Option<Vec<String>> },
    OpenInference { input: TensorInput, output: Option<String> },
}

/// How records stand in a request; bytes only. Cells stand one behind the other with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowShape {
    pub cells: Spelling,
    pub before_row: Vec<u8>,
    pub after_row: Vec<u8>,
    pub between_rows: &'static [u8],
}

impl Dialect {
    /// How cells of the client's records are spelled for the model.
    pub(crate) fn cells(&self, format: Format) -> Spelling {
        match self {
            Self::SageMaker => format.into(),
            Self::OpenInference { input, .. } if input.is_text() => Spelling::JsonText,
            Self::MlFlow { .. } | Self::OpenInference { .. } => Spelling::Json,
        }
    }

    /// `format` is that of the client's records, `template` how the endpoint writes one in JSON Lines.
    pub fn shape(&self, format: Format, template: Option<&Template>) -> Result<RowShape, ModelError> {
        let shape = |before: &str, after: &str, between_rows| RowShape {
            cells: self.cells(format),
            before_row: before.as_bytes().to_vec(),
            after_row: after.as_bytes().to_vec(),
            between_rows,
        };
        Ok(match (self, format, template) {
            (Self::SageMaker, Format::Csv, _) => shape("", "", b"\n"),
            (Self::SageMaker, Format::JsonLines, Some(template)) => {
                let (before, after) = (format!("{}[", template.before()), format!("]{}", template.after()));
                shape(&before, &after, b"\n")
            }
            (Self::SageMaker, Format::JsonLines, None) => return Err(ModelError::NoTemplate),
            (Self::MlFlow { .. }, ..) => shape("[", "]", b","),
            (Self::OpenInference { .. }, ..) => shape("", "", b","),
        })
    }

    /// What stands before the first and behind the last row of a request.
    pub fn envelope(&self, n_rows: usize, n_columns: usize) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::SageMaker => (Vec::new(), Vec::new()),
            Self::MlFlow { columns } => {
                let (before, after) = mlflow::envelope(columns.as_deref());
                (before.into_bytes(), after.as_bytes().to_vec())
            }
            Self::OpenInference { input, output } => {
                let (before, after) = open_inference::envelope(input, output.as_deref(), n_rows, n_columns);
                (before.into_bytes(), after.into_bytes())
            }
        }
    }

    /// Whether the model gets the rows as they are. `row` is what an error calls one of them.
    pub(crate) fn check(&self, rows: &Table, row: &'static str) -> Result<(), ProtocolError> {
        match self {
            Self::SageMaker | Self::MlFlow { .. } => Ok(()),
            Self::OpenInference { input, .. } => input.check(rows, row),
        }
    }

    /// The client's own records: as they came, where the container takes them so.
    pub(crate) fn records(&self, message: &Message, records: &Table) -> Result<Message, ModelError> {
        if *self == Self::SageMaker {
            return Ok(message.clone());
        }
        message.accepted()?;
        self.check(records, "record")?;
        let shape = self.shape(records.format(), None)?;
        let (mut payload, after) = self.envelope(records.n_records(), records.n_columns());
        for (record_idx, row) in records.rows().enumerate() {
            payload.extend_from_slice(if record_idx == 0 { b"" } else { shape.between_rows });
            payload.extend_from_slice(&shape.before_row);
            for (column_idx, cell) in row.enumerate() {
                payload.extend_from_slice(if column_idx == 0 { b"" } else { b"," });
                cell.spell(shape.cells, &mut payload);
            }
            payload.extend_from_slice(&shape.after_row);
        }
        payload.extend_from_slice(&after);
        Ok(self.request(message, payload.into()))
    }

    /// Rows that stand one behind the other → the payload of a request.
    pub(crate) fn enclose(&self, rows: Bytes, n_rows: usize, n_columns: usize) -> Bytes {
        if *self == Self::SageMaker {
            return rows;
        }
        let (before, after) = self.envelope(n_rows, n_columns);
        [&before[..], &rows, &after].concat().into()
    }

    /// A payload in this dialect in place of the client's.
    pub(crate) fn request(&self, message: &Message, payload: Bytes) -> Message {
        let message = Message { payload, ..message.clone() };
        match self {
            Self::SageMaker => message,
            Self::MlFlow { .. } | Self::OpenInference { .. } => {
                Message { content_type: JSON.to_owned(), accept: Some(JSON.to_owned()), ..message }
            }
        }
    }

    /// What a SageMaker container would have answered to the client's message: a line for each record, in the format
    /// that the client accepts.
    pub fn reply(&self, reply: Reply, n_records: usize, message: &Message) -> Result<Reply, ModelError> {
        let answer = || std::str::from_utf8(&reply.body).map_err(|_| ModelError::AnswerText);
        let accept = message.accepted();
        let (lines, format) = match self {
            Self::SageMaker => return Ok(reply),
            Self::MlFlow { .. } => {
                let format = accept?;
                (mlflow::lines(answer()?, n_records, format)?, format)
            }
            Self::OpenInference { output, .. } => {
                let format = accept?;
                (open_inference::lines(answer()?, output.as_deref(), n_records, format)?, format)
            }
        };
        Ok(Reply { body: lines.into(), content_type: Some(format.mime().to_owned()), ..reply })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{Protocol, input_of};
    use super::*;

    fn tensors(datatype: &str) -> Dialect {
        let metadata = format!("{{\"inputs\":[{{\"name\":\"x\",\"datatype\":\"{datatype}\"}}]}}");
        Dialect::OpenInference { input: input_of(metadata.as_bytes()).expect("is an input"), output: None }
    }

    fn message() -> Message {
        let message = Message::new("as it came", "text/csv; header=absent", Instant::now());
        Message { accept: Some("text/csv".to_owned()), custom_attributes: Some("a=b".to_owned()), ..message }
    }

    fn reply(body: &'static str, content_type: &str) -> Reply {
        let custom_attributes = Some("c=d".to_owned());
        Reply {
            body: body.into(),
            content_type: Some(content_type.to_owned()),
            custom_attributes,
            took: Duration::ZERO,
        }
    }

    fn sent(dialect: &Dialect, payload: &str, format: Format) -> Message {
        let records = Table::read(payload.as_bytes(), format, None, 9).expect("reads");
        dialect.records(&message(), &records).expect("is sent")
    }

    #[test]
    fn records_are_sent_in_the_words_of_the_protocol() {
        let (csv, json) = (Format::Csv, Format::JsonLines);
        let mlflow = |columns: Option<&[String]>| Protocol::MlFlow.dialect(columns, b"").expect("needs nothing");
        let split = "{\"dataframe_split\":{\"data\":[[1.50,\"red\",null],[1e5,\"007\",\"5\"]]}}";
        let data = |datatype: &str, data: &str| {
            let tensor = format!("\"shape\":[2,2],\"datatype\":\"{datatype}\",\"data\":{data}");
            format!("{{\"inputs\":[{{\"name\":\"x\",{tensor}}}]}}")
        };
        for (dialect, payload, format, expected) in [
            (mlflow(None), "1.50,red,\n 1e5,007,\"5\"\n", csv, split.to_owned()),
            (mlflow(None), "[1.50,\"red\",null]\n[1e5, \"007\",\"5\"]", json, split.to_owned()),
            (
                mlflow(Some(&["a".to_owned(), "b".to_owned()])),
                "1,2",
                csv,
                "{\"dataframe_split\":{\"columns\":[\"a\",\"b\"],\"data\":[[1,2]]}}".to_owned(),
            ),
            (tensors("FP64"), "1.50,-0\n+2,3", csv, data("FP64", "[1.50,-0,2.0,3]")),
            (tensors("INT64"), "[1,2]\n[3,4]", json, data("INT64", "[1,2,3,4]")),
            (tensors("BYTES"), "1.50,red\n,\"a\"\"b\"", csv, data("BYTES", "[\"1.50\",\"red\",\"\",\"a\\\"b\"]")),
        ] {
            let sent = sent(&dialect, payload, format);
            assert_eq!(String::from_utf8_lossy(&sent.payload), expected);
            assert_eq!((sent.content_type.as_str(), sent.accept.as_deref()), (JSON, Some(JSON)));
            assert_eq!(sent.custom_attributes.as_deref(), Some("a=b"));
        }
    }

    #[test]
    fn a_sagemaker_container_gets_what_came_and_is_heard_as_it_speaks() {
        let sent = sent(&Dialect::SageMaker, "1,2", Format::Csv);
        assert_eq!(sent.payload, "as it came");
        assert_eq!(sent.content_type, "text/csv; header=absent");
        let message = Message { accept: Some("image/png".to_owned()), ..message() };
        let reply = Dialect::SageMaker.reply(reply("x", "a/b"), 7, &message).expect("is not read");
        assert_eq!((&reply.body[..], reply.content_type.as_deref()), (&b"x"[..], Some("a/b")));
    }

    #[test]
    fn rows_have_the_shape_of_their_format() {
        let template = Template::compile("{\"x\":$features}").expect("is a template");
        let shape = |dialect: &Dialect, format, template| {
            let RowShape { cells, before_row, after_row, between_rows } =
                dialect.shape(format, template).map_err(|error| error.to_string())?;
            let text = [&before_row[..], b"|", &after_row, b"|", between_rows].concat();
            Ok::<_, String>((cells, String::from_utf8(text).expect("is text")))
        };
        let expected = |cells, text: &str| Ok((cells, text.to_owned()));
        let sagemaker = Dialect::SageMaker;
        assert_eq!(shape(&sagemaker, Format::Csv, Some(&template)), expected(Spelling::Csv, "||\n"));
        let lines = shape(&sagemaker, Format::JsonLines, Some(&template));
        assert_eq!(lines, expected(Spelling::Json, "{\"x\":[|]}|\n"));
        let error = shape(&sagemaker, Format::JsonLines, None).expect_err("is refused");
        assert!(error.contains("need InferenceConfig.ContentTemplate"), "{error}");
        for format in [Format::Csv, Format::JsonLines] {
            assert_eq!(shape(&Dialect::MlFlow { columns: None }, format, None), expected(Spelling::Json, "[|]|,"));
            assert_eq!(shape(&tensors("FP32"), format, None), expected(Spelling::Json, "||,"));
            assert_eq!(shape(&tensors("BYTES"), format, None), expected(Spelling::JsonText, "||,"));
        }
    }

    #[test]
    fn answers_are_worded_as_the_client_accepts() {
        let answers = [
            (Dialect::MlFlow { columns: None }, "{\"predictions\": [0.50]}"),
            (tensors("FP64"), "{\"outputs\":[{\"name\":\"p\",\"shape\":[1,1],\"data\":[0.50]}]}"),
        ];
        for (dialect, body) in answers {
            for (accept, format, text) in [
                (None, Format::Csv, "0.50"),
                (Some("text/csv; q=1"), Format::Csv, "0.50"),
                (Some("image/png, application/jsonlines"), Format::JsonLines, "{\"score\":0.50}"),
            ] {
                let message = Message { accept: accept.map(str::to_owned), ..message() };
                let reply = dialect.reply(reply(body, JSON), 1, &message).expect("is read");
                assert_eq!(
                    (&reply.body[..], reply.content_type.as_deref()),
                    (text.as_bytes(), Some(format.mime()))
                );
                assert_eq!(reply.custom_attributes.as_deref(), Some("c=d"));
            }
            let not_accepted = Message { accept: Some("image/png".to_owned()), ..message() };
            assert!(matches!(dialect.reply(reply(body, JSON), 1, &not_accepted), Err(ModelError::Accept(_))));
            let not_utf8 = Reply { body: (&b"\"\xff\""[..]).into(), ..reply("", JSON) };
            assert!(matches!(dialect.reply(not_utf8, 1, &message()), Err(ModelError::AnswerText)));
        }
    }

    #[test]
    fn integers_are_checked_before_they_are_sent() {
        let records = Table::read(b"1.5", Format::Csv, None, 9).expect("reads");
        let error = tensors("INT8").records(&message(), &records).expect_err("is refused");
        assert!(matches!(error, ModelError::Protocol(ProtocolError::NotAnInteger { .. })), "{error}");
    }
}
