//! A counter-based generator: any draw can be made again from its number alone.
//! Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

fn philox(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut k, mut c) = (key, counter);
    for _ in 0..ROUNDS {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(KEY_STEPS[0]), k[1].wrapping_add(KEY_STEPS[1])];
    }
    c
}

/// The random numbers of one draw: independent of every other (seed, stream, draw).
pub(super) struct Draw {
    key: [u32; 2],
    counter: [u32; 4],
    ready: [u32; 4],
    n_ready: usize,
}

impl Draw {
    pub(super) fn new(seed: i64, stream: u32, draw: u64) -> Self {
        let seed = seed as u64;
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, draw as u32, (draw >> 32) as u32, stream],
            ready: [0; 4],
            n_ready: 0,
        }
    }

    fn next(&mut self) -> u32 {
        if self.n_ready == 0 {
            self.ready = philox(self.key, self.counter);
            self.counter[0] += 1;
            self.n_ready = 4;
        }
        self.n_ready -= 1;
        self.ready[3 - self.n_ready]
    }

    /// Uniform in 0..bound without bias (Lemire, "Fast random integer generation in an interval", 2019).
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.next()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_paper_are_met() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 2], [u32::MAX; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    }

    #[test]
    fn bounded_draws_cover_their_range_evenly() {
        let mut counts = [0; 7];
        for draw in 0..7_000 {
            counts[Draw::new(5, 1, draw).below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
