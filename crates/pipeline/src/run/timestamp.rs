//! Points in time, in UTC, and the clock that gives them.

use std::{
    borrow::Cow,
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Gives the present. A parameter everywhere, so that the same run gives the same record.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A point in time, to the millisecond, written as in RFC 3339: `2026-11-23T07:33:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    milliseconds: u64,
}

/// Why a text is not a point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a time like `2026-11-23T07:33:00.000Z`", .0.escape_debug())]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// Returns the time of the machine's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_milliseconds(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Returns the machine's clock.
    pub fn clock() -> Clock {
        Arc::new(Self::now)
    }

    /// Returns the time `milliseconds` after 1970-01-01T00:00:00Z, and the end of the year 9999 at most.
    pub const fn from_milliseconds(milliseconds: u64) -> Self {
        const LAST: u64 = 253_402_300_799_999;
        Self { milliseconds: if milliseconds > LAST { LAST } else { milliseconds } }
    }

    /// Returns how long after `earlier` this is; nothing when it is before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.milliseconds.saturating_sub(earlier.milliseconds))
    }

    /// Returns year, month, day, hour, minute, second and millisecond in UTC.
    fn fields(self) -> [u64; 7] {
        let (days, rest) = (self.milliseconds / 86_400_000, self.milliseconds % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        [year, month, day, rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000]
    }

    /// Returns the time as it stands in the id of a run: `20261123-073300`.
    pub fn compact(self) -> String {
        let [year, month, day, hour, minute, second, _] = self.fields();
        format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
    }

    /// Returns the time for people: `2026-11-23 07:33:00 UTC`.
    pub fn readable(self) -> String {
        let [year, month, day, hour, minute, second, _] = self.fields();
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// Returns year, month and day of the day `days` after 1970-01-01 in the Gregorian calendar. Years are counted from
/// March, so that the leap day is the last one, in cycles of 400 years of 146,097 days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let since_march_0000 = days + 719_468;
    let (cycle, day_of_cycle) = (since_march_0000 / 146_097, since_march_0000 % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar, and `None` before 1970.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (cycle, year_of_cycle) = (year / 400, year % 400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    (cycle * 146_097 + day_of_cycle).checked_sub(719_468)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second, millisecond] = self.fields();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let parse = || {
            let shape = text.len() == 24
                && text.is_ascii()
                && text.bytes().zip("dddd-dd-ddTdd:dd:dd.dddZ".bytes()).all(|(byte, shape)| match shape {
                    b'd' => byte.is_ascii_digit(),
                    exact => byte == exact,
                });
            let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
            let (month, day) = (number(5, 7)?, number(8, 10)?);
            let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
            let in_range =
                (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
            (shape && in_range).then_some(())?;
            let days = days_from_civil(number(0, 4)?, month, day)?;
            Some(Self::from_milliseconds(((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + number(20, 23)?))
        };
        // A day that its month does not have would come back as another one.
        parse().filter(|time| time.to_string() == text).ok_or_else(|| InvalidTimestamp(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_418_780_123, "2026-11-23T07:26:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            let time = Timestamp::from_milliseconds(milliseconds);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse(), Ok(time));
        }
        assert_eq!(Timestamp::from_milliseconds(1_795_418_780_123).compact(), "20261123-072620");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-02-30T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "+026-01-01T00:00:00.000Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
