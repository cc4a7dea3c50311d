//! Lines of tables: a live process, an exited one or a group seen the same way; and a socket.

use std::borrow::Cow;

use super::{Column, Value};
use crate::app::lines::GroupLine;
use crate::app::trends::{Trend, Trends};
use crate::app::user_names::UserNames;
use crate::model::exited::{Ended, Group};
use crate::model::growth::Growth;
use crate::model::sockets::SocketRow;
use crate::model::sum::Sum;
use crate::model::threads::Part;
use crate::model::{Departed, Model, Row};
use crate::sample::{Comm, Container, Counter, Details, Exit, Memory, Socket, Task, cgroup_path};

/// Who a line is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A process that runs.
    Live(&'a Task, &'a Row),
    /// A thread of one that has several.
    Thread(&'a Part),
    /// A process with all below it.
    Sum(&'a Sum),
    /// A process that ended within the tick.
    Departed(&'a Exit),
    /// Exited processes as one.
    Exited(&'a Group),
    /// Processes that have something in common.
    Group(&'a GroupLine),
}

/// A line of a process table.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    /// Who.
    pub subject: Subject<'a>,
    /// Growth over the tick.
    pub delta: Growth<'a>,
    /// Length of the tick; 0 = no rates.
    pub elapsed_ns: u64,
    /// When the sample was taken.
    pub at_ns: u64,
    /// Slow facts, where already read.
    pub details: Option<&'a Details>,
    /// Names of users, where those are known.
    pub users: Option<&'a UserNames>,
    /// 1: percent of one core. The number of cores: percent of the machine.
    pub cores: u32,
    /// The program is shown with the directories it was started from.
    pub paths: bool,
    /// What processes did over the last ticks, where that is to be drawn.
    pub trends: Option<&'a Trends>,
    /// The id in its own pid namespace goes with the process id.
    pub tells_inner_pid: bool,
}

impl<'a> RowView<'a> {
    /// A live process of the model.
    pub fn live(model: &'a Model, row: &'a Row, details: Option<&'a Details>) -> Self {
        Self::new(model, Subject::Live(model.task(row), row), model.growth(row), details)
    }

    /// A process that ended.
    pub fn departed(model: &'a Model, departed: &'a Departed) -> Self {
        Self::new(model, Subject::Departed(&departed.exit), Growth::Sum(&departed.delta), None)
    }

    /// A process that ended, or is about to.
    pub fn ended(model: &'a Model, ended: Ended<'a>) -> Self {
        match ended {
            Ended::Departed(departed) => RowView::departed(model, departed),
            Ended::Leaving(row) => RowView::live(model, row, None),
        }
    }

    /// Exited processes folded into one line.
    pub fn exited(model: &'a Model, group: &'a Group) -> Self {
        Self::new(model, Subject::Exited(group), Growth::Sum(&group.delta), None)
    }

    /// A process with all below it: who it is is its own, the figures are those of all.
    pub fn sum(model: &'a Model, sum: &'a Sum, details: Option<&'a Details>) -> Self {
        Self::new(model, Subject::Sum(sum), Growth::Gain(&sum.gain), details)
    }

    /// A thread, with the slow facts of its process; the leader goes by the process's command line.
    pub fn thread(model: &'a Model, part: &'a Part, details: Option<&'a Details>) -> Self {
        Self::new(model, Subject::Thread(part), Growth::Gain(&part.gain), details)
    }

    /// Processes that have something in common.
    pub fn group(model: &'a Model, group: &'a GroupLine) -> Self {
        Self::new(model, Subject::Group(group), Growth::Gain(&group.sum.gain), None)
    }

    fn new(model: &Model, subject: Subject<'a>, delta: Growth<'a>, details: Option<&'a Details>) -> Self {
        let (elapsed_ns, at_ns) = (model.elapsed_ns, model.sample.at_ns);
        RowView { subject, delta, elapsed_ns, at_ns, details, users: None, cores: 1, paths: true, trends: None, tells_inner_pid: false }
    }

    /// The same with CPU shown as a share of so many cores.
    #[must_use]
    pub fn of_cores(self, cores: u32) -> Self {
        RowView { cores: cores.max(1), ..self }
    }

    /// The same with or without the directories of the program.
    #[must_use]
    pub fn with_paths(self, paths: bool) -> Self {
        RowView { paths, ..self }
    }

    /// The same with names of users.
    #[must_use]
    pub fn with_users(self, users: &'a UserNames) -> Self {
        RowView { users: Some(users), ..self }
    }

    /// The same with what went before.
    #[must_use]
    pub fn with_trends(self, trends: &'a Trends) -> Self {
        RowView { trends: Some(trends), ..self }
    }

    /// The same with the id in its own pid namespace beside the process id, or without.
    #[must_use]
    pub fn with_inner_pid(self, tells_inner_pid: bool) -> Self {
        RowView { tells_inner_pid, ..self }
    }

    /// What a process did over the last ticks, to be drawn; else what it did in the last one. Nobody follows threads and groups.
    pub fn trend(&self, trend: Trend, now: Value<'a>) -> Value<'a> {
        match (self.trends, self.subject) {
            (None, _) => now,
            (Some(trends), Subject::Live(task, _)) => {
                Value::Spark(trends.spark(trend, task.key, task.memory.as_ref().map_or(0, Memory::rss_bytes)))
            }
            _ => Value::Unknown,
        }
    }

    /// The same with slow facts.
    #[must_use]
    pub fn with_details(self, details: Option<&'a Details>) -> Self {
        RowView { details, ..self }
    }

    /// The single process it is about; `None` for groups.
    pub fn task(&self) -> Option<&'a Task> {
        match self.subject {
            Subject::Live(task, _) => Some(task),
            Subject::Thread(part) => Some(&part.task),
            Subject::Sum(sum) => Some(&sum.task),
            Subject::Departed(exit) => Some(&exit.task),
            Subject::Exited(_) | Subject::Group(_) => None,
        }
    }

    /// The process, if it still runs.
    pub fn running(&self) -> Option<&'a Task> {
        match self.subject {
            Subject::Departed(_) | Subject::Exited(_) | Subject::Group(_) => None,
            _ => self.task(),
        }
    }

    /// First seen in this sample and born within the tick; of several, all of them.
    pub fn is_new(&self) -> bool {
        match self.subject {
            Subject::Live(_, row) => row.is_new(),
            Subject::Thread(part) => part.is_new,
            Subject::Sum(sum) => sum.is_new,
            Subject::Group(group) => group.sum.is_new,
            Subject::Departed(_) | Subject::Exited(_) => false,
        }
    }

    /// It ended within the tick, or runs no more and is about to.
    pub fn is_exited(&self) -> bool {
        match self.subject {
            Subject::Departed(_) | Subject::Exited(_) => true,
            Subject::Live(task, _) => task.is_leaving(),
            Subject::Thread(part) => part.task.is_leaving(),
            Subject::Sum(_) | Subject::Group(_) => false,
        }
    }

    /// A kernel thread.
    pub fn is_kernel_thread(&self) -> bool {
        self.task().is_some_and(|t| t.kernel_thread)
    }

    /// Resident memory now; nothing is resident of the exited.
    pub fn memory(&self) -> Option<&'a Memory> {
        match self.subject {
            Subject::Group(group) => group.sum.task.memory.as_ref(),
            _ => self.running()?.memory.as_ref(),
        }
    }

    /// Command line where known, else the name; fit for a terminal.
    pub fn command(&self) -> Cow<'a, str> {
        match (self.details, self.subject) {
            (_, Subject::Thread(part)) if !part.is_leader() => comm_text(&part.task.comm),
            (Some(details), _) if !details.cmdline.is_empty() => Cow::Borrowed(&details.cmdline),
            (_, Subject::Live(task, _)) => comm_text(&task.comm),
            (_, Subject::Thread(part)) => comm_text(&part.task.comm),
            (_, Subject::Sum(sum)) => comm_text(&sum.task.comm),
            (_, Subject::Departed(exit)) => comm_text(&exit.task.comm),
            (_, Subject::Exited(group)) => Cow::Borrowed(&group.name),
            (_, Subject::Group(group)) => Cow::Borrowed(&group.name),
        }
    }

    /// The same as it is shown.
    pub fn shown_command(&self) -> Cow<'a, str> {
        let command = self.command();
        // A name as the kernel has it is no path: `kworker/0:1H`.
        let is_command_line = self.details.is_some_and(|details| details.cmdline == command);
        match command {
            Cow::Borrowed(text) if is_command_line && !self.paths => Cow::Borrowed(without_path(text, self.details)),
            command => command,
        }
    }

    /// Name of its user, or the number until the name is known.
    pub fn user(&self) -> Option<Cow<'a, str>> {
        UserNames::of(self.users, self.task(), self.details)
    }

    /// The systemd unit that its control group belongs to.
    pub fn unit(&self) -> Option<&'a str> {
        cgroup_path::unit(self.details?.cgroup.as_deref()?)
    }

    /// The container it runs in.
    pub fn container(&self) -> Option<&'a Container> {
        self.details?.container.as_deref()
    }

    /// Its pid here and in its own pid namespace, where those are two. Threads have ids of their own there, which nobody read.
    pub fn inner_pid(&self) -> Option<(u32, u32)> {
        match self.subject {
            Subject::Thread(part) if !part.is_leader() => None,
            _ => Some((self.task()?.key.pid, self.details?.inner_pid?)),
        }
    }

    /// Growth of a counter, a second.
    pub fn per_sec(&self, counter: Counter) -> Option<f64> {
        let delta = self.delta.get(counter).filter(|_| self.elapsed_ns > 0)?;
        Some(delta as f64 * 1e9 / self.elapsed_ns as f64)
    }

    /// Sum of two rates; known if both are.
    pub fn per_sec_of_both(&self, a: Counter, b: Counter) -> Option<f64> {
        Some(self.per_sec(a)? + self.per_sec(b)?)
    }

    /// A counter of time as percent of the elapsed time of one core (or of [`RowView::cores`]).
    pub fn percent(&self, counter: Counter) -> Option<f64> {
        Some(self.per_sec(counter)? / 1e7 / f64::from(self.cores))
    }

    /// Time without a CPU as percent of the elapsed time: never a share of the machine.
    pub fn wait_percent(&self) -> Option<f64> {
        Some(self.per_sec(Counter::WaitNs)? / 1e7)
    }

    /// Growth of a gauge of a live process's memory, bytes a second; negative when it shrank.
    pub fn growth_per_sec(&self, gauge: fn(&Memory) -> u64) -> Option<f64> {
        let growth = self.delta.of_memory(gauge).filter(|_| self.elapsed_ns > 0)?;
        Some(growth as f64 * 1e9 / self.elapsed_ns as f64)
    }

    /// Time from its start to the sample, or to its end.
    pub fn age_ns(&self) -> Option<u64> {
        let end_ns = match self.subject {
            Subject::Live(..) | Subject::Sum(_) => self.at_ns,
            Subject::Thread(part) if part.is_leader() => self.at_ns,
            Subject::Departed(exit) => exit.at_ns,
            Subject::Exited(_) | Subject::Group(_) | Subject::Thread(_) => return None,
        };
        Some(end_ns.saturating_sub(self.task()?.key.start_ns))
    }

    /// A counter since the start of the process.
    pub fn total(&self, counter: Counter) -> Option<u64> {
        match self.subject {
            Subject::Group(group) => group.sum.task.counters.get(counter),
            _ => self.task()?.counters.get(counter),
        }
    }

    /// Threads alive.
    pub fn threads(&self) -> Option<u32> {
        match self.subject {
            Subject::Group(group) => Some(group.sum.task.threads),
            _ => self.running().map(|task| task.threads),
        }
    }
}

