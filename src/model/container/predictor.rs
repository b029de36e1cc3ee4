//! A container behind the `Predictor` seam: the client's payload goes as it came, then the synthetic records of its
//! games, many to a request and several requests at a time.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, TryStreamExt};
use ndarray::{Array2, Axis};
use tokio::sync::OwnedSemaphorePermit;

use super::asking::{Answered, Asking, Read, read};
use super::batches::{Batch, Batches, Known};
use super::batching::Batching;
use super::interpreter::Interpreter;
use super::models::Models;
use super::per_model::PerModel;
use super::protocol::{Dialect, Protocol};
use super::tally::{Outputs, Tally};
use crate::model::rows::BaselineRows;
use crate::model::{
    Answer, Ask, Call, Forward, Game, Identity, LinkedValue, Message, Model, ModelError, Predictions, Predictor,
    Valuation, Values,
};
use crate::offload::{offload, offload_large};
use crate::records::{AnswerLayout, Spelling, Table, Template};
use crate::shap::{Clipped, Link, score_logit};

/// What an endpoint says about its container.
pub struct ContainerSettings {
    pub protocol: Protocol,
    pub baseline: Table,
    pub link: Link,
    pub layout: AnswerLayout,
    /// How a record in JSON Lines is written.
    pub template: Option<Template>,
    /// Names of the features.
    pub columns: Option<Vec<String>>,
    pub max_record_count: Option<usize>,
    pub max_payload_bytes: usize,
}

/// A container with its baseline and link.
pub struct ContainerModel(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) models: Models,
    interpreter: Interpreter,
    layout: Arc<AnswerLayout>,
    n_features: usize,
    /// The baseline in every spelling that the model may need.
    baselines: Vec<(Spelling, Arc<BaselineRows>)>,
    link: Link,
    template: Option<Template>,
    batchings: PerModel<Batching>,
}

impl ContainerModel {
    /// The baseline has at least one row.
    pub fn new(models: Models, settings: ContainerSettings) -> Self {
        let ContainerSettings { protocol, baseline, link, layout, template, columns, .. } = settings;
        let container = Arc::clone(models.container());
        let memory = Duration::from_secs(container.config().container_memory_s);
        let baseline = Arc::new(baseline);
        let of_spelling = |cells: &Spelling| (*cells, Arc::new(BaselineRows::new(Arc::clone(&baseline), cells)));
        let baselines = protocol.spellings().iter().map(of_spelling).collect();
        Self(Arc::new(Inner {
            models,
            layout: Arc::new(layout),
            n_features: baseline.n_columns(),
            baselines,
            interpreter: Interpreter::new(container, protocol).with_features(columns, baseline),
            link,
            template,
            batchings: PerModel::new(move || {
                Batching::new(settings.max_record_count, settings.max_payload_bytes, memory)
            }),
        }))
    }
}

impl Model for ContainerModel {
    fn predictor<'a>(&'a self, message: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        async {
            let predictor: Arc<dyn Predictor> = Arc::new(self.0.predictor(message, |transport| transport).await?);
            Ok(predictor)
        }
        .boxed()
    }
}

impl Inner {
    /// What answers a message; whatever it sends goes through what `wrap` makes of its transport.
    pub(super) async fn predictor(
        self: &Arc<Self>,
        message: &Message,
        wrap: impl FnOnce(Arc<dyn Forward>) -> Arc<dyn Forward> + Send,
    ) -> Result<ContainerPredictor, ModelError> {
        let (transport, identity) = self.models.model(message).await?;
        let dialect = self.interpreter.dialect(message.deadline).await?;
        let (model, transport) = (Arc::clone(self), wrap(transport));
        Ok(ContainerPredictor { model, transport, identity, dialect, asked: Mutex::default() })
    }

    pub(super) fn baseline(&self, cells: Spelling) -> &Arc<BaselineRows> {
        let own = self.baselines.iter().find(|(spelling, _)| *spelling == cells);
        &own.expect("the protocol names all its spellings. This is a bug.").1
    }

