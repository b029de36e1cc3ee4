//! How a container is spoken to.

/// What a server of models understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /invocations` with the client's own formats.
    #[default]
    SageMaker,
}
