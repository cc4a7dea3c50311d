//! The manual page, made from the command line's own definition: one page with everything, so that `man ebtop` is enough.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;

const ENVIRONMENT: [(&str, &str); 5] = [
    ("NO_COLOR", "Where it is set to anything, nothing is coloured."),
    ("LC_ALL, LC_CTYPE, LANG", "Without UTF-8 in the first that is set, as with TERM=linux, ebtop draws with ASCII only, as --ascii does."),
    ("XDG_CONFIG_HOME", "Where the configuration is, if not in ~/.config."),
    ("SUDO_UID, SUDO_GID", "Under sudo: files are read and written with the rights of this user, and belong to him."),
    ("EBTOP_FORCE", "Ways of collecting to take no other than, such as net=functions, to try what an older kernel would get."),
];

const FILES: [(&str, &str); 3] = [
    ("~/.config/ebtop/config.toml", "The configuration; `ebtop config --default` prints one with all there is, explained."),
    ("/usr/lib/ebtop/btf/RELEASE.btf", "Kernel types for a kernel of that release (uname -r) that does not describe its own."),
    ("/tmp/perf-PID.map", "Names of code that a runtime such as node or Java wrote; read where the process tells them there."),
];

/// The page, as roff.
///
/// # Errors
/// Only those of writing to memory: none.
pub fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    subcommands.enumerate().try_for_each(|(i, subcommand)| render_subcommand(subcommand, i == 0, &mut page))?;
    man.render_extra_section(&mut page)?;
    render_list("ENVIRONMENT", &ENVIRONMENT, &mut page)?;
    render_list("FILES", &FILES, &mut page)?;
    heading("SEE ALSO", &mut page)?;
    Roff::new()
        .text([bold("top"), roman("(1), "), bold("capabilities"), roman("(7), "), bold("sudo"), roman("(8)")])
        .to_writer(&mut page)?;
    Ok(page)
}

fn heading(text: &str, page: &mut impl Write) -> io::Result<()> {
    Roff::new().control("SH", [text]).to_writer(page)
}

/// Names, each with what is said about it.
fn render_list(title: &str, entries: &[(&str, &str)], page: &mut impl Write) -> io::Result<()> {
    heading(title, page)?;
    entries.iter().try_for_each(|(name, about)| Roff::new().control("TP", []).text([bold(*name)]).text([roman(*about)]).to_writer(page))
}

/// A subcommand's usage, description and options under a heading of their own.
fn render_subcommand(subcommand: &Command, is_first: bool, page: &mut Vec<u8>) -> io::Result<()> {
    if is_first {
        heading("COMMANDS", page)?;
    }
    let usage = subcommand.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    Roff::new().control("SS", [usage.as_str()]).to_writer(page)?;
    let about = subcommand.get_long_about().or(subcommand.get_about()).map(ToString::to_string).unwrap_or_default();
    Roff::new().text([roman(about)]).to_writer(page)?;
    let mut options = Vec::new();
    Man::new(subcommand.clone()).render_options_section(&mut options)?;
    let options = String::from_utf8_lossy(&options);
    // The library writes a section of its own; here it is a part of one.
    page.write_all(options.lines().filter(|line| !line.starts_with(".SH ")).fold(String::new(), |all, line| all + line + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_option_and_command() {
        let page = String::from_utf8(page().unwrap()).unwrap().replace("\\-", "-");
        let mut command = Cli::command();
        command.build();
        let subcommands = || command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help");
        for subcommand in subcommands() {
            assert!(page.contains(&format!(".SS \"ebtop {}", subcommand.get_name())), "{}", subcommand.get_name());
        }
        let all = subcommands().chain([&command]).flat_map(|command| command.get_arguments()).filter_map(|arg| arg.get_long());
        for long in all {
            assert!(page.contains(&format!("--{long}")), "{long}");
        }
        assert_eq!(page.matches("\n.SH OPTIONS").count(), 1);
        for (name, about) in ENVIRONMENT.iter().chain(&FILES) {
            assert!(page.contains(name) && page.contains(about), "{name}");
        }
        assert!(page.contains("Exit codes:") && page.contains(".SH \"SEE ALSO\""));
    }
}