    /// Values from mean scores; those of nobody come first, unless they are known.
    fn values(&self, games: &[Game], means: Array2<f64>, null: Option<LinkedValue>) -> Values {
        let (of_nobody, of_games) = means.view().split_at(Axis(0), usize::from(null.is_none()));
        let null = null.unwrap_or_else(|| {
            let (value, clipped) = self.linked(of_nobody.to_owned());
            LinkedValue { value: value.into_raw_vec_and_offset().0, clipped }
        });
        let (values, clipped) = self.linked(of_games.to_owned());
        Values { null, of_games: by_game(games, &values), clipped }
    }

    fn linked(&self, mut scores: Array2<f64>) -> (Array2<f64>, Clipped) {
        let mut clipped = 0;
        if self.link == Link::Logit {
            scores.mapv_inplace(|score| score_logit(score, &mut clipped));
        }
        (scores, clipped)
    }
}

/// A container during one request.
pub(super) struct ContainerPredictor {
    pub(super) model: Arc<Inner>,
    transport: Arc<dyn Forward>,
    identity: Identity,
    dialect: Arc<Dialect>,
    asked: Mutex<Option<Asked>>,
}

/// What one request has asked so far.
struct Asked {
    known: Known,
    tally: Tally,
    /// None before the baseline was asked.
    null: Option<LinkedValue>,
}

impl Asked {
    fn nothing(outputs: &Outputs, n_baseline_rows: usize) -> Self {
        let tally = Tally::new(n_baseline_rows, outputs.n_outputs);
        Self { known: Known::new(outputs.n_outputs), tally, null: None }
    }
}

impl ContainerPredictor {
    /// What this model was seen to take.
    pub(super) fn batching(&self) -> Arc<Batching> {
        self.model.batchings.get(&self.identity.to_string())
    }

    pub(super) async fn predictions(&self, call: &Arc<Call>) -> Result<Predictions, ModelError> {
        let (n_columns, expected) = (call.records.n_columns(), self.model.n_features);
        if n_columns != expected {
            return Err(ModelError::Width { record: 1, n_columns, expected });
        }
        let reply = self.transport.forward(self.records(call).await?).await?;
        let custom_attributes = reply.custom_attributes.clone();
        let (model, dialect, call) = (Arc::clone(&self.model), Arc::clone(&self.dialect), Arc::clone(call));
        offload_large(reply.body.len(), move |_| {
            let n_records = call.records.n_records();
            let reply = dialect.reply(reply, n_records, &call.message)?;
            let Read { text, content_type, format, scores } = read(&model.layout, reply, n_records)?;
            let (values, clipped) = model.linked(scores.scores);
            let labels = scores.labels;
            Ok(Predictions { text, content_type, format, values, labels, custom_attributes, clipped })
        })
        .await
    }

    /// The client's own records for the model.
    async fn records(&self, call: &Arc<Call>) -> Result<Message, ModelError> {
        if *self.dialect == Dialect::SageMaker {
            return Ok(call.message.clone());
        }
        let (dialect, call) = (Arc::clone(&self.dialect), Arc::clone(call));
        offload_large(call.message.payload.len(), move |_| dialect.records(&call.message, &call.records)).await
    }

    async fn values_of_games(
        &self,
        call: &Arc<Call>,
        games: Vec<Game>,
        predictions: &Predictions,
    ) -> Result<Values, ModelError> {
        let asking = self.asking(call, predictions)?;
        let baseline = Arc::clone(self.model.baseline(asking.shape.cells));
        let asked = locked(&self.asked).take();
        let mut asked = asked.unwrap_or_else(|| Asked::nothing(&asking.outputs, baseline.cells.len()));
        let games: Arc<[Game]> = games.into();
        let batches =
            Batches::new(Arc::clone(call), Arc::clone(&games), baseline, Arc::clone(&asking.shape), asked.known);
        let means;
        (asked.known, means) = self.means(batches, &asking, &mut asked.tally).await?;
        let (model, null) = (Arc::clone(&self.model), asked.null.take());
        let n_bytes = means.len() * size_of::<f64>();
        let values = offload_large(n_bytes, move |_| model.values(&games, means, null)).await;
        asked.null = Some(values.null.clone());
        *locked(&self.asked) = Some(asked);
        Ok(values)
    }

