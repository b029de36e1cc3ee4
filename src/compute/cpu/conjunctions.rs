//! Conjunctions of players: coalitions that hold some players and lack others, and what each of these sets adds.

/// Marks a player that is to be absent.
pub const ABSENT: u32 = 1 << 31;

/// Conjunctions of players with `width` numbers each.
#[derive(Clone, Debug, Default)]
pub struct Conjunctions<T> {
    /// Players one after the other, those to be absent with the bit `ABSENT`.
    pub literals: Vec<u32>,
    /// `[n_conjunctions]`, where each one's literals end.
    pub ends: Vec<u32>,
    /// `[n_conjunctions × width]`
    pub values: Vec<T>,
}

impl<T> Conjunctions<T> {
    /// None yet, with room for about so many.
    pub fn with_room(n_conjunctions: usize) -> Self {
        let [ends, literals] = [n_conjunctions, 4 * n_conjunctions].map(Vec::with_capacity);
        Self { literals, ends, values: Vec::with_capacity(n_conjunctions) }
    }

    pub fn push(&mut self, literals: &[u32], values: impl Iterator<Item = T>) {
        self.literals.extend_from_slice(literals);
        self.ends.push(self.literals.len() as u32);
        self.values.extend(values);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn clear(&mut self) {
        self.literals.clear();
        self.ends.clear();
        self.values.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let literals = &self.literals[start..end as usize];
            start = end as usize;
            literals
        })
    }
}
