//! What the tensors of a graph stand for, as functions of a record: columns made from single features, terms of texts, and
//! scores made from sums over those or over trees.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::forest::Forest;
use super::scores::Scores;
use super::tensor::Constant;
use super::terms::Terms;
use super::texts::Tokens;
use super::wrong;
use crate::form::{Column, Feature, Inputs, Layer, Stage, Step};
use crate::model::embedded::text::Tokenizer;

/// Columns of any tensor; as many as records may have.
pub(super) const COLUMNS_MAX: usize = 65_536;

/// Numbers of 8 bytes that all tensors of a graph may be made of, so that no graph costs more than its file is worth.
const NUMBERS_MAX: usize = 1 << 26;
/// What a column and a step of it take without their lists, in such numbers.
const COLUMN_NUMBERS: usize = 4;
const STEP_NUMBERS: usize = 8;

/// A tensor with a row for each record, or without.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Rc<Constant>),
    /// Features that are text.
    Texts(Vec<u32>),
    /// One of them in lower case.
    Lower(u32),
    Tokens(Rc<Tokens>),
    Blocks(BlocksId),
    Rows(RowsId),
    Scores(Rc<Scores>),
}

/// A place in `Context::rows`: equal ones are the same columns.
pub(super) type RowsId = usize;
/// A place in `Context::blocks`.
pub(super) type BlocksId = usize;
/// A place in `Context::bases`.
pub(super) type BasisId = usize;

#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// What the columns are made from, a place in `Context::prefixes`.
    pub prefix: usize,
    pub columns: Vec<Column>,
    /// Integers in the file.
    pub is_whole: bool,
    /// 3 for what a one-hot encoder makes of one column: `[n_records × 1 × n_columns]`.
    pub rank: i64,
}

/// Columns beside each other, of which some are terms of texts.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Terms(Rc<Terms>),
    Rows(RowsId),
}

/// The numbers that margins are sums over.
#[derive(Debug)]
pub(super) enum Basis {
    Rows(RowsId),
    Blocks(BlocksId),
    Layer {
        below: BasisId,
        layer: Layer,
    },
    /// One number for each class of each forest.
    Forests {
        rows: RowsId,
        forests: Vec<Rc<Forest>>,
    },
}

/// A feature that is text: its names, as far as encoders know them.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<String>,
    codes: HashMap<String, u32>,
}

/// What has been made of a graph so far.
#[derive(Debug, Default)]
pub(super) struct Context {
    /// `[n_features]`, none for numbers.
    pub names: Vec<Option<Names>>,
    pub prefixes: Vec<Inputs>,
    pub rows: Vec<Rows>,
    pub blocks: Vec<Vec<Block>>,
    pub bases: Vec<Basis>,
    pub n_softmaxes: usize,
    /// By expression and least number of characters.
    pub tokenizers: HashMap<(String, usize), Arc<Tokenizer>>,
    pub tokenizer_bytes: usize,
    /// Bases of rows and of blocks that have one.
    linear: HashMap<RowsId, BasisId>,
    linear_blocks: HashMap<BlocksId, BasisId>,
    n_numbers: usize,
}

impl Context {
    /// Of a graph without inputs yet; the first prefix is that of the features themselves.
    pub fn new() -> Self {
        Self { prefixes: vec![Inputs::default()], ..Self::default() }
    }

    /// Takes from what all tensors together may cost.
    pub fn charge(&mut self, n_numbers: usize) -> Result<(), String> {
        self.n_numbers = self.n_numbers.saturating_add(n_numbers);
        if self.n_numbers > NUMBERS_MAX {
            return Err(format!(
                "the tensors up to here take {} numbers; the limit is {NUMBERS_MAX}",
                self.n_numbers
            ));
        }
        Ok(())
    }

    pub fn push_rows(&mut self, rows: Rows) -> Result<RowsId, String> {
        check_width(rows.columns.len())?;
        self.charge(rows.columns.iter().map(cost).sum())?;
        self.rows.push(rows);
        Ok(self.rows.len() - 1)
    }

    /// The rows with one step more on each column.
    pub fn with_step(
        &mut self,
        id: RowsId,
        step: impl Fn(usize) -> Step,
        is_whole: bool,
    ) -> Result<RowsId, String> {
        let mut rows = self.rows[id].clone();
        // Before the steps are there, since each may hold a long list.
        self.charge(rows.columns.len() * step_cost(&step(0)))?;
        rows.columns.iter_mut().enumerate().for_each(|(n, column)| column.steps.push(step(n)));
        rows.is_whole = is_whole;
        self.push_rows(rows)
    }

    pub fn push_basis(&mut self, basis: Basis) -> BasisId {
        self.bases.push(basis);
        self.bases.len() - 1
    }