    /// Asks all batches, several at a time; the next one is made while others are under way.
    async fn means(
        &self,
        batches: Batches,
        asking: &Arc<Asking>,
        tally: &mut Tally,
    ) -> Result<(Known, Array2<f64>), ModelError> {
        let batches = Arc::new(Mutex::new(batches));
        let plan = || plan(Arc::clone(&self.model), Arc::clone(asking), Arc::clone(&batches));
        let planned = stream::try_unfold((), |()| plan());
        let answers = planned.map_ok(|(batch, body)| Arc::clone(asking).ask(batch).inspect(|_| drop(body)));
        let mut answers = pin!(answers.try_buffered(asking.in_flight_max));
        while let Some(Answered { sources, scores }) = answers.try_next().await? {
            tally.add(&sources, &scores);
        }
        let known = locked(&batches).take_known();
        Ok((known, tally.take_means()))
    }

    /// How synthetic records of a call are asked, whose answers have the outputs of its predictions.
    pub(super) fn asking(&self, call: &Call, predictions: &Predictions) -> Result<Arc<Asking>, ModelError> {
        let shape = self.dialect.shape(call.records.format(), self.model.template.as_ref())?;
        let config = self.model.models.container().config();
        Ok(Arc::new(Asking {
            transport: Arc::clone(&self.transport),
            message: call.message.clone(),
            dialect: Arc::clone(&self.dialect),
            shape: Arc::new(shape),
            n_columns: call.records.n_columns(),
            layout: Arc::clone(&self.model.layout),
            outputs: Outputs::of(predictions),
            batching: self.batching(),
            in_flight_max: config.container_in_flight_max,
            answer_wait: Duration::from_millis(config.container_answer_ms),
        }))
    }
}

/// A batch, and its leave to be in memory.
type Planned = (Batch, OwnedSemaphorePermit);

async fn plan(
    model: Arc<Inner>,
    asking: Arc<Asking>,
    batches: Arc<Mutex<Batches>>,
) -> Result<Option<(Planned, ())>, ModelError> {
    if locked(&batches).is_over() {
        return Ok(None);
    }
    let body = model.models.container().body().await;
    let limits = asking.limits(asking.batching.limits());
    let batch = offload(move |_| locked(&batches).next(limits)).await?;
    Ok(batch.map(|batch| ((batch, body), ())))
}

impl Predictor for ContainerPredictor {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        self.predictions(call).boxed()
    }

    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        let cells = self.dialect.cells(call.records.format());
        Ok(self.model.baseline(cells).differing(call, record_idx, &cells))
    }

    fn valuation<'a>(&'a self, _: &'a Call) -> Result<Valuation<'a>, ModelError> {
        Ok(Valuation::Asked(self))
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }
}

impl Ask for ContainerPredictor {
    fn values<'a>(
        &'a self,
        call: &'a Arc<Call>,
        games: Vec<Game>,
        predictions: &'a Predictions,
    ) -> Answer<'a, Values> {
        self.values_of_games(call, games, predictions).boxed()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds the lock. This is a bug.")
}

/// Values one below the other → those of each game, `[2·n_pairs × n_outputs]`.
fn by_game(games: &[Game], values: &Array2<f64>) -> Vec<Array2<f64>> {
    let mut rest = values.view();
    let mut of_game = |game: &Game| {
        let (own, others) = rest.split_at(Axis(0), 2 * game.coalitions.n_pairs());
        rest = others;
        own.to_owned()
    };
    games.iter().map(&mut of_game).collect()
}
