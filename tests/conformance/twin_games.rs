//! Games of models on the device against the CPU twin: equal bit for bit on a software adapter, which rounds every product
//! and adds in the order that is written, and within the bound of other roundings on hardware.

use explaind::compute::cpu::{Instructions, games};
use explaind::compute::gpu::GpuLimits;
use explaind::compute::{Cpu, Device, DeviceError, Explicand, Games, Gpu};
use explaind::form::{Activation, Body, Form, Layers, Node, Transform, TreeEnsemble, ValueFunction, View};
use explaind::shap::{Link, Matrix, Operator, PANEL_WIDTH};
use libtest_mimic::Trial;
use wgpu::DeviceType;

use crate::paths::adapter;
use crate::random_models::{KINDS, Kind, SCALES, Shape, explicands, function, operator};
use crate::{Check, trial};

/// Ones, primes, and the edges of words, blocks of rows, panels and workgroups.
const SHAPES: [Shape; 10] = [
    shape(1, 1, 1),
    shape(2, 2, 2),
    shape(31, 15, 2),
    shape(32, 16, 1),
    shape(33, 17, 17),
    shape(64, 2, 70),
    shape(65, 1, 2),
    shape(130, 1, 17),
    shape(31, 100, 1),
    shape(33, 1, 70),
];

const fn shape(n_players: usize, n_rows: usize, n_records: usize) -> Shape {
    Shape { n_players, n_rows, n_records }
}

pub fn trials() -> Vec<Trial> {
    let adapter = adapter();
    let on_gpu = |name: &str, check: fn(&wgpu::Adapter) -> Check| {
        let adapter = adapter.clone();
        let name = format!("twins: {name}");
        let ignored = adapter.is_none();
        trial(name, move || check(&adapter.expect("ignored without an adapter"))).with_ignored_flag(ignored)
    };
    vec![
        trial("twins: every instruction set explains with the same bits", instruction_sets),
        on_gpu("games of every model, transform and link are explained as on the CPU", all_games),
        on_gpu("games cut into many submissions give the same bits", cut),
        on_gpu("a record alone gets the same bits as among others", alone),
        on_gpu("values that float32 cannot hold are told, of their own column only", coarse),
        on_gpu("a model that a thread has no room for is refused", refused),
        on_gpu("the comparison of games fails where a buffer is disturbed", disturbed),
    ]
}

/// A model with its games.
struct Case {
    function: ValueFunction,
    operator: Operator,
    explicands: Vec<Explicand>,
}

impl Case {
    fn new(kind: Kind, scale: (Transform, Link), shape: Shape) -> Self {
        let function = function(kind, scale, shape, 1);
        let explicands = explicands(&function, shape, 1_000_000);
        Self { function, operator: operator(shape.n_players), explicands }
    }

    fn explained(&self, device: &mut dyn Device) -> Result<Vec<f32>, DeviceError> {
        let explicands: Vec<&Explicand> = self.explicands.iter().collect();
        device.explain(Games { function: &self.function, operator: &self.operator, explicands: &explicands })
    }

    fn on_cpu(&self, instructions: Instructions) -> Vec<f32> {
        self.explained(&mut Cpu { instructions }).expect("the CPU never refuses games")
    }

    /// How far other roundings may lead: 256 of them at most meet in an element, each of the size of the column's
    /// largest number, and then the operator adds the elements up.
    fn bounds(&self) -> Vec<f32> {
        let Matrix::Single(matrix) = &self.operator.matrix else { panic!("operators are in float32") };
        let n_players = self.operator.design.n_players;
        let mut weights = vec![0.0; n_players];
        for (idx, &element) in matrix.data.iter().enumerate() {
            let player = idx / (matrix.n_rows * PANEL_WIDTH) * PANEL_WIDTH + idx % PANEL_WIDTH;
            if player < n_players {
                weights[player] += element.abs();
            }
        }
        let steps = 256.0 + 32.0 + (matrix.n_rows as f32 / 32.0).ceil();
        let bounds_of = |explicand: &Explicand| {
            let columns = games::columns(Instructions::detect(), &self.function, &self.operator, explicand);
            let largest = |column: &Vec<f32>| column.iter().fold(1.0_f32, |largest, x| largest.max(x.abs()));
            let of_column = |column: &Vec<f32>| {
                let step = steps * f32::EPSILON * largest(column);
                weights.iter().map(|weight| step * weight).collect::<Vec<f32>>()
            };
            columns.iter().flat_map(of_column).collect::<Vec<f32>>()
        };
        self.explicands.iter().flat_map(bounds_of).collect()
    }
}

