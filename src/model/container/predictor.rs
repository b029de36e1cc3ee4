//! A container behind the `Predictor` seam: the client's payload goes as it came, then the synthetic records of its
//! games in batches, one request after the other.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use ndarray::{Array2, ArrayView1, Axis};

use super::models::Models;
use super::rows::{self, BatchLimits, Cells, RowFormat};
use crate::model::{
    Answer, Call, Forward, Game, Identity, LinkedValue, Message, Model, ModelError, Predictions, Predictor, Reply,
    Values,
};
use crate::offload::offload;
use crate::records::{AnswerLayout, Format, Scores, Table, Template};
use crate::shap::{Clipped, Link, score_logit};

/// Records of one request where the endpoint says nothing of it.
const ROWS_MAX_DEFAULT: usize = 1000;

/// What an endpoint says about its container.
pub struct ContainerSettings {
    pub baseline: Table,
    pub link: Link,
    pub layout: AnswerLayout,
    /// How a record in JSON Lines is written.
    pub template: Option<Template>,
    pub max_record_count: Option<usize>,
    pub max_payload_bytes: usize,
}

/// What answers for an endpoint, with its baseline and link.
pub struct ContainerPredictor {
    models: Models,
    parts: Arc<Parts>,
}

/// One model during one request.
struct RequestPredictor {
    model: Arc<dyn Forward>,
    identity: Identity,
    parts: Arc<Parts>,
}

struct Parts {
    layout: Arc<AnswerLayout>,
    n_features: usize,
    /// The baseline in CSV and in JSON.
    baselines: [Baseline; 2],
    link: Link,
    template: Option<Template>,
    limits: BatchLimits,
}

/// Baseline rows as they are sent in one format.
#[derive(Clone)]
struct Baseline {
    rows: Arc<[Cells]>,
    /// Whether a column differs among the rows.
    varies: Vec<bool>,
}

impl Baseline {
    fn new(table: &Table, format: Format) -> Self {
        let rows = Cells::of_records(table, format);
        let varies = |column_idx| rows.iter().any(|row| row.get(column_idx) != rows[0].get(column_idx));
        Self { varies: (0..table.n_columns()).map(varies).collect(), rows }
    }

    /// Features whose bytes are not those of all baseline rows.
    fn differing(&self, record: &Cells) -> Vec<u32> {
        let differs = |&feature: &u32| {
            let column_idx = feature as usize;
            self.varies[column_idx] || record.get(column_idx) != self.rows[0].get(column_idx)
        };
        (0..self.varies.len() as u32).filter(differs).collect()
    }
}

impl ContainerPredictor {
    /// The baseline has at least one row.
    pub fn new(models: Models, settings: ContainerSettings) -> Self {
        let ContainerSettings { baseline, link, layout, template, max_record_count, max_payload_bytes } = settings;
        let parts = Arc::new(Parts {
            layout: Arc::new(layout),
            n_features: baseline.n_columns(),
            baselines: [Format::Csv, Format::JsonLines].map(|format| Baseline::new(&baseline, format)),
            link,
            template,
            limits: BatchLimits {
                rows_max: max_record_count.unwrap_or(ROWS_MAX_DEFAULT),
                bytes_max: max_payload_bytes,
            },
        });
        Self { models, parts }
    }
}

impl Parts {
    fn baseline(&self, format: Format) -> &Baseline {
        let [csv, json] = &self.baselines;
        if format == Format::Csv { csv } else { json }
    }
}

impl RequestPredictor {
    async fn predictions(&self, call: &Call) -> Result<Predictions, ModelError> {
        let (n_columns, expected) = (call.records.n_columns(), self.parts.n_features);
        if n_columns != expected {
            return Err(ModelError::Width { record: 1, n_columns, expected });
        }
        let reply = self.model.forward(call.message.clone()).await?;
        let custom_attributes = reply.custom_attributes.clone();
        let (layout, link, n_records) =
            (Arc::clone(&self.parts.layout), self.parts.link, call.records.n_records());
        offload(move |_| {
            let Read { text, content_type, format, scores } = read(&layout, reply, n_records)?;
            let (values, clipped) = linked(link, scores.scores);
            let labels = scores.labels;
            Ok(Predictions { text, content_type, format, values, labels, custom_attributes, clipped })
        })
        .await
    }

    /// Values of rows that follow each other, `[n_values × n_outputs]`: the link of the mean score over the baseline
    /// rows, asked batch by batch.
    async fn values_of_rows(
        &self,
        call: &Call,
        rows: impl Iterator<Item = Vec<u8>> + Send + 'static,
        predictions: &Predictions,
    ) -> Result<(Array2<f64>, Clipped), ModelError> {
        let mut rows = rows.peekable();
        let mut sums = Sums::new(self.parts.baseline(call.records.format()).rows.len(), predictions);
        let (limits, link) = (self.parts.limits, self.parts.link);
        loop {
            let (rest, batch) = offload(move |_| {
                let batch = rows::next_batch(&mut rows, limits);
                (rows, batch)
            })
            .await;
            rows = rest;
            let Some(batch) = batch? else { return Ok(offload(move |_| linked(link, sums.means())).await) };
            let message = Message { payload: Bytes::from(batch.body), ..call.message.clone() };
            let (reply, layout) = (self.model.forward(message).await?, Arc::clone(&self.parts.layout));
            sums = offload(move |_| {
                sums.add(&read(&layout, reply, batch.n_rows)?.scores)?;
                Ok::<Sums, ModelError>(sums)
            })
            .await?;
        }
    }

