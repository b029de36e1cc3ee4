//! Twin of `shaders/live_leaves.wgsl`: trees, a record and a baseline row → the leaves that some coalition comes to.
//!
//! A split asks for a player only where record and baseline row go different ways; a player asked twice on a path answers
//! the same. So a leaf is met by the coalitions that hold some players and lack others: a conjunction.

use super::conjunctions::{ABSENT, Conjunctions};
use super::tree_values::Sum;
use crate::form::{Tree, TreeEnsemble};

/// Owns a feature that stays as it is in the baseline row.
pub const NOBODY: u32 = u32::MAX >> 1;

/// One record against one baseline row, as the splits see them, each `[n_keys]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub record: &'a [u32],
    pub baseline: &'a [u32],
    /// Who owns the feature behind each key.
    pub players: &'a [u32],
}

/// Appends the live leaves of all trees, each with what it adds beyond the baseline row's own leaf of that tree; the
/// latter adds nothing and is left out. `baseline_leaves` is `[n_trees]`, `groups` one for each output, or one for all
/// where leaves have a number for each. False when there are more than `leaves_max`: what was appended is then no use.
pub fn live_leaves<T: Sum>(
    trees: &TreeEnsemble,
    rows: Rows,
    baseline_leaves: &[u32],
    leaves_max: usize,
    groups: &mut [Conjunctions<T>],
) -> bool {
    let (mut path, mut n_leaves) = (Vec::new(), 0);
    for (t, &baseline_leaf) in baseline_leaves.iter().enumerate() {
        let group = &mut groups[trees.outputs[t] as usize];
        let walk = Walk { trees, tree: trees.tree(t), rows, baseline_leaf };
        let n_before = group.len();
        walk.descend(0, &mut path, group);
        n_leaves += group.len() - n_before;
        if n_leaves > leaves_max {
            return false;
        }
    }
    true
}

struct Walk<'a> {
    trees: &'a TreeEnsemble,
    tree: Tree<'a>,
    rows: Rows<'a>,
    baseline_leaf: u32,
}

impl Walk<'_> {
    /// Goes on from node `n`, which the players of `path` lead to; leaves `path` as it was. As deep as there are players.
    fn descend<T: Sum>(&self, mut n: u32, path: &mut Vec<u32>, group: &mut Conjunctions<T>) {
        let length = path.len();
        loop {
            let node = n as usize;
            let (column, value) = (self.tree.columns[node] as usize, self.tree.values[node]);
            if column == 0 {
                self.push(value, path, group);
                break;
            }
            let record_side = u32::from(self.rows.record[column] > value);
            let baseline_side = u32::from(self.rows.baseline[column] > value);
            let left = self.tree.left[node];
            if record_side == baseline_side {
                n = left + record_side;
                continue;
            }
            let player = self.rows.players[column];
            n = match path.iter().find(|&&literal| literal & !ABSENT == player) {
                Some(&literal) => left + if literal == player { record_side } else { baseline_side },
                None if player == NOBODY => left + baseline_side,
                None => {
                    path.push(player);
                    self.descend(left + record_side, path, group);
                    path.pop();
                    path.push(player | ABSENT);
                    left + baseline_side
                }
            };
        }
        path.truncate(length);
    }

    fn push<T: Sum>(&self, leaf: u32, path: &[u32], group: &mut Conjunctions<T>) {
        if leaf != self.baseline_leaf {
            let values = self.trees.leaf(leaf).iter().zip(self.trees.leaf(self.baseline_leaf));
            group.push(path, values.map(|(&value, &baseline)| T::from(value) - T::from(baseline)));
        }
    }
}
