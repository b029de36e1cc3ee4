//! How a container is spoken to, as its endpoint's definition says it: where it is asked, and what its words are.
//! Knows no connections.

mod dialect;
mod lines;
mod mlflow;
mod open_inference;

pub use dialect::{Dialect, RowShape};
pub use open_inference::{TensorInput, input_of};

use crate::records::{Parts, Spelled, Spelling, shorten};

/// What a server of models understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /invocations` with the client's own formats.
    #[default]
    SageMaker,
    /// MLflow's scoring server: `POST /invocations` with JSON.
    MlFlow,
    /// The Open Inference Protocol, also called V2, in JSON.
    OpenInference {
        /// `NAME` or `NAME/versions/VERSION`, as it stands in a path.
        model: String,
        /// The output that holds the scores; without it the model has only one.
        output: Option<String>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    #[error("the model's answer is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("the model's answer has no {member}")]
    Missing { member: &'static str },
    #[error("{member} of the model's answer is {kind}, not an array")]
    NotAList { member: &'static str, kind: &'static str },
    #[error("the metadata of the model cannot be read: {0}")]
    Metadata(serde_json::Error),
    #[error("the model has {got} inputs ({names}); records can be sent to a model with one input")]
    Inputs { got: usize, names: String },
    #[error("the input {name:?} of the model takes {datatype}; supported: {supported}")]
    Datatype { name: String, datatype: String, supported: String },
    #[error("{row} {number}, column {column}: the model takes {datatype}, and would cut {text:?} to an integer")]
    NotAnInteger { row: &'static str, number: usize, column: usize, datatype: String, text: String },
    #[error("the model answers with the outputs {names}: EXPLAIND_V2_OUTPUT must say which one holds the scores")]
    Outputs { names: String },
    #[error("the model's answer has no output {output:?} but {names}")]
    NoOutput { output: String, names: String },
    #[error("the output has the shape {shape}; supported: [records] and [records, scores]")]
    Shape { shape: String },
    #[error("the output has other values than its shape [{n_records}, {n_scores}] says")]
    Data { n_records: usize, n_scores: usize },
}

impl Protocol {
    /// In the words of a definition.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SageMaker => "sagemaker",
            Self::MlFlow => "mlflow",
            Self::OpenInference { .. } => "v2",
        }
    }

    /// Which of a server's models is asked, and how.
    pub(super) fn identity(&self) -> Vec<String> {
        let name = self.name().to_owned();
        match self {
            Self::SageMaker => Vec::new(),
            Self::MlFlow => vec![name],
            Self::OpenInference { model, output } => {
                [name, model.clone()].into_iter().chain(output.clone()).collect()
            }
        }
    }

    /// A `GET` of this path succeeds as soon as the model can be asked.
    pub fn ready_path(&self) -> String {
        match self {
            Self::SageMaker | Self::MlFlow => "/ping".to_owned(),
            Self::OpenInference { model, .. } => format!("/v2/models/{model}/ready"),
        }
    }

    /// Where records are posted.
    pub(crate) fn invoke_path(&self) -> String {
        match self {
            Self::SageMaker | Self::MlFlow => "/invocations".to_owned(),
            Self::OpenInference { model, .. } => format!("/v2/models/{model}/infer"),
        }
    }

    /// What must be got before the first records can be sent.
    pub(crate) fn metadata_path(&self) -> Option<String> {
        match self {
            Self::SageMaker | Self::MlFlow => None,
            Self::OpenInference { model, .. } => Some(format!("/v2/models/{model}")),
        }
    }

    /// Every spelling that cells may get.
    pub(super) fn spellings(&self) -> &'static [Spelling] {
        match self {
            Self::SageMaker => &[Spelling::Csv, Spelling::Json],
            Self::MlFlow => &[Spelling::Json],
            Self::OpenInference { .. } => &[Spelling::Json, Spelling::JsonText],
        }
    }

    /// `columns` are the names of the features, `metadata` what stands at `metadata_path`.
    pub(crate) fn dialect(&self, columns: Option<&[String]>, metadata: &[u8]) -> Result<Dialect, ProtocolError> {
        Ok(match self {
            Self::SageMaker => Dialect::SageMaker,
            Self::MlFlow => Dialect::MlFlow { columns: columns.map(<[String]>::to_vec) },
            Self::OpenInference { output, .. } => {
                Dialect::OpenInference { input: input_of(metadata)?, output: output.clone() }
            }
        })
    }

    /// Where scores stand in a line of JSON, where it is ours to say.
    pub(crate) fn score_attribute(&self) -> Option<&'static str> {
        (*self != Self::SageMaker).then_some("score")
    }
}

fn member<'a>(part: Spelled<'a>, member: &'static str) -> Result<Spelled<'a>, ProtocolError> {
    part.member(member).ok_or(ProtocolError::Missing { member })
}

fn list<'a>(part: Spelled<'a>, name: &'static str) -> Result<Parts<'a>, ProtocolError> {
    let list = member(part, name)?;
    list.elements().ok_or(ProtocolError::NotAList { member: name, kind: list.kind() })
}

/// The first names of many, each cut.
fn shown(names: impl Iterator<Item = String>) -> String {
    const SHOWN_MAX: usize = 8;
    let mut names = names.fuse();
    let mut shown: Vec<String> =
        names.by_ref().take(SHOWN_MAX).map(|name| format!("{:?}", shorten(&name))).collect();
    shown.extend(names.next().map(|_| "...".to_owned()));
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iris() -> Protocol {
        Protocol::OpenInference { model: "iris/versions/3".to_owned(), output: None }
    }

    #[test]
    fn every_protocol_has_its_paths() {
        let paths = |protocol: &Protocol| {
            (protocol.ready_path(), protocol.invoke_path(), protocol.metadata_path().unwrap_or_default())
        };
        let expected = |ready: &str, invoke: &str, metadata: &str| (ready.into(), invoke.into(), metadata.into());
        for protocol in [Protocol::SageMaker, Protocol::MlFlow] {
            assert_eq!(paths(&protocol), expected("/ping", "/invocations", ""));
        }
        let base = "/v2/models/iris/versions/3";
        assert_eq!(paths(&iris()), expected(&format!("{base}/ready"), &format!("{base}/infer"), base));
    }

    #[test]
    fn protocol_model_and_output_tell_models_of_one_server_apart() {
        let v2 = |model: &str, output: Option<&str>| {
            let output = output.map(str::to_owned);
            Protocol::OpenInference { model: model.to_owned(), output }.identity()
        };
        let identities = [
            Protocol::SageMaker.identity(),
            Protocol::MlFlow.identity(),
            v2("iris", None),
            v2("wine", None),
            v2("iris", Some("p")),
        ];
        let distinct: std::collections::BTreeSet<&Vec<String>> = identities.iter().collect();
        assert_eq!(distinct.len(), identities.len());
    }

    #[test]
    fn names_are_cut_and_so_is_their_number() {
        let names = |n: usize| shown((0..n).map(|idx| idx.to_string()));
        assert_eq!(names(0), "");
        assert_eq!(names(8), r#""0", "1", "2", "3", "4", "5", "6", "7""#);
        assert_eq!(names(9), r#""0", "1", "2", "3", "4", "5", "6", "7", ..."#);
        assert_eq!(shown(["x".repeat(99)].into_iter()).len(), 45);
    }
}
