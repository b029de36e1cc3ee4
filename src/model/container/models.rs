//! Who answers an endpoint's messages: the one model of a container, or the one of many that a message names.

use std::sync::Arc;

use super::client::Container;
use super::multi_model::MultiModelContainer;
use crate::model::{Forward, Identity, Message, ModelError};

#[derive(Clone)]
pub enum Models {
    One(Arc<Container>),
    Many(MultiModelContainer),
}

impl Models {
    /// What a request's messages go through.
    pub(super) async fn model(&self, message: &Message) -> Result<(Arc<dyn Forward>, Identity), ModelError> {
        match self {
            Self::One(container) => {
                let identity = Identity::Container { url: container.url().to_owned(), model: None };
                Ok((Arc::clone(container) as Arc<dyn Forward>, identity))
            }
            Self::Many(models) => Ok((models.model(message).await?, models.identity(message.target()?))),
        }
    }
}
