//! A model for tests: f(record) = the sum of its two cells, baseline 0,0; what else it does, the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use explaind::endpoints::{Endpoint, Explained, Opened, Service, Stamp};
use explaind::explain::{Explainer, Settings, Shared};
use explaind::model::{
    Answer, Ask, Call, Game, Identity, LinkedValue, Message, Model, ModelError, Predictions, Predictor, Valuation,
    Values,
};
use explaind::records::{Encoding, Format, Table};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ndarray::Array2;
use tokio::sync::Semaphore;

#[derive(Clone)]
pub struct Fake {
    before: Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    predictions: fn(&mut Predictions),
    values: fn(&mut Values),
}

impl Fake {
    /// Each prediction first waits at the gate.
    pub fn behind(gate: &Arc<Gate>) -> Self {
        let gate = Arc::clone(gate);
        Self { before: Arc::new(move || Arc::clone(&gate).pass().boxed()), ..Self::spoilt(|_| {}, |_| {}) }
    }

    /// Panics at every second prediction, beginning with the first.
    pub fn panicking() -> Self {
        let calls = AtomicUsize::new(0);
        let before = move || {
            assert!(calls.fetch_add(1, Ordering::SeqCst) % 2 == 1, "on purpose");
            std::future::ready(()).boxed()
        };
        Self { before: Arc::new(before), ..Self::spoilt(|_| {}, |_| {}) }
    }

    /// Changes its answers before it gives them.
    pub fn spoilt(predictions: fn(&mut Predictions), values: fn(&mut Values)) -> Self {
        Self { before: Arc::new(|| std::future::ready(()).boxed()), predictions, values }
    }

    pub fn into_endpoint(self, shared: &Arc<Shared>) -> Endpoint {
        let explainer =
            Explainer::new(Arc::new(self), 2, Settings::default(), Arc::clone(shared)).expect("is small");
        let stamp = Stamp::default();
        let explained = Explained { explainer, feature_headers: None, feature_types: None, stamp };
        let opened = Opened { has_many_models: false, service: Service::Explain(Arc::new(explained)) };
        Endpoint::single("fake".to_owned(), "AllTraffic", opened)
    }
}

impl Model for Fake {
    fn predictor<'a>(&'a self, _: &'a Message) -> Answer<'a, Arc<dyn Predictor>> {
        let predictor: Arc<dyn Predictor> = Arc::new(self.clone());
        std::future::ready(Ok(predictor)).boxed()
    }
}

impl Predictor for Fake {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> Answer<'a, Predictions> {
        async move {
            (self.before)().await;
            let sums: Vec<f64> = numbers(&call.records)?.rows().into_iter().map(|row| row.sum()).collect();
            let mut predictions = Predictions {
                text: sums.iter().map(f64::to_string).collect::<Vec<String>>().join("\n"),
                content_type: "text/csv".to_owned(),
                format: Format::Csv,
                values: Array2::from_shape_vec((sums.len(), 1), sums).expect("one score a record"),
                labels: None,
                custom_attributes: None,
                clipped: 0,
            };
            (self.predictions)(&mut predictions);
            Ok(predictions)
        }
        .boxed()
    }

    fn differing(&self, _: &Call, _: usize) -> Result<Vec<u32>, ModelError> {
        Ok(vec![0, 1])
    }

    fn valuation<'a>(&'a self, _: &'a Call) -> Result<Valuation<'a>, ModelError> {
        Ok(Valuation::Asked(self))
    }

    fn identity(&self) -> Identity {
        Identity::File(String::new())
    }
}

impl Ask for Fake {
    fn values<'a>(&'a self, call: &'a Arc<Call>, games: Vec<Game>, _: &'a Predictions) -> Answer<'a, Values> {
        let values = numbers(&call.records).map(|numbers| {
            let of_games = games.iter().map(|game| play(&numbers, game)).collect();
            let null = LinkedValue { value: vec![0.0], clipped: 0 };
            let mut values = Values { null, of_games, clipped: 0 };
            (self.values)(&mut values);
            values
        });
        std::future::ready(values).boxed()
    }
}

fn numbers(records: &Table) -> Result<Array2<f64>, ModelError> {
    if records.n_columns() != 2 {
        return Err(ModelError::Width { record: 1, n_columns: records.n_columns(), expected: 2 });
    }
    Ok(records.numbers(&Encoding::default())?.mapv(f64::from))
}

fn play(numbers: &Array2<f64>, game: &Game) -> Array2<f64> {
    let (coalitions, n_pairs) = (&game.coalitions, game.coalitions.n_pairs());
    Array2::from_shape_fn((2 * n_pairs, 1), |(idx, _)| {
        let plays = |&player: &usize| coalitions.is_present(idx, player);
        (0..2).filter(plays).map(|player| numbers[[game.record_idx, player]]).sum()
    })
}

/// Holds those who pass until it is opened, and counts them.
pub struct Gate {
    open: Semaphore,
    started: AtomicUsize,
    given_up: AtomicUsize,
}

impl Gate {
    pub fn closed() -> Arc<Self> {
        Arc::new(Self { open: Semaphore::new(0), started: AtomicUsize::new(0), given_up: AtomicUsize::new(0) })
    }

    pub fn open(&self) {
        self.open.close();
    }

    /// Let one through.
    pub fn admit(&self) {
        self.open.add_permits(1);
    }

    /// How many came to the gate.
    pub fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// How many were dropped while they waited.
    pub fn given_up(&self) -> usize {
        self.given_up.load(Ordering::SeqCst)
    }

    pub async fn pass(self: Arc<Self>) {
        self.started.fetch_add(1, Ordering::SeqCst);
        let waiting = GivenUpOnDrop(&self);
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
        std::mem::forget(waiting);
    }
}

struct GivenUpOnDrop<'a>(&'a Gate);

impl Drop for GivenUpOnDrop<'_> {
    fn drop(&mut self) {
        self.0.given_up.fetch_add(1, Ordering::SeqCst);
    }
}
