//! What a container and its endpoint agree on before the first records are sent. Where nobody explains, it translates
//! between a client and its model.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::Method;
use tokio::sync::OnceCell;

use super::models::SingleModel;
use super::protocol::{Dialect, Protocol};
use super::running::Container;
use crate::model::{Answer, Forward, Message, ModelError, Reply};
use crate::offload::{offload, offload_large};
use crate::records::Table;

/// Finds the dialect of one model; asked for once, and kept.
pub(super) struct Interpreter {
    container: Arc<Container>,
    protocol: Protocol,
    /// Names of the features.
    columns: Option<Vec<String>>,
    /// Rows that the model will get, where it may not get them as they are.
    baseline: Option<Arc<Table>>,
    dialect: OnceCell<Arc<Dialect>>,
}

impl Interpreter {
    pub(super) fn new(container: Arc<Container>, protocol: Protocol) -> Self {
        Self { container, protocol, columns: None, baseline: None, dialect: OnceCell::new() }
    }

    pub(super) fn with_features(mut self, columns: Option<Vec<String>>, baseline: Arc<Table>) -> Self {
        self.columns = columns;
        self.baseline = self.protocol.metadata_path().map(|_| baseline);
        self
    }

    pub(super) async fn dialect(&self, deadline: Instant) -> Result<Arc<Dialect>, ModelError> {
        self.dialect.get_or_try_init(|| self.find(deadline)).await.cloned()
    }

    async fn find(&self, deadline: Instant) -> Result<Arc<Dialect>, ModelError> {
        let metadata = match self.protocol.metadata_path() {
            Some(path) => self.container.manage(Method::GET, &path, None, deadline).await?.body,
            None => Bytes::new(),
        };
        let dialect = Arc::new(self.protocol.dialect(self.columns.as_deref(), &metadata)?);
        if let Some(baseline) = self.baseline.clone() {
            let dialect = Arc::clone(&dialect);
            offload(move |_| dialect.check(&baseline, "baseline row")).await?;
        }
        Ok(dialect)
    }
}

/// A container that is asked in another protocol than its clients speak.
pub struct Translator {
    interpreter: Interpreter,
    transport: SingleModel,
    records_max: usize,
}

impl Translator {
    /// `records_max` are the records of one message.
    pub fn new(transport: SingleModel, records_max: usize) -> Self {
        let (container, protocol) = (Arc::clone(&transport.container), transport.protocol.clone());
        Self { interpreter: Interpreter::new(container, protocol), transport, records_max }
    }

    async fn translate(&self, message: Message) -> Result<Reply, ModelError> {
        let dialect = self.interpreter.dialect(message.deadline).await?;
        let (records_max, client, own) = (self.records_max, message.clone(), Arc::clone(&dialect));
        let (asked, n_records) = offload_large(message.payload.len(), move |_| {
            let records = client.records(records_max)?;
            Ok::<(Message, usize), ModelError>((own.records(&client, &records)?, records.n_records()))
        })
        .await?;
        let reply = self.transport.forward(asked).await?;
        offload_large(reply.body.len(), move |_| dialect.reply(reply, n_records, &message)).await
    }
}

impl Forward for Translator {
    fn forward(&self, message: Message) -> Answer<'_, Reply> {
        self.translate(message).boxed()
    }
}
