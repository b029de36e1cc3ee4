//! Games of a model in the process, whole on the device: records go up, attributions come back. One submission for as many
//! records as fit the byte limit.

use std::sync::Arc;

use rayon::prelude::*;

use super::attribute::{Attribute, Product};
use super::chunks::{Chunks, Room};
use super::design::{self, DesignBuffers};
use super::function::{self, BodyKernels, BodyWork, FunctionBuffers};
use super::kernel::Context;
use super::passage::Passage;
use super::program::Program;
use super::scores::{ScoreKernels, ScoreWork, Shape};
use super::store::{INPUT, READBACK, Scratch, Slice, Store, UNIFORM, WORK};
use crate::compute::cpu::scores::Rule;
use crate::compute::{DeviceError, Explicand, Games};
use crate::shap::{Matrix, Operator, Panels};

pub(super) struct GamesKernels {
    body: BodyKernels,
    scores: ScoreKernels,
    functions: Store<Arc<FunctionBuffers>>,
    designs: Store<Arc<DesignBuffers>>,
    uniforms: Scratch,
    records: Scratch,
    attributions: Scratch,
    readback: Scratch,
}

/// What all submissions of a batch have in common.
struct Batch<'a> {
    games: Games<'a>,
    matrix: Slice,
    function: Arc<FunctionBuffers>,
    design: Arc<DesignBuffers>,
    shape: Shape,
    chunks: Chunks,
}

/// What one submission reads and writes.
struct Work {
    n_records: usize,
    records: Slice,
    margins: Slice,
    body: BodyWork,
    scores: ScoreWork,
    attributions: Slice,
}

impl Batch<'_> {
    fn n_players(&self) -> usize {
        self.games.operator.design.n_players
    }
}