    fn row_format(&self, call: &Call) -> Result<(RowFormat, Arc<[Cells]>), ModelError> {
        let format = call.records.format();
        let rows = Arc::clone(&self.parts.baseline(format).rows);
        Ok((RowFormat::new(format, self.parts.template.as_ref())?, rows))
    }

    async fn value_of_nobody(&self, call: &Call, predictions: &Predictions) -> Result<LinkedValue, ModelError> {
        let (format, baseline) = self.row_format(call)?;
        let (values, clipped) = self.values_of_rows(call, rows::of_nobody(baseline, format), predictions).await?;
        Ok(LinkedValue { value: values.into_raw_vec_and_offset().0, clipped })
    }

    async fn values_of_games(
        &self,
        call: &Arc<Call>,
        games: Vec<Game>,
        predictions: &Predictions,
    ) -> Result<Values, ModelError> {
        let (format, baseline) = self.row_format(call)?;
        let games: Arc<[Game]> = games.into();
        let rows = rows::of_games(Arc::clone(call), Arc::clone(&games), baseline, format);
        let (values, clipped) = self.values_of_rows(call, rows, predictions).await?;
        let null = self.value_of_nobody(call, predictions).await?;
        Ok(Values { null, of_games: offload(move |_| by_game(&games, &values)).await, clipped })
    }
}

impl Model for ContainerPredictor {
    fn predictor<'a>(&'a self, message: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        async move {
            let (model, identity) = self.models.model(message).await?;
            let predictor: Arc<dyn Predictor> =
                Arc::new(RequestPredictor { model, identity, parts: Arc::clone(&self.parts) });
            Ok(predictor)
        }
        .boxed()
    }
}

impl Predictor for RequestPredictor {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        self.predictions(call).boxed()
    }

    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        let format = call.records.format();
        Ok(self.parts.baseline(format).differing(&Cells::of_record(&call.records, record_idx, format)))
    }

    fn values<'a>(
        &'a self,
        call: &'a Arc<Call>,
        games: Vec<Game>,
        predictions: &'a Predictions,
    ) -> Answer<'a, Values> {
        self.values_of_games(call, games, predictions).boxed()
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }
}

/// An answer that has been read.
struct Read {
    text: String,
    content_type: String,
    format: Format,
    scores: Scores,
}

/// The answer's own content type decides how it is read.
fn read(layout: &AnswerLayout, reply: Reply, n_records: usize) -> Result<Read, ModelError> {
    let content_type = reply.content_type.unwrap_or_default();
    let Some(format) = Format::from_mime(&content_type) else { return Err(ModelError::AnswerType(content_type)) };
    let text = String::from_utf8(reply.body.into()).map_err(|_| ModelError::AnswerText)?;
    let scores = layout.read(&text, format, n_records)?;
    Ok(Read { text, content_type, format, scores })
}

fn linked(link: Link, mut scores: Array2<f64>) -> (Array2<f64>, Clipped) {
    let mut clipped = 0;
    if link == Link::Logit {
        scores.mapv_inplace(|score| score_logit(score, &mut clipped));
    }
    (scores, clipped)
}

/// Scores of rows that follow each other, added up over the baseline rows.
struct Sums {
    n_rows_each: usize,
    n_rows: usize,
    /// Of the client's own records; at least one.
    n_outputs: usize,
    /// What names each of several outputs in the client's own answer.
    names: Option<Vec<String>>,
    /// `[n_sums × n_outputs]`, row-major.
    sums: Vec<f64>,
}

impl Sums {
    fn new(n_rows_each: usize, predictions: &Predictions) -> Self {
        let n_outputs = predictions.values.ncols();
        let names = predictions.labels.clone().filter(|labels| n_outputs > 1 && labels.len() == n_outputs);
        Self { n_rows_each, n_rows: 0, n_outputs, names, sums: Vec::new() }
    }

    fn add(&mut self, Scores { scores, labels }: &Scores) -> Result<(), ModelError> {
        if scores.ncols() != self.n_outputs {
            return Err(ModelError::Outputs { got: scores.ncols(), expected: self.n_outputs });
        }
        if self.names.is_some() && self.names != *labels {
            return Err(ModelError::Labels);
        }
        scores.rows().into_iter().for_each(|row| self.add_row(row));
        Ok(())
    }

    fn add_row(&mut self, row: ArrayView1<f64>) {
        if self.n_rows.is_multiple_of(self.n_rows_each) {
            self.sums.resize(self.sums.len() + self.n_outputs, 0.0);
        }
        let start = self.sums.len() - self.n_outputs;
        self.sums[start..].iter_mut().zip(row).for_each(|(sum, score)| *sum += score);
        self.n_rows += 1;
    }

    /// `[n_sums × n_outputs]`.
    fn means(self) -> Array2<f64> {
        let sums = Array2::from_shape_vec((self.sums.len() / self.n_outputs, self.n_outputs), self.sums);
        sums.expect("one sum for each output. This is a bug.") / self.n_rows_each as f64
    }
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