/// All games that float32 is good enough for.
fn cases(shapes: &[Shape]) -> impl Iterator<Item = (String, Case)> {
    let all = KINDS.into_iter().flat_map(|kind| SCALES.into_iter().map(move |scale| (kind, scale)));
    all.flat_map(|(kind, scale)| {
        shapes.iter().map(move |&shape| (format!("{kind:?}, {scale:?}, {shape:?}"), Case::new(kind, scale, shape)))
    })
}

fn open(adapter: &wgpu::Adapter, limits: GpuLimits) -> Result<Gpu, String> {
    println!("adapter: {}", adapter.get_info().name);
    Gpu::open(adapter, limits).map_err(|error| error.to_string())
}

fn is_software(adapter: &wgpu::Adapter) -> bool {
    adapter.get_info().device_type == DeviceType::Cpu
}

fn instruction_sets() -> Check {
    let available = Instructions::available();
    let (first, others) = available.split_first().expect("every machine has a baseline");
    for (name, case) in cases(&SHAPES[4..7]) {
        let want = case.on_cpu(*first);
        for &other in others {
            same(&case.on_cpu(other), &want, None).map_err(|e| format!("{name}, {other:?}: {e}"))?;
        }
    }
    Ok(())
}

fn all_games(adapter: &wgpu::Adapter) -> Check {
    compare(adapter, GpuLimits::default(), &SHAPES)
}

fn cut(adapter: &wgpu::Adapter) -> Check {
    let limits = GpuLimits { work_bytes_max: 1 << 20, ..GpuLimits::default() };
    compare(adapter, limits, &[shape(31, 100, 3), shape(40, 17, 9)])
}