    /// The one basis of these columns.
    pub fn linear_basis(&mut self, rows: RowsId) -> BasisId {
        match self.linear.get(&rows) {
            Some(&basis) => basis,
            None => {
                let basis = self.push_basis(Basis::Rows(rows));
                self.linear.insert(rows, basis);
                basis
            }
        }
    }

    /// The one basis of these blocks.
    pub fn blocks_basis(&mut self, blocks: BlocksId) -> BasisId {
        match self.linear_blocks.get(&blocks) {
            Some(&basis) => basis,
            None => {
                let basis = self.push_basis(Basis::Blocks(blocks));
                self.linear_blocks.insert(blocks, basis);
                basis
            }
        }
    }

    pub fn push_blocks(&mut self, blocks: Vec<Block>) -> BlocksId {
        self.blocks.push(blocks);
        self.blocks.len() - 1
    }

    pub fn block_width(&self, block: &Block) -> usize {
        match block {
            Block::Terms(terms) => terms.scale.len(),
            Block::Rows(rows) => self.rows[*rows].columns.len(),
        }
    }

    fn blocks_width(&self, blocks: BlocksId) -> usize {
        self.blocks[blocks].iter().map(|block| self.block_width(block)).sum()
    }

    /// Numbers that a margin over this basis has a weight for.
    pub fn basis_width(&self, basis: BasisId) -> usize {
        match &self.bases[basis] {
            Basis::Rows(rows) => self.rows[*rows].columns.len(),
            Basis::Blocks(blocks) => self.blocks_width(*blocks),
            Basis::Layer { layer, .. } => layer.n_outputs(),
            Basis::Forests { forests, .. } => forests.iter().map(|forest| forest.n_classes).sum(),
        }
    }

    pub fn width(&self, value: &Value) -> Result<usize, String> {
        match value {
            Value::Constant(_) => Err(wrong("an input", "a constant", "a row for each record")),
            Value::Texts(features) => Ok(features.len()),
            Value::Lower(_) | Value::Tokens(_) => Ok(1),
            Value::Blocks(blocks) => Ok(self.blocks_width(*blocks)),
            Value::Rows(rows) => Ok(self.rows[*rows].columns.len()),
            Value::Scores(scores) => Ok(scores.columns.len()),
        }
    }

    /// The number that stands for a name of a feature.
    pub fn code(&mut self, feature: u32, name: &str) -> f32 {
        let names = self.names[feature as usize].as_mut().expect("texts are features with names. This is a bug.");
        let code = match names.codes.get(name) {
            Some(&code) => code,
            None => {
                let code = names.list.len() as u32;
                names.list.push(name.to_owned());
                names.codes.insert(name.to_owned(), code);
                code
            }
        };
        code as f32
    }

    pub fn features(&mut self) -> Vec<Feature> {
        let feature = |names: Option<Names>| names.map_or(Feature::Number, |names| Feature::Category(names.list));
        self.names.drain(..).map(feature).collect()
    }

    /// Numbers that the way to these columns is made of.
    pub fn inputs_cost(&self, rows: RowsId) -> usize {
        let Rows { prefix, columns, .. } = &self.rows[rows];
        let of_stage = |stage: &Stage| match stage {
            Stage::Columns(columns) => columns.iter().map(cost).sum(),
            Stage::Normalise(_) => STEP_NUMBERS,
        };
        columns.iter().map(cost).sum::<usize>() + self.prefixes[*prefix].stages.iter().map(of_stage).sum::<usize>()
    }

    /// From the features to these columns.
    pub fn inputs(&self, rows: RowsId) -> Inputs {
        let rows = &self.rows[rows];
        let mut inputs = self.prefixes[rows.prefix].clone();
        let is_same = |(n, column): (usize, &Column)| column.source as usize == n && column.steps.is_empty();
        if rows.columns.len() != inputs.n_inputs(self.names.len()) || !rows.columns.iter().enumerate().all(is_same)
        {
            inputs.stages.push(Stage::Columns(rows.columns.clone()));
        }
        inputs
    }
}

pub(super) fn check_width(n_columns: usize) -> Result<(), String> {
    if (1..=COLUMNS_MAX).contains(&n_columns) {
        return Ok(());
    }
    Err(wrong("the number of columns", n_columns, format!("1 to {COLUMNS_MAX}")))
}

fn cost(column: &Column) -> usize {
    COLUMN_NUMBERS + column.steps.iter().map(step_cost).sum::<usize>()
}

fn step_cost(step: &Step) -> usize {
    match step {
        Step::LookUp { keys, .. } => STEP_NUMBERS + keys.len(),
        Step::Impute { .. } | Step::Scale { .. } | Step::Truncate | Step::Equals(_) => STEP_NUMBERS,
    }
}