/// A task name as text, without a copy where it is plain ASCII.
fn comm_text(comm: &Comm) -> Cow<'_, str> {
    match std::str::from_utf8(comm.bytes()) {
        Ok(text) if text.bytes().all(|b| (0x20..0x7f).contains(&b)) => Cow::Borrowed(text),
        _ => Cow::Owned(comm.to_string()),
    }
}

/// A line of a socket table.
#[derive(Clone, Copy, Debug)]
pub struct SocketView<'a> {
    /// The socket.
    pub socket: &'a Socket,
    /// Its growth over the tick.
    pub row: &'a SocketRow,
    /// Its owner; the last that is known of one that is gone.
    pub task: Option<&'a Task>,
    /// Slow facts of the owner, where already read.
    pub details: Option<&'a Details>,
    /// Names of users, where those are known.
    pub users: Option<&'a UserNames>,
    /// Length of the tick; 0 = no rates.
    pub elapsed_ns: u64,
    /// When the sample was taken.
    pub at_ns: u64,
    /// The program is shown with the directories it was started from.
    pub paths: bool,
    /// Of a listener: connections to its port; `None` where nobody counted them.
    pub connections: Option<u32>,
}

impl<'a> SocketView<'a> {
    /// A socket of the model.
    pub fn new(model: &'a Model, row: &'a SocketRow, details: Option<&'a Details>) -> Self {
        let socket = &model.sample.sockets[row.socket as usize];
        let task = socket.owner.and_then(|key| model.owner(key));
        let (elapsed_ns, at_ns) = (model.elapsed_ns, model.sample.at_ns);
        SocketView { socket, row, task, details, users: None, elapsed_ns, at_ns, paths: true, connections: None }
    }

