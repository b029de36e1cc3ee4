//! Points in time as AWS JSON writes them: `1.686294529147E9` seconds.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::aws::service_model;

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// A member whose shape has been checked.
    pub fn read(value: &Value) -> Option<Self> {
        Some(Self((service_model::seconds(value)? * 1e3).round() as u64))
    }
}

impl From<SystemTime> for Timestamp {
    /// Clocks before 1970 stand at 1970.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
    }
}

/// As an answer shows it. Documents of the store keep the milliseconds.
pub struct Seconds(pub Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = seconds(self.0.0);
        RawValue::from_string(text).expect("digits are JSON. This is a bug.").serialize(serializer)
    }
}

/// One digit before the point, at least one behind it, none more than needed.
fn seconds(ms: u64) -> String {
    if ms < 1000 {
        return format!("{:?}", ms as f64 / 1e3);
    }
    let digits = ms.to_string();
    let (first, rest) = digits.split_at(1);
    let rest = Some(rest.trim_end_matches('0')).filter(|rest| !rest.is_empty()).unwrap_or("0");
    format!("{first}.{rest}E{}", digits.len() - 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_show_seconds_as_they_were_recorded() {
        for (ms, text) in [
            (1_686_294_529_147, "1.686294529147E9"),
            (1_686_294_705_730, "1.68629470573E9"),
            (1_000_000_000_000, "1.0E9"),
            (0, "0.0"),
            (250, "0.25"),
            (1500, "1.5E0"),
        ] {
            assert_eq!(serde_json::to_string(&Seconds(Timestamp(ms))).expect("is JSON"), text);
            let value: Value = serde_json::from_str(text).expect("is JSON");
            assert_eq!(Timestamp::read(&value), Some(Timestamp(ms)), "{text}");
        }
    }
}
