//! Many blocks of work on all cores, in turns, so that a large request does not keep small ones waiting.

use rayon::prelude::*;
use tokio::sync::Semaphore;

use super::{GivenUp, Stop};

/// Steps between two looks at who else waits for the cores, some 10 ms; a step is a node of a tree, or a product.
const TURN_STEPS: usize = 24 << 20;

/// Taken for a turn, first come first served: one large request has the cores at a time.
static LARGE_TURN: Semaphore = Semaphore::const_new(1);

/// Works on all blocks, and gives their results in the same order. Work of one turn begins at once; more waits before each
/// turn for other large work.
pub fn in_turns<B: Send, T: Send, E: From<GivenUp> + Send>(
    blocks: Vec<B>,
    steps_per_block: usize,
    stop: &Stop,
    work: impl Fn(B) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let blocks_per_turn = (TURN_STEPS / steps_per_block.max(1)).max(1);
    let is_large = blocks.len() > blocks_per_turn;
    let mut results = Vec::with_capacity(blocks.len());
    let mut blocks = blocks.into_iter();
    loop {
        let turn: Vec<B> = blocks.by_ref().take(blocks_per_turn).collect();
        if turn.is_empty() {
            return Ok(results);
        }
        let _turn = is_large.then(|| pollster::block_on(LARGE_TURN.acquire()));
        if stop.is_set() {
            return Err(GivenUp.into());
        }
        let done: Result<Vec<T>, E> = match turn.len() {
            // One block alone is done before another thread is awake.
            1 => turn.into_iter().map(&work).collect(),
            _ => turn.into_par_iter().map(&work).collect(),
        };
        results.extend(done?);
    }
}
