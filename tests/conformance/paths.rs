//! The compute paths under test: the whole pipeline with a game in the model's place, on each device.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use explaind::compute::cpu::Instructions;
use explaind::compute::gpu::{GpuLimits, adapters, choose};
use explaind::compute::{Attributor, BatchLimits, BoxedDevice, Cpu, Engine, Gpu};
use explaind::config::{DevicePolicy, Kernel, SampledEstimator};
use explaind::explain::{Explainer, Limits, Request, Settings, Shared};
use explaind::model::{
    self, Ask, Call, LinkedValue, Message, Model, ModelError, Predictions, Predictor, Valuation, Values,
};
use explaind::records::Format;
use explaind::shap::{Coalitions, Design, DesignError, DesignLimits, Method, OperatorCache};
use futures_util::FutureExt;
use ndarray::Array2;
use wgpu::DeviceType;

use crate::games::Game;

/// The design of the games to solve.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub kernel: Kernel,
    pub estimator: SampledEstimator,
    pub n_players: usize,
    pub number_of_samples: Option<u64>,
    pub seed: i64,
}

impl Setting {
    pub fn new(n_players: usize, number_of_samples: Option<u64>) -> Self {
        Self {
            kernel: Kernel::Shapley,
            estimator: SampledEstimator::KernelShap,
            n_players,
            number_of_samples,
            seed: 1,
        }
    }

    pub fn trend(n_players: usize, number_of_samples: Option<u64>) -> Self {
        Self { estimator: SampledEstimator::Trend, ..Self::new(n_players, number_of_samples) }
    }

    pub fn design(&self) -> Result<Design, DesignError> {
        let &Self { kernel, estimator, n_players, number_of_samples, seed } = self;
        Design::new(n_players, number_of_samples, seed, Method { kernel, estimator }, LIMITS)
    }
}

/// Anything that claims to attribute.
pub trait Path: Send + Sync {
    /// `[n_games][n_players]`; the games share a batch.
    fn attributions(&self, setting: Setting, games: &[Game]) -> Vec<Vec<f64>>;
}

pub const LIMITS: DesignLimits = DesignLimits { players_max: 4096, operator_bytes_max: 1 << 30 };

pub type SharedPath = Arc<dyn Path>;

/// The production pipeline over one device.
pub struct Pipeline(Arc<Shared>);

impl Pipeline {
    pub fn new(attributor: Attributor) -> Self {
        let limits = Limits { records_max: 1 << 20, attributions_max: 1 << 24, design: LIMITS };
        Self(Shared::new(attributor, OperatorCache::new(1 << 30), limits))
    }

    pub fn on_cpu(instructions: Instructions) -> Self {
        Self::on_device(move || Box::new(Cpu { instructions }))
    }

    pub fn on_device(device: impl Fn() -> BoxedDevice + Send + Sync + 'static) -> Self {
        let open = move || Engine::accelerated(Arc::new(move || Ok(device())));
        Self::new(Attributor::start(open, BatchLimits::default()).expect("the device is always there"))
    }

    fn on_gpu(adapter: wgpu::Adapter) -> Self {
        let open = move || {
            let gpu = move || Gpu::open(&adapter, GpuLimits::default()).map(|gpu| Box::new(gpu) as BoxedDevice);
            Engine::accelerated(Arc::new(gpu))
        };
        Self::new(Attributor::start(open, BatchLimits::default()).expect("the adapter was found"))
    }
}

impl Path for Pipeline {
    fn attributions(&self, setting: Setting, games: &[Game]) -> Vec<Vec<f64>> {
        let Setting { kernel, estimator, n_players, number_of_samples, seed } = setting;
        let settings = Settings { kernel, estimator, number_of_samples, seed, ..Settings::default() };
        let games: Arc<[Game]> = games.into();
        let record = vec!["1"; n_players].join(",");
        let deadline = Instant::now() + Duration::from_secs(60);
        let message = Message::new(vec![record; games.len()].join("\n"), "text/csv", deadline);
        let model = Arc::new(Games { n_players, games });
        let explainer =
            Explainer::new(model, n_players, settings, Arc::clone(&self.0)).expect("within the limits");
        let request = Request { message, format: Format::Csv, filter: None };
        let explanation = runtime().block_on(explainer.explain(request)).expect("games can be explained");
        let design = setting.design().expect("within the limits");
        let device = if design.is_double() { "cpu" } else { self.0.attributor.device() };
        let devices = &explanation.report.devices;
        assert!(devices.len() == 1 && devices.contains(device), "{devices:?} answered instead of {device}");
        explanation.attributions.into_iter().map(|phi| phi.expect("explained").column(0).to_vec()).collect()
    }
}

pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().expect("a runtime starts"))
}

/// Record i plays game i; every feature is a player.
#[derive(Clone)]
struct Games {
    n_players: usize,
    games: Arc<[Game]>,
}

impl Games {
    fn values_of(game: &Game, coalitions: &Coalitions) -> Array2<f64> {
        let side = |pair, present| -> Vec<bool> {
            (0..coalitions.n_players).map(|player| coalitions.contains(pair, player) == present).collect()
        };
        let sides = [true, false].into_iter();
        let values =
            sides.flat_map(|present| (0..coalitions.n_pairs()).map(move |pair| game(&side(pair, present))));
        Array2::from_shape_vec((2 * coalitions.n_pairs(), 1), values.collect()).expect("one value each")
    }
}

impl Model for Games {
    fn predictor<'a>(&'a self, _: &'a Message) -> model::Answer<'a, Arc<dyn Predictor>> {
        let predictor: Arc<dyn Predictor> = Arc::new(self.clone());
        async { Ok(predictor) }.boxed()
    }
}

impl Predictor for Games {
    fn predict<'a>(&'a self, call: &'a Arc<Call>) -> model::Answer<'a, Predictions> {
        let everybody = vec![true; self.n_players];
        let values = Array2::from_shape_fn((call.records.n_records(), 1), |(idx, _)| self.games[idx](&everybody));
        let predictions = Predictions {
            text: String::new(),
            content_type: "text/csv".to_owned(),
            format: Format::Csv,
            values,
            labels: None,
            custom_attributes: None,
            clipped: 0,
        };
        async { Ok(predictions) }.boxed()
    }

    fn differing(&self, _: &Call, _: usize) -> Result<Vec<u32>, ModelError> {
        Ok((0..self.n_players as u32).collect())
    }

    fn valuation<'a>(&'a self, _: &'a Call) -> Result<Valuation<'a>, ModelError> {
        Ok(Valuation::Asked(self))
    }

    fn identity(&self) -> model::Identity {
        model::Identity::File(String::new())
    }
}

impl Ask for Games {
    fn values<'a>(
        &'a self,
        _: &'a Arc<Call>,
        games: Vec<model::Game>,
        _: &'a Predictions,
    ) -> model::Answer<'a, Values> {
        let of_game = |game: &model::Game| Self::values_of(&self.games[game.record_idx], &game.coalitions);
        let null = LinkedValue { value: vec![0.0], clipped: 0 };
        let values = Values { null, of_games: games.iter().map(of_game).collect(), clipped: 0 };
        async move { Ok(values) }.boxed()
    }
}

/// Every path of this machine by name; the GPU's is `None` where there is no adapter.
pub fn all() -> Vec<(String, Option<SharedPath>)> {
    let cpu = |instructions| {
        let path: SharedPath = Arc::new(Pipeline::on_cpu(instructions));
        (format!("cpu {instructions:?}"), Some(path))
    };
    let mut all: Vec<_> = Instructions::available().into_iter().map(cpu).collect();
    all.push(match adapter() {
        None => ("gpu".to_owned(), None),
        Some(adapter) => {
            let name = format!("gpu {}", adapter.get_info().name);
            (name, Some(Arc::new(Pipeline::on_gpu(adapter)) as SharedPath))
        }
    });
    all
}

/// The best adapter of any kind. Panics where the environment requires one that is not there.
pub fn adapter() -> Option<wgpu::Adapter> {
    let mut all = adapters();
    let infos: Vec<_> = all.iter().map(wgpu::Adapter::get_info).collect();
    let best = choose(&infos, DevicePolicy::Gpu).adapter_idx.map(|idx| all.swap_remove(idx));
    let device_type = best.as_ref().map(|adapter| adapter.get_info().device_type);
    match std::env::var("EXPLAIND_REQUIRE_GPU").as_deref() {
        Err(_) => {}
        Ok("any") => assert!(device_type.is_some(), "EXPLAIND_REQUIRE_GPU=any, and there is no adapter"),
        Ok("discrete") => {
            let message = "EXPLAIND_REQUIRE_GPU=discrete, and the best adapter is";
            assert_eq!(device_type, Some(DeviceType::DiscreteGpu), "{message} {device_type:?}");
        }
        Ok(other) => panic!("EXPLAIND_REQUIRE_GPU={other}: known are any and discrete"),
    }
    best
}