    /// The same with or without the directories of the program.
    #[must_use]
    pub fn with_paths(self, paths: bool) -> Self {
        SocketView { paths, ..self }
    }

    /// Growth as a rate.
    pub fn per_sec(&self, growth: Option<u64>) -> Option<f64> {
        growth.filter(|_| self.elapsed_ns > 0).map(|g| g as f64 * 1e9 / self.elapsed_ns as f64)
    }

    /// User of the owner: the name, or the number until the name is known.
    pub fn user(&self) -> Option<Cow<'a, str>> {
        UserNames::of(self.users, self.task, self.details)
    }

    /// Where its owner runs: columns of processes that hold for their sockets, too.
    pub fn of_owner(&self, column: Column) -> Value<'a> {
        let Some(details) = self.details else { return Value::Unknown };
        let (cgroup, container) = (details.cgroup.as_deref(), details.container.as_deref());
        let text = match column {
            Column::Cgroup => cgroup.map(Cow::Borrowed),
            Column::Unit => cgroup.and_then(cgroup_path::unit).map(Cow::Borrowed),
            Column::Container => container.map(|container| container.title().into()),
            Column::Pod => container.and_then(Container::pod_title),
            _ => None,
        };
        text.map_or(Value::Unknown, Value::Text)
    }

    /// Command of the owner, where known.
    pub fn command(&self) -> Value<'a> {
        match (self.details, self.task) {
            (Some(details), _) if !details.cmdline.is_empty() => {
                let text = if self.paths { &details.cmdline } else { without_path(&details.cmdline, self.details) };
                Value::Text(Cow::Borrowed(text))
            }
            (_, Some(task)) => Value::Text(comm_text(&task.comm)),
            _ => Value::Unknown,
        }
    }
}

/// A command line without the directories of its program. Those may hold spaces, so the executable's own path is tried first.
fn without_path<'a>(command: &'a str, details: Option<&Details>) -> &'a str {
    let exe = details.and_then(|d| d.exe.as_deref()).filter(|exe| command.starts_with(*exe));
    let program = exe.map_or_else(|| command.split(' ').next().unwrap_or(command), |exe| &command[..exe.len()]);
    match program.rfind('/') {
        Some(slash) if slash + 1 < program.len() => &command[slash + 1..],
        _ => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_program_go_and_those_of_arguments_stay() {
        let of = |exe: &str, command| without_path(command, Some(&Details { exe: Some(exe.into()), ..Details::default() })).to_owned();
        assert_eq!(of("/usr/bin/python3.11", "/usr/bin/python3 /srv/app.py"), "python3 /srv/app.py");
        assert_eq!(of("/opt/my app/run", "/opt/my app/run -v /tmp/x"), "run -v /tmp/x");
        assert_eq!(of("/usr/sbin/nginx", "nginx: worker process /a"), "nginx: worker process /a");
        assert_eq!(of("/usr/bin/bash", "-bash"), "-bash");
        assert_eq!(of("/", "/"), "/");
        assert_eq!(without_path("", None), "");
    }
}
