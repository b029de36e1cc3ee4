//! Moments in seconds ↔ their spellings in signed requests. Knows no clock.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: i64 = 86_400;

/// Seconds since the beginning of 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Of the form 20150830T123600Z.
    pub fn read(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            digits.parse::<i64>().ok()
        };
        let days = days_before(number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let seconds = number(9, 11)? * 3600 + number(11, 13)? * 60 + number(13, 15)?;
        let moment = Self(days * DAY_S + seconds);
        // A month, a day or an hour that there is not is written otherwise.
        (moment.to_string() == text).then_some(moment)
    }

    /// Of the form Sun, 30 Aug 2015 12:36:00 GMT, which botocore ends with -0000, as mail has it.
    pub fn of_http_date(text: &str) -> Option<Self> {
        let text = text.strip_suffix("-0000").map_or(text.into(), |date| Cow::from(format!("{date}GMT")));
        httpdate::parse_http_date(&text).ok().map(Self::from)
    }

    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }

    /// Of the form 20150830.
    pub fn day(self) -> String {
        let (year, month, day) = date_after(self.0.div_euclid(DAY_S));
        format!("{year:04}{month:02}{day:02}")
    }
}

impl From<SystemTime> for Moment {
    /// Times before 1970 count as its beginning.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64))
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let second = self.0.rem_euclid(DAY_S);
        write!(f, "{}T{:02}{:02}{:02}Z", self.day(), second / 3600, second / 60 % 60, second % 60)
    }
}

/// Days of 400 years, after which the calendar repeats.
const CYCLE_DAYS: i64 = 146_097;
/// From March of year 0 to 1970. Years that begin in March have their leap day at the end.
const EPOCH_DAYS: i64 = 719_468;

/// From 1970 to this day.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + days_before_month(month) + day - 1 - EPOCH_DAYS
}

/// Months count from March: 31, 30, 31, 30, 31 days, twice, and then the rest.
fn days_before_month(month: i64) -> i64 {
    (153 * month + 2) / 5
}

/// Year, month and day so many days after the beginning of 1970.
fn date_after(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (cycle, day) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (shift, calendar_month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (400 * cycle + year + shift, calendar_month, day - days_before_month(month) + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_read_and_written_as_another_library_does() {
        // 1970 to 2199, in steps that meet every hour and every day of the calendar.
        for seconds in (0..7_258_118_400_u64).step_by(86_399 * 7) {
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            let moment = Moment::from(time);
            assert_eq!(Moment::of_http_date(&httpdate::fmt_http_date(time)), Some(moment));
            assert_eq!(Moment::read(&moment.to_string()), Some(moment), "{moment}");
            assert_eq!(moment.to_string(), rearranged(&httpdate::fmt_http_date(time)));
        }
    }

    /// The parts of an HTTP date as a signed request has them.
    fn rearranged(text: &str) -> String {
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = MONTHS.find(&text[8..11]).expect("is a month") / 3 + 1;
        format!("{}{month:02}{}T{}Z", &text[12..16], &text[5..7], text[17..25].replace(':', ""))
    }

    #[test]
    fn known_moments_and_leap_days() {
        for (text, seconds) in [
            ("19700101T000000Z", 0),
            ("20150830T123600Z", 1_440_938_160),
            ("20000229T235959Z", 951_868_799),
            ("20240229T000000Z", 1_709_164_800),
            ("00000101T000000Z", -62_167_219_200),
        ] {
            assert_eq!(Moment::read(text), Some(Moment(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T123600z",
            "2015-08-30T12:36:00Z",
            "20150230T000000Z",
            "20230229T000000Z",
            "20151301T000000Z",
            "20150001T000000Z",
            "20150100T000000Z",
            "20150101T240000Z",
            "20150101T006000Z",
            "20150101T000060Z",
            "+2015083T123600Z",
            "20150830T123600ZZ",
            "2015083éT12360Z",
        ] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