fn compare(adapter: &wgpu::Adapter, limits: GpuLimits, shapes: &[Shape]) -> Check {
    let mut gpu = open(adapter, limits)?;
    for (name, case) in cases(shapes) {
        let got = case.explained(&mut gpu).map_err(|error| format!("{name}: {error}"))?;
        let bounds = (!is_software(adapter)).then(|| case.bounds());
        same(&got, &case.on_cpu(Instructions::detect()), bounds.as_deref()).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}

/// Equal bits without bounds. What is not finite on one side has to be so on the other.
fn same(got: &[f32], want: &[f32], bounds: Option<&[f32]>) -> Check {
    if got.len() != want.len() {
        return Err(format!("{} numbers instead of {}", got.len(), want.len()));
    }
    let is_same = |idx: usize| match bounds {
        _ if !want[idx].is_finite() => !got[idx].is_finite(),
        None => got[idx] == want[idx],
        Some(bounds) => (got[idx] - want[idx]).abs() <= bounds[idx],
    };
    match (0..got.len()).find(|&idx| !is_same(idx)) {
        None => Ok(()),
        Some(idx) => {
            let bound = bounds.map_or(0.0, |bounds| bounds[idx]);
            Err(format!("number {idx} of {}: {} instead of {} ± {bound}", got.len(), got[idx], want[idx]))
        }
    }
}

fn alone(adapter: &wgpu::Adapter) -> Check {
    let mut gpu = open(adapter, GpuLimits::default())?;
    for (name, mut case) in cases(&[shape(33, 3, 70)]) {
        let together = case.explained(&mut gpu).map_err(|error| format!("{name}: {error}"))?;
        let n_of_record = together.len() / case.explicands.len();
        let all = std::mem::take(&mut case.explicands);
        for record_idx in [0, 1, 16, 69] {
            case.explicands = vec![all[record_idx].clone()];
            let got = case.explained(&mut gpu).map_err(|error| format!("{name}: {error}"))?;
            let want = &together[record_idx * n_of_record..][..n_of_record];
            same(&got, want, None).map_err(|e| format!("{name}, record {record_idx}: {e}"))?;
        }
    }
    Ok(())
}

/// The second of three outputs has a probability that float32 takes for 0 in some coalitions of the first record.
fn coarse(adapter: &wgpu::Adapter) -> Check {
    let mut gpu = open(adapter, GpuLimits::default())?;
    let scale = (Transform::Logistic, Link::Logit);
    let mut case = Case::new(Kind::Linear { n_outputs: 3 }, scale, shape(20, 2, 3));
    let mut form = (*case.function.form).clone();
    let Body::Layers(layers) = &form.body else { panic!("linear models have a layer") };
    let mut layer = layers.as_slice()[0].clone();
    let first_of_second = layer.n_inputs();
    layer.weights[first_of_second] = 10.0;
    form.body = Body::Layers(Layers::new(vec![layer]));
    case.function = ValueFunction::new(form.into(), case.function.baseline.clone(), scale.1);
    case.explicands[0].features[0] = -100.0;
    let (got, want) =
        (case.explained(&mut gpu).map_err(|error| error.to_string())?, case.on_cpu(Instructions::detect()));
    let is_told =
        |phi: &[f32]| phi.chunks_exact(20).map(|phi| phi.iter().all(|x| x.is_nan())).collect::<Vec<bool>>();
    let told = is_told(&got);
    if told != is_told(&want) || !told[1] || told[0] || told[3..].contains(&true) {
        return Err(format!("{told:?} instead of {:?}", is_told(&want)));
    }
    let bounds = (!is_software(adapter)).then(|| vec![1e-2; got.len()]);
    same(&got, &want, bounds.as_deref())
}

fn refused(adapter: &wgpu::Adapter) -> Check {
    let mut gpu = open(adapter, GpuLimits { work_bytes_max: 32 << 10, ..GpuLimits::default() })?;
    let scale = (Transform::Identity, Link::Identity);
    let large = Case::new(Kind::Trees { n_outputs: 1 }, scale, shape(130, 17, 1));
    let deep = deep(scale);
    for (what, case) in [("bytes", large), ("players", deep)] {
        match case.explained(&mut gpu) {
            Err(DeviceError::Refused(reason)) if reason.contains(what) => {}
            other => return Err(format!("{other:?} instead of a refusal for its {what}")),
        }
    }
    Ok(())
}

/// One tree of 70 splits below each other, each for another player.
fn deep(scale: (Transform, Link)) -> Case {
    let shape = shape(70, 1, 1);
    let mut case = Case::new(Kind::Trees { n_outputs: 1 }, scale, shape);
    let n_inputs = case.function.form.n_features();
    let split = |input: u32| Node::Split {
        view: View::Number { input, missing_right: false, zero_is_missing: false },
        threshold: 0.0,
        left: 2 * input + 1,
    };
    let mut nodes = vec![split(0)];
    for input in 1..70 {
        nodes.extend([Node::Leaf(vec![input as f32]), split(input)]);
    }
    nodes.extend([Node::Leaf(vec![-1.0]), Node::Leaf(vec![-2.0])]);
    let mut trees = TreeEnsemble::new(n_inputs, vec![0.0], 1);
    trees.push_tree(0, nodes);
    let form = Form::of_numbers(Body::Trees(trees), scale.0);
    case.function = ValueFunction::new(form.into(), case.function.baseline.clone(), scale.1);
    case
}

/// What can be wrong in the buffers that a device keeps or is sent.
type Disturbance = fn(&mut Case);

const DISTURBANCES: [(&str, Kind, Disturbance); 7] = [
    ("a leaf", Kind::Trees { n_outputs: 1 }, |case| {
        on_trees(case, |trees| trees.leaves.iter_mut().for_each(|x| *x *= 1.01));
    }),
    ("the order of the outputs", Kind::Trees { n_outputs: 3 }, |case| {
        on_trees(case, |trees| trees.outputs.swap(0, 1));
    }),
    ("the baseline row's leaves", Kind::Trees { n_outputs: 1 }, |case| {
        case.function.baseline_leaves.rotate_left(1);
    }),
    ("the baseline row's keys", Kind::VectorLeaves { n_outputs: 3 }, |case| {
        case.function.baseline_keys.rotate_left(1);
    }),
    ("the baseline row's margins", Kind::Trees { n_outputs: 3 }, |case| {
        case.function.baseline_margins.rotate_left(1);
    }),
    ("the baseline row's inputs", Kind::Linear { n_outputs: 1 }, |case| {
        case.function.baseline_inputs.rotate_left(1);
    }),
    ("the players", Kind::Mlp { n_outputs: 3, activation: Activation::Relu }, |case| {
        case.explicands[0].players.swap(0, 1);
    }),
];

fn on_trees(case: &mut Case, disturb: fn(&mut TreeEnsemble)) {
    let mut form = (*case.function.form).clone();
    if let Body::Trees(trees) = &mut form.body {
        disturb(trees);
    }
    case.function.form = form.into();
}

fn disturbed(adapter: &wgpu::Adapter) -> Check {
    let mut gpu = open(adapter, GpuLimits::default())?;
    for (what, kind, disturb) in DISTURBANCES {
        let has_one_output = matches!(kind, Kind::Trees { n_outputs: 1 } | Kind::Linear { n_outputs: 1 });
        let transform = if has_one_output { Transform::Logistic } else { Transform::Softmax };
        let new = || Case::new(kind, (transform, Link::Logit), shape(33, 3, 2));
        let (case, mut wrong) = (new(), new());
        disturb(&mut wrong);
        let (want, bounds) = (case.on_cpu(Instructions::detect()), case.bounds());
        let got = case.explained(&mut gpu).map_err(|error| error.to_string())?;
        same(&got, &want, Some(&bounds)).map_err(|e| format!("{what}, undisturbed: {e}"))?;
        let got = wrong.explained(&mut gpu).map_err(|error| error.to_string())?;
        if same(&got, &want, Some(&bounds)).is_ok() {
            return Err(format!("nobody saw that {what} changed"));
        }
    }
    Ok(())
}
