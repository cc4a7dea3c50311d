//! The time between two samples, as it is typed after `-d` and at the `d` prompt; and how long samples are kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

/// Below the shortest the terminal, not the numbers, sets the pace.
const DELAYS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// Longer nobody looks back.
const LONGEST_HISTORY: Duration = Duration::from_secs(24 * 3600);

/// How far back one can look: `15m`, `1h`, `0`.
///
/// # Errors
/// Not a time, or more than a day.
pub fn history(text: &str) -> Result<Duration, String> {
    let history = time(text).ok_or("a time such as 15m or 1h, or 0")?;
    if history <= LONGEST_HISTORY { Ok(history) } else { Err("at most 24h".into()) }
}

/// `1`, `0.5`, `500ms`, `5s`, `1m`: a number without a unit is seconds.
///
/// # Errors
/// Not a time, or not between 100 ms and an hour.
pub fn parse(text: &str) -> Result<Duration, String> {
    let delay = time(text).ok_or("a time such as 1, 0.5, 500ms or 5s")?;
    match DELAYS.contains(&delay) {
        true => Ok(delay),
        false => Err("between 100ms and 1h".into()),
    }
}

/// A number without a unit is seconds.
fn time(text: &str) -> Option<Duration> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.parse::<SignedDuration>().ok().and_then(|d| d.try_into().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_have_units_and_limits() {
        let ms = |text| parse(text).map(|delay| delay.as_millis());
        let texts = ["1", "0.5", " 500ms", "2s", "1m", "100ms", ".25"];
        assert_eq!(texts.map(ms), [1000, 500, 500, 2000, 60_000, 100, 250].map(Ok));
        for wrong in ["", "s", "soon", "-1", "nan", "inf", "1e300", "0", "1.2.3", "99ms", "61m", "2h", "9999999999999999999999999999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_history_may_be_none_but_not_endless() {
        let seconds = |text| history(text).map(|time| time.as_secs());
        assert_eq!(["0", "15m", "1h", "24h"].map(seconds), [0, 900, 3600, 86_400].map(Ok));
        assert!(["", "25h", "-1", "ever"].into_iter().all(|wrong| history(wrong).is_err()));
    }

    proptest! {
        #[test]
        fn any_delay_is_refused_or_within_bounds(text in "\\PC{0,12}|[0-9.]{0,40}(ms|s|m)?") {
            if let Ok(delay) = parse(&text) {
                prop_assert!(DELAYS.contains(&delay));
            }
        }
    }
}
