//! Times as they are typed and said.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// What somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// From what is on screen.
    Relative(SignedDuration),
    /// By the clock.
    Clock(Time),
}

impl Wanted {
    /// `14:03`, `14:03:20`, `-5m`, `+30`.
    pub(super) fn parse(text: &str) -> Result<Wanted, String> {
        let text = text.trim();
        let wrong = || "a time such as 14:03, 14:03:20 or -5m".to_owned();
        let duration = |text: &str| match text.parse::<u32>() {
            Ok(seconds) => Some(SignedDuration::from_secs(seconds.into())),
            Err(_) => text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative()),
        };
        if let Some(back) = text.strip_prefix('-') {
            return duration(back).map(|back| Wanted::Relative(-back)).ok_or_else(wrong);
        }
        if let Some(on) = text.strip_prefix('+') {
            return duration(on).map(Wanted::Relative).ok_or_else(wrong);
        }
        let parts: Option<Vec<i8>> = text.split(':').map(|part| part.parse().ok().filter(|_| (1..=2).contains(&part.len()))).collect();
        let time = match parts.as_deref() {
            Some([hour, minute]) => Time::new(*hour, *minute, 0, 0).ok(),
            Some([hour, minute, second]) => Time::new(*hour, *minute, *second, 0).ok(),
            _ => None,
        };
        time.map(Wanted::Clock).ok_or_else(wrong)
    }

    /// When that is, Unix ms. A time by the clock is the last one not after the newest sample; in a recording, which may have more to
    /// play, one before all that was played is still to come.
    pub(super) fn unix_ms(self, shown: u64, (oldest, newest): (u64, u64), is_recording: bool, zone: &TimeZone) -> Option<u64> {
        let time = |ms: u64| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok();
        let clock = match self {
            Wanted::Relative(by) => return u64::try_from(time(shown)?.checked_add(by).ok()?.as_millisecond()).ok(),
            Wanted::Clock(clock) => clock,
        };
        let date = time(newest)?.to_zoned(zone.clone()).date();
        let on = |date: jiff::civil::Date| {
            let ms = date.to_datetime(clock).to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
            u64::try_from(ms).ok()
        };
        let today = on(date)?;
        match is_recording {
            true if today < oldest => on(date.checked_add(1.day()).ok()?),
            true => Some(today),
            false if today > newest => on(date.checked_sub(1.day()).ok()?),
            false => Some(today),
        }
    }
}

/// How long ago, in the two largest units.
pub(super) fn words(ns: u64) -> String {
    match ns / 1_000_000_000 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s if s % 3600 < 60 => format!("{} h", s / 3600),
        s => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::Offset;

    /// 1970-01-03 00:00 there.
    const MIDNIGHT: u64 = 46 * 3_600_000;

    fn zone() -> TimeZone {
        TimeZone::fixed(Offset::constant(2))
    }

    fn at(text: &str, newest: u64, is_recording: bool) -> Option<u64> {
        Wanted::parse(text).unwrap().unix_ms(newest, (newest - 600_000, newest), is_recording, &zone())
    }

    #[test]
    fn a_time_is_the_last_of_its_kind() {
        let newest = MIDNIGHT + 300_000;
        assert_eq!(at("0:03", newest, false), Some(MIDNIGHT + 180_000));
        assert_eq!(at("00:03:20", newest, false), Some(MIDNIGHT + 200_000));
        assert_eq!(at("23:58", newest, false), Some(MIDNIGHT - 120_000), "yesterday's");
        assert_eq!(at("-5m", newest, false), Some(MIDNIGHT));
        assert_eq!(at("-90", newest, false), Some(newest - 90_000));
    }

    #[test]
    fn a_recording_has_more_to_play() {
        let newest = MIDNIGHT - 300_000;
        assert_eq!(at("23:58", newest, true), Some(MIDNIGHT - 120_000));
        assert_eq!(at("0:03", newest, true), Some(MIDNIGHT + 180_000), "past midnight");
        assert_eq!(at("23:52", newest, true), Some(MIDNIGHT - 480_000), "played already");
        assert_eq!(at("+1m30s", newest, true), Some(newest + 90_000));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in ["", "noon", "25:00", "14:60", "14", "14:3:2:1", "-", "--5m", "-x", "1e9:00", "+-5m", "-99999999999999999999s"] {
            assert!(Wanted::parse(wrong).is_err(), "{wrong}");
        }
        let long_ago = Wanted::parse("-9999h").unwrap();
        assert_eq!(long_ago.unix_ms(1000, (0, 1000), false, &zone()), None);
    }

    #[test]
    fn spans_are_said_shortly() {
        let said = [5, 60, 125, 3600, 3725].map(|s| words(s * 1_000_000_000));
        assert_eq!(said, ["5 s", "1 min", "2 min", "1 h", "1 h 2 min"]);
    }
}