impl GamesKernels {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            body: BodyKernels::new(context),
            scores: ScoreKernels::new(context),
            functions: Store::new(context.limits.function_bytes_max),
            designs: Store::new(context.limits.operator_bytes_max),
            uniforms: Scratch::new("games.sizes", UNIFORM),
            records: Scratch::new("games.records", INPUT),
            attributions: Scratch::new("games.attributions", WORK),
            readback: Scratch::new("games.readback", READBACK),
        }
    }

    /// Forgets what was kept.
    pub(super) fn clear(&mut self) {
        self.functions.clear();
        self.designs.clear();
    }

    /// See [`crate::compute::Device::explain`].
    pub(super) fn explain(
        &mut self,
        context: &Context,
        attribute: &mut Attribute,
        games: Games,
    ) -> Result<Vec<f32>, DeviceError> {
        let Matrix::Single(matrix) = &games.operator.matrix else {
            panic!("listings are solved on the host. This is a bug.");
        };
        let n_of_record = games.function.form.n_outputs() * games.operator.design.n_players;
        let mut attributions = vec![0.0; games.explicands.len() * n_of_record];
        if attributions.is_empty() || games.operator.design.n_pairs == 0 {
            return Ok(attributions);
        }
        let batch = self.prepare(context, attribute, games, matrix)?;
        let results = attributions.chunks_mut(batch.chunks.n_records * n_of_record);
        for (explicands, result) in games.explicands.chunks(batch.chunks.n_records).zip(results) {
            self.submit(context, attribute, &batch, explicands, result)?;
        }
        Ok(attributions)
    }

    /// Uploads what is not there yet, and cuts the batch.
    fn prepare<'a>(
        &mut self,
        context: &Context,
        attribute: &mut Attribute,
        games: Games<'a>,
        matrix: &Panels<f32>,
    ) -> Result<Batch<'a>, DeviceError> {
        let Games { function, operator, .. } = games;
        let function_bytes = kept_bytes(context, "a model", function::bytes(function))?;
        let design_bytes = kept_bytes(context, "the coalitions of a design", design::bytes(operator))?;
        let upload = || Arc::new(FunctionBuffers::upload(context, function));
        let function_buffers = self.functions.get(function.id, function_bytes, upload);
        let upload = || Arc::new(DesignBuffers::upload(context, operator));
        let design = self.designs.get(operator.id, design_bytes, upload);
        let shape = Shape {
            rule: Rule::of(function).expect("such values need float64. This is a bug."),
            n_outputs: function.form.n_outputs(),
            n_padded: 4 * design.n_quads(),
            n_pairs: operator.design.n_pairs,
            n_baseline_rows: function.n_baseline_rows(),
        };
        let room = function_buffers.room(operator.design.n_players, &design)?;
        let chunks = chunks(context, shape, room, operator)?;
        let matrix = attribute.operator(context, operator.id, matrix)?;
        Ok(Batch { games, matrix, function: function_buffers, design, shape, chunks })
    }

    /// Explains some records, all that go in one submission.
    fn submit(
        &mut self,
        context: &Context,
        attribute: &Attribute,
        batch: &Batch,
        explicands: &[&Explicand],
        result: &mut [f32],
    ) -> Result<(), DeviceError> {
        let work = self.work(context, batch, explicands, size_of_val(result) as u64);
        let readback = self.readback.take(&context.device, work.attributions.bytes + work.scores.is_coarse.bytes);
        let mut program = Program::default();
        self.encode(&mut program, attribute, batch, &work);
        program.copy(&work.attributions, &readback, 0);
        program.copy(&work.scores.is_coarse, &readback, work.attributions.bytes);
        let submission = program.submit(context, &mut self.uniforms);
        let mut words = vec![0; readback.bytes as usize / size_of::<u32>()];
        context.read(submission, &readback, &mut words)?;
        let (products, is_coarse) = words.split_at(work.attributions.bytes as usize / size_of::<u32>());
        result.copy_from_slice(&bytemuck::cast_slice(products)[..result.len()]);
        for (column, &is_coarse) in result.chunks_exact_mut(batch.n_players()).zip(is_coarse) {
            if is_coarse != 0 {
                column.fill(f32::NAN);
            }
        }
        Ok(())
    }

    /// Uploads the records, and finds room for what stands between the kernels.
    fn work(
        &mut self,
        context: &Context,
        batch: &Batch,
        explicands: &[&Explicand],
        attributions_bytes: u64,
    ) -> Work {
        let Batch { games, shape, chunks, design, .. } = batch;
        let n_games = explicands.len() * chunks.n_rows;
        let records = explicands.par_iter().flat_map_iter(|explicand| function::record(games.function, explicand));
        let deltas = explicands.iter().flat_map(|explicand| &explicand.deltas).map(|&delta| delta as f32);
        let of_game = (batch.n_players(), design.n_quads());
        Work {
            n_records: explicands.len(),
            records: context.put(&mut self.records, &records.collect::<Vec<[u32; 2]>>()),
            margins: self.scores.margins(context, *shape, n_games),
            body: self.body.work(context, &batch.function, of_game, n_games),
            scores: self.scores.work(context, *shape, explicands.len(), &deltas.collect::<Vec<f32>>()),
            attributions: self.attributions.take(&context.device, attributions_bytes),
        }
    }

    /// From records to attributions, some baseline rows after the other.
    fn encode(&self, program: &mut Program, attribute: &Attribute, batch: &Batch, work: &Work) {
        let &Batch { shape, chunks, ref function, ref design, .. } = batch;
        let n_columns = work.n_records * shape.n_outputs;
        ScoreKernels::encode_start(program, &work.scores);
        for first_row in (0..shape.n_baseline_rows).step_by(chunks.n_rows) {
            let passage = Passage {
                n_records: work.n_records,
                n_rows: chunks.n_rows.min(shape.n_baseline_rows - first_row),
                first_row,
                n_outputs: shape.n_outputs,
                records: work.records.clone(),
                margins: work.margins.clone(),
            };
            self.body.encode(program, (function, design, batch.n_players()), &passage, &work.body);
            self.scores.encode_add(program, shape, &function.baseline_margins, &passage, &work.scores);
        }
        self.scores.encode_finish(program, shape, design, n_columns, &work.scores);
        let product = Product {
            n_rows: shape.n_pairs,
            n_players: batch.n_players(),
            n_columns,
            operator: batch.matrix.clone(),
            columns: work.scores.columns.clone(),
            attributions: work.attributions.clone(),
        };
        attribute.encode(program, &product);
    }
}

/// Fails where something that stays would not fit one binding.
fn kept_bytes(context: &Context, what: &str, bytes: usize) -> Result<u64, DeviceError> {
    let (bytes, bytes_max) = (bytes as u64, context.binding_bytes_max());
    if bytes > bytes_max {
        return Err(DeviceError::Refused(format!("{what} of {bytes} bytes; the limit is {bytes_max} bytes")));
    }
    Ok(bytes)
}

fn chunks(context: &Context, shape: Shape, room: Room, operator: &Operator) -> Result<Chunks, DeviceError> {
    let attributions_bytes = size_of::<f32>() * shape.n_outputs * operator.design.n_players;
    let room = Room {
        game_bytes: room.game_bytes + shape.margins_bytes(),
        record_bytes: room.record_bytes + shape.record_bytes() + attributions_bytes as u64,
    };
    let bytes_max = context.limits.work_bytes_max.min(context.binding_bytes_max());
    Chunks::new(room, shape.n_baseline_rows, shape.n_outputs, bytes_max)
}
