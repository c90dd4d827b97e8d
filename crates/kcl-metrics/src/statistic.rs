/// CloudWatch takes values between -2^360 and 2^360 (API page `MetricDatum`). This is 2^300, so that the sum of 2^60
/// values is still one that it takes.
const MAGNITUDE_MAX: f64 = f64::from_bits((1023 + 300) << 52);

/// The summary of one or more values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistic {
    pub(crate) sum: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// How many values; at least 1.
    pub(crate) count: u64,
}

impl Statistic {
    /// The summary of one value; none if CloudWatch would refuse it.
    pub(crate) fn of(value: f64) -> Option<Self> {
        let usable = value.is_finite() && value.abs() <= MAGNITUDE_MAX;
        usable.then_some(Self { sum: value, min: value, max: value, count: 1 })
    }

    /// Adds the values that `other` summarises.
    pub(crate) const fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_add_up() {
        let mut statistic = Statistic::of(2.0).unwrap();
        statistic.merge(Statistic::of(-1.5).unwrap());
        statistic.merge(Statistic { sum: 10.0, min: 3.0, max: 4.0, count: 3 });
        assert_eq!(statistic, Statistic { sum: 10.5, min: -1.5, max: 4.0, count: 5 });
    }

    #[test]
    fn a_value_that_cloudwatch_refuses_has_no_summary() {
        assert_eq!(MAGNITUDE_MAX.log2(), 300.0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 2.0 * MAGNITUDE_MAX] {
            assert_eq!(Statistic::of(value), None, "{value}");
        }
        for value in [0.0, -0.0, MAGNITUDE_MAX, -MAGNITUDE_MAX] {
            assert!(Statistic::of(value).is_some(), "{value}");
        }
    }
}
