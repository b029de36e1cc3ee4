//! How a container is spoken to.

use crate::model::ModelError;
use crate::records::{Format, Template};

/// What a server of models understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /invocations` with the client's own formats.
    #[default]
    SageMaker,
}

/// How records stand in a request; bytes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowShape {
    /// Spelling of each cell.
    pub cells: Format,
    pub before_row: Vec<u8>,
    pub after_row: Vec<u8>,
    pub between_rows: &'static [u8],
}

impl Protocol {
    pub(crate) fn invoke_path(&self) -> String {
        "/invocations".to_owned()
    }

    /// `format` is that of the client's records.
    pub fn shape(&self, format: Format, template: Option<&Template>) -> Result<RowShape, ModelError> {
        let (before, after) = match (format, template) {
            (Format::Csv, _) => (String::new(), String::new()),
            (Format::JsonLines, Some(template)) => {
                (format!("{}[", template.before()), format!("]{}", template.after()))
            }
            (Format::JsonLines, None) => return Err(ModelError::NoTemplate),
        };
        Ok(RowShape {
            cells: format,
            before_row: before.into_bytes(),
            after_row: after.into_bytes(),
            between_rows: b"\n",
        })
    }
}
