//! A model over texts behind the `Predictor` seam: asked for every coalition, in the process.

use std::sync::Arc;

use futures_util::FutureExt;
use ndarray::Array2;

use super::baseline::Baseline;
use super::game::TextGame;
use super::model::TextModel;
use crate::model::embedded::Scorer;
use crate::model::{
    Answer, Ask, Call, Game, Identity, LinkedValue, ModelError, Predictions, Predictor, Valuation, Values,
};
use crate::offload::{Stop, offload};
use crate::records::Table;
use crate::shap::Link;

/// A model with its baseline and link.
#[derive(Clone)]
pub(in crate::model::embedded) struct TextPredictor(Arc<Inner>);

struct Inner {
    scorer: Scorer,
    model: Arc<TextModel>,
    baseline: Baseline,
    link: Link,
    null_value: LinkedValue,
}

impl TextPredictor {
    /// The model is the scorer's; the baseline has as many columns as the model has features, and at least one row.
    pub(in crate::model::embedded) fn new(
        scorer: Scorer,
        model: Arc<TextModel>,
        baseline: &Arc<Table>,
        link: Link,
    ) -> Result<Self, ModelError> {
        let margins = scorer.margins(baseline, &Stop::default())?;
        let null_value = scorer.linked_value(link, margins, 0)?;
        let baseline = Baseline::new(&model, baseline, scorer.encode(baseline)?);
        Ok(Self(Arc::new(Inner { scorer, model, baseline, link, null_value })))
    }
}

impl Predictor for TextPredictor {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.scorer.predict(&call, inner.link, stop)).boxed()
    }

    fn differing(&self, call: &Call, record_idx: usize) -> Result<Vec<u32>, ModelError> {
        let Inner { scorer, baseline, .. } = self.0.as_ref();
        Ok(baseline.differing(call, record_idx, scorer.numbers(&call.records)?))
    }

    fn valuation<'a>(&'a self, _: &'a Call) -> Result<Valuation<'a>, ModelError> {
        Ok(Valuation::Asked(self))
    }

    fn identity(&self) -> Identity {
        self.0.scorer.identity()
    }
}

impl Ask for TextPredictor {
    fn values<'a>(&'a self, call: &'a Arc<Call>, games: Vec<Game>, _: &'a Predictions) -> Answer<'a, Values> {
        let (inner, call) = (Arc::clone(&self.0), Arc::clone(call));
        offload(move |stop| inner.values(&call, &games, stop)).boxed()
    }
}

impl Inner {
    fn values(&self, call: &Call, games: &[Game], stop: &Stop) -> Result<Values, ModelError> {
        let numbers = self.scorer.numbers(&call.records)?;
        let play = |game| TextGame::new(&self.model, &self.baseline, call, numbers, game).values(self.link, stop);
        let played = games.iter().map(play).collect::<Result<Vec<_>, _>>()?;
        let (of_games, clipped): (Vec<Array2<f64>>, Vec<usize>) = played.into_iter().unzip();
        Ok(Values { null: self.null_value.clone(), of_games, clipped: clipped.into_iter().sum() })
    }
}
