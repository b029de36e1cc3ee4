//! Who answers an endpoint's messages: the one model of a container, or the one of many that a message names.

use std::sync::Arc;

use futures_util::FutureExt;

use super::multi_model::MultiModelContainer;
use super::protocol::Protocol;
use super::running::Container;
use crate::model::{Answer, Forward, Identity, Message, ModelError, Reply};

#[derive(Clone)]
pub enum Models {
    One(SingleModel),
    Many(MultiModelContainer),
}

impl Models {
    /// What a request's messages go through.
    pub(super) async fn model(&self, message: &Message) -> Result<(Arc<dyn Forward>, Identity), ModelError> {
        match self {
            Self::One(model) => Ok((Arc::new(model.clone()), model.identity())),
            Self::Many(models) => Ok((models.model(message).await?, models.identity(message.target()?))),
        }
    }

    /// A `GET` of this path succeeds as soon as the container can be asked.
    pub(super) fn ready_path(&self) -> String {
        match self {
            Self::One(model) => model.protocol.ready_path(),
            Self::Many(_) => Protocol::SageMaker.ready_path(),
        }
    }

    pub(super) fn container(&self) -> &Arc<Container> {
        match self {
            Self::One(model) => &model.container,
            Self::Many(models) => models.container(),
        }
    }
}

/// A container of one model.
#[derive(Clone)]
pub struct SingleModel {
    pub(super) container: Arc<Container>,
    pub(super) protocol: Protocol,
}

impl SingleModel {
    pub fn new(container: Arc<Container>, protocol: Protocol) -> Self {
        Self { container, protocol }
    }

    fn identity(&self) -> Identity {
        Identity::Container { url: self.container.url().to_owned(), model: self.protocol.identity() }
    }
}

impl Forward for SingleModel {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        async { Ok(self.container.invoke(&self.protocol.invoke_path(), message).await?) }.boxed()
    }
}
