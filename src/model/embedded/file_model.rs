//! What a model file was read to: one of two kinds of model.

use std::sync::Arc;

use super::text::TextModel;
use crate::form::{Feature, Form};

/// What a file was read to.
#[derive(Clone)]
pub enum FileModel {
    Form(Arc<Form>),
    Text(Arc<TextModel>),
}

impl FileModel {
    pub fn features(&self) -> &[Feature] {
        match self {
            Self::Form(form) => &form.features,
            Self::Text(model) => &model.features,
        }
    }

    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Form(form) => form.n_outputs(),
            Self::Text(model) => model.n_outputs(),
        }
    }
}
