//! Which lines the options ask for, and whether there are any.

use super::Show;
use super::failure::Failure;
use crate::app::filter::{Filter, FilterError, FilterOf, parse, parse_doubting, quote};
use crate::app::net::NetTable;
use crate::app::view::View;
use crate::sample::printable;
use crate::users;

/// `-F`, `-p` and `-u` as one filter. A recording has the users of its own machine, by their names.
///
/// # Errors
/// The filter has a mistake, or there is no such user.
pub fn filter(options: &Show, recorded: bool) -> anyhow::Result<Filter> {
    let is_user = |user: &String| match user.parse::<u32>() {
        Err(_) if recorded => Ok(format!("user={}", quote(user))),
        _ => Ok(format!("uid={}", uid_of(user)?)),
    };
    let users = options.user.iter().map(is_user).collect::<anyhow::Result<Vec<_>>>()?;
    let pids = options.pid.iter().map(|pid| format!("pid={pid}")).collect::<Vec<_>>();
    let own = options.filter.clone().filter(|f| !f.trim().is_empty());
    if let Some(text) = &own {
        parse(text).map_err(|e| Failure::Usage(format!("--filter: {}", pointed(text, &e))))?;
    }
    let parts = [own, any_of(&pids), any_of(&users)];
    let text = parts.into_iter().flatten().map(|part| format!("({part})")).collect::<Vec<_>>().join(" and ");
    Ok(parse(&text)?)
}

/// The error above the text, and a caret below the place.
fn pointed(text: &str, error: &FilterError) -> String {
    let text = printable(text.as_bytes());
    let before = text.get(..error.at).map_or(0, |before| before.chars().count());
    format!("{error}\n  {text}\n  {:before$}^", "")
}

fn any_of(terms: &[String]) -> Option<String> {
    (!terms.is_empty()).then(|| terms.join(" or "))
}

/// Number of a user given by name or number.
fn uid_of(user: &str) -> anyhow::Result<u32> {
    user.parse().or_else(|_| users::uid_in_time(user)).map_err(|error| Failure::Usage(format!("--user: {error}")).into())
}

/// Says what of that which was asked for batch output to write is not there.
///
/// # Errors
/// Nothing of it is.
pub fn look_for(options: &Show, recorded: bool, filter: &Filter) -> anyhow::Result<()> {
    let shown = options.view;
    if recorded && shown.net != NetTable::Processes {
        let text = format!("a recording holds no {}: whoever records does not look at them", shown.net.name());
        return Err(Failure::Usage(text).into());
    }
    let of = if shown.view == View::Cgroups { FilterOf::Cgroups } else { FilterOf::Net(shown.net) };
    let own = options.filter.as_deref().unwrap_or_default();
    if let Ok((_, Some(doubt))) = parse_doubting(own) {
        eprintln!("ebtop: warning: --filter: {}", pointed(own, &doubt));
    }
    if let Some(name) = filter.foreign(of) {
        eprintln!("ebtop: warning: the filter asks for `{name}`, which --view {} does not have", shown.name());
    }
    if recorded { Ok(()) } else { look_for_processes(&options.pid) }
}

/// Says which of the processes asked for are not there.
///
/// # Errors
/// None of them is: there would be nothing to write.
fn look_for_processes(pids: &[u32]) -> anyhow::Result<()> {
    // A thread has a directory of its own there, in which it is not the group.
    let is_there =
        |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|text| text.contains(&format!("\nTgid:\t{pid}\n")));
    let missing: Vec<String> = pids.iter().filter(|pid| !is_there(**pid)).map(|pid| format!("there is no process {pid}")).collect();
    anyhow::ensure!(missing.is_empty() || missing.len() < pids.len(), "{}", missing.join(", "));
    missing.iter().for_each(|missing| eprintln!("ebtop: warning: {missing}"));
    Ok(())
}
