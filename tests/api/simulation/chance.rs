//! Chance, as a seed decides it.

use std::cell::Cell;

/// A stream of chances.
pub struct Chance(Cell<u64>);

impl Chance {
    /// The stream of a seed.
    pub fn of(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    /// The next 64 bits.
    pub fn bits(&self) -> u64 {
        let mut state = self.0.get();
        let bits = crate::support::splitmix(&mut state);
        self.0.set(state);
        bits
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Once in `times`.
    pub fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `these`.
    pub fn one_of<'a, T>(&self, these: &'a [T]) -> &'a T {
        &these[usize::try_from(self.below(these.len() as u64)).unwrap()]
    }
}
