//! Many blocks of rows on all cores, in turns, so that a large request does not keep small ones waiting.

use rayon::prelude::*;
use tokio::sync::Semaphore;

use crate::model::ModelError;
use crate::offload::Stop;
use crate::shap::Clipped;

/// Steps down trees, or products, between two looks at who else waits for the cores, some 10 ms.
const TURN_STEPS: usize = 24 << 20;

/// Taken for a turn, first come first served: one large request has the cores at a time.
static LARGE_TURN: Semaphore = Semaphore::const_new(1);

/// Works on all blocks. Work of one turn begins at once; more waits before each turn for other large work.
pub(super) fn in_turns<B: Send>(
    blocks: &mut [B],
    steps_per_block: usize,
    stop: &Stop,
    work: impl Fn(&mut B) -> Result<Clipped, ModelError> + Sync,
) -> Result<Clipped, ModelError> {
    let blocks_per_turn = (TURN_STEPS / steps_per_block.max(1)).max(1);
    let is_large = blocks.len() > blocks_per_turn;
    let mut clipped = 0;
    for turn in blocks.chunks_mut(blocks_per_turn) {
        let _turn = is_large.then(|| pollster::block_on(LARGE_TURN.acquire()));
        if stop.is_set() {
            return Err(ModelError::GivenUp);
        }
        clipped += turn.par_iter_mut().map(&work).try_reduce(|| 0, |a, b| Ok(a + b))?;
    }
    Ok(clipped)
}
