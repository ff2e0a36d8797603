//! Summing up what was counted.

use crate::{
    db::DbError,
    store::rollups::{BOUNDS, Runs},
};

/// How some runs went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// At work now.
    pub processing: i64,
    /// Completed.
    pub completed: i64,
    /// Failed, and not tried again since.
    pub failed: i64,
    /// How many completed within each of [`BOUNDS`] but not the one before, and how many took longer.
    pub took: [i64; BOUNDS.len() + 1],
    /// How long they took together, in seconds.
    pub took_sum: i64,
}

impl Summary {
    /// Sums `runs` up.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a Runs>) -> Result<Self, DbError> {
        let mut sum = Self::default();
        for row in runs {
            sum.processing += row.processing;
            sum.completed += row.completed;
            sum.failed += row.failed;
            sum.took_sum += row.took_sum;
            for (bucket, count) in sum.took.iter_mut().zip(row.took()?) {
                *bucket += count;
            }
        }
        Ok(sum)
    }

    /// Which part of those that ended completed, from 0 to 1; none when none ended.
    pub fn success_ratio(&self) -> Option<f64> {
        let float = |count: i64| f64::from(u32::try_from(count).unwrap_or(0));
        let ended = self.completed + self.failed;
        (ended > 0).then(|| float(self.completed) / float(ended))
    }

    /// The time within which `percent` of those that completed did, in milliseconds: read from the buckets, as Prometheus
    /// does, so as exactly as they are wide. None when none completed.
    pub fn quantile_ms(&self, percent: i64) -> Option<i64> {
        let wanted = self.took.iter().sum::<i64>() * percent;
        let (mut below, mut from) = (0, 0);
        for (count, to) in self.took.iter().zip(BOUNDS) {
            if *count > 0 && (below + count) * 100 >= wanted {
                return Some(from * 1000 + (to - from) * 1000 * (wanted - below * 100) / (count * 100));
            }
            (below, from) = (below + count, to);
        }
        // Whatever took longer than the last bound took longer than this.
        (wanted > 0).then_some(from * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(counts: &[(usize, i64)]) -> Summary {
        let mut summary = Summary::default();
        for (bucket, count) in counts {
            summary.took[*bucket] = *count;
        }
        summary
    }

    #[test]
    fn a_quantile_is_read_from_within_its_bucket() {
        assert_eq!(took(&[]).quantile_ms(50), None);
        let all_within_a_second = took(&[(0, 10)]);
        assert_eq!(
            (all_within_a_second.quantile_ms(50), all_within_a_second.quantile_ms(95)),
            (Some(500), Some(950))
        );
        // 90 within a second, 10 between 20 and 30.
        let a_few_slow = took(&[(0, 90), (5, 10)]);
        assert_eq!((a_few_slow.quantile_ms(50), a_few_slow.quantile_ms(95)), (Some(555), Some(25_000)));
    }

    #[test]
    fn what_took_longer_than_any_bound_took_at_least_that() {
        assert_eq!(took(&[(11, 3)]).quantile_ms(50), Some(1_800_000));
        assert_eq!(took(&[(10, 99), (11, 1)]).quantile_ms(50), Some(600_000 + 1_200_000 * 50 / 99));
    }

    #[test]
    fn a_ratio_is_of_those_that_ended() {
        assert_eq!(Summary { processing: 5, ..Summary::default() }.success_ratio(), None);
        assert_eq!(Summary { completed: 3, failed: 1, ..Summary::default() }.success_ratio(), Some(0.75));
    }
}
