//! The signals of Linux: number, name, what they mean.

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number, the same on x86-64 and arm64.
    pub number: u8,
    /// Its name without `SIG`.
    pub name: &'static str,
    /// What happens to a process that does not handle it, or what it is used for.
    pub meaning: &'static str,
}

const fn signal(number: u8, name: &'static str, meaning: &'static str) -> Signal {
    Signal { number, name, meaning }
}

/// Sent where nobody chooses another one: asks a process to end.
pub const TERM: u8 = 15;

/// All but the real-time ones, in the order of their numbers (`signal(7)`).
pub const ALL: [Signal; 31] = [
    signal(1, "HUP", "terminal gone; many daemons read their configuration again"),
    signal(2, "INT", "end, as by Ctrl-C"),
    signal(3, "QUIT", "end with a core dump; a JVM prints its threads"),
    signal(4, "ILL", "illegal instruction"),
    signal(5, "TRAP", "breakpoint"),
    signal(6, "ABRT", "end with a core dump"),
    signal(7, "BUS", "bad memory access"),
    signal(8, "FPE", "arithmetic error"),
    signal(9, "KILL", "end at once; cannot be handled"),
    signal(10, "USR1", "up to the program"),
    signal(11, "SEGV", "bad memory access"),
    signal(12, "USR2", "up to the program"),
    signal(13, "PIPE", "nobody reads the pipe"),
    signal(14, "ALRM", "timer"),
    signal(TERM, "TERM", "asks it to end"),
    signal(16, "STKFLT", "unused"),
    signal(17, "CHLD", "a child ended; ignored"),
    signal(18, "CONT", "go on after a stop"),
    signal(19, "STOP", "stop; cannot be handled"),
    signal(20, "TSTP", "stop, as by Ctrl-Z"),
    signal(21, "TTIN", "stop: reads the terminal from the background"),
    signal(22, "TTOU", "stop: writes the terminal from the background"),
    signal(23, "URG", "urgent data; ignored"),
    signal(24, "XCPU", "CPU time limit"),
    signal(25, "XFSZ", "file size limit"),
    signal(26, "VTALRM", "virtual timer"),
    signal(27, "PROF", "profiling timer"),
    signal(28, "WINCH", "window changed; ignored"),
    signal(29, "IO", "I/O possible"),
    signal(30, "PWR", "power fails"),
    signal(31, "SYS", "bad system call"),
];

/// `SIGTERM`; of one without a name, its number.
pub fn name(number: u8) -> String {
    ALL.iter().find(|s| s.number == number).map_or_else(|| format!("signal {number}"), |s| format!("SIG{}", s.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        assert!(ALL.iter().zip(1..).all(|(signal, number)| signal.number == number));
        let number = |name| ALL.iter().find(|s| s.name == name).map(|s| i32::from(s.number));
        let known =
            [("HUP", libc::SIGHUP), ("KILL", libc::SIGKILL), ("TERM", libc::SIGTERM), ("STOP", libc::SIGSTOP), ("SYS", libc::SIGSYS)];
        assert!(known.iter().all(|&(name, raw)| number(name) == Some(raw)));
        assert_eq!((name(9), name(40)), ("SIGKILL".into(), "signal 40".into()));
    }
}
