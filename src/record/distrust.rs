//! A recording may come from anyone: what was read is made fit for a terminal and for arithmetic, as the collectors do with what
//! comes from processes.

use std::sync::Arc;

use super::bound::{cut_lists, cut_name, cut_text};
use super::codec::Frame;
use super::groups;
use crate::sample::{
    Counter, CpuTimes, Disk, DomainStatus, Exit, Health, Interface, InterfaceCounters, Machine, MachineMemory, Memory, Socket, Task,
    TcpInfo, printable,
};

/// More bytes (or ns) than any machine has, few enough that the sum of the parts of one thing does not overflow.
pub(super) const MOST: u64 = 1 << 60;

/// Restores every promise that [`Sample`](crate::sample::Sample) makes.
pub(super) fn clean(frame: &mut Frame) {
    cut_lists(frame);
    let sample = &mut frame.sample;
    cap([&mut sample.at_ns, &mut sample.unix_ms, &mut sample.own_cpu_ns]);
    sample.tasks.iter_mut().for_each(clean_task);
    sample.exits.iter_mut().for_each(clean_exit);
    if !sample.tasks.is_sorted_by(|a, b| a.key < b.key) {
        sample.tasks.sort_by_key(|task| task.key);
        sample.tasks.dedup_by_key(|task| task.key);
    }
    sample.sockets.iter_mut().for_each(clean_socket);
    for count in &mut sample.stacks.counts {
        cap([&mut count.value]);
    }
    for (_, frame) in &mut sample.stacks.interpreted {
        for text in [&mut frame.function, &mut frame.file] {
            let mut clean = text.to_string();
            clean_text(&mut clean);
            *text = clean.into();
        }
    }
    clean_machine(&mut sample.machine);
    if let Some(groups) = sample.cgroups.as_mut().map(Arc::make_mut) {
        groups::clean(groups);
    }
    sample.status.iter_mut().for_each(clean_status);
    for (_, details) in &mut frame.details {
        clean_text(&mut details.cmdline);
        clean_name(&mut details.user);
        details.exe.iter_mut().chain(&mut details.cgroup).for_each(clean_text);
        if let Some(container) = details.container.as_mut().map(Arc::make_mut) {
            clean_name(&mut container.id);
            container.name.iter_mut().chain(&mut container.pod).chain(&mut container.namespace).for_each(clean_name);
        }
    }
}

pub(super) fn cap<'a>(values: impl IntoIterator<Item = &'a mut u64>) {
    for value in values {
        *value = (*value).min(MOST);
    }
}

fn clean_status(status: &mut DomainStatus) {
    cap([&mut status.lost]);
    match &mut status.health {
        Health::Degraded { reason } | Health::Off { reason } => clean_text(reason),
        Health::Live | Health::Standby | Health::Loading => {}
    }
    status.cost.iter_mut().for_each(clean_text);
}

fn clean_machine(machine: &mut Machine) {
    clean_name(&mut machine.host);
    clean_name(&mut machine.kernel);
    clean_times(&mut machine.total);
    machine.cpus.iter_mut().for_each(|(_, times)| clean_times(times));
    let MachineMemory { total_bytes, free_bytes, available_bytes, buffers_bytes, cache_bytes, shared_bytes, .. } = &mut machine.memory;
    cap([total_bytes, free_bytes, available_bytes, buffers_bytes, cache_bytes, shared_bytes]);
    cap([&mut machine.memory.swap_total_bytes, &mut machine.memory.swap_free_bytes, &mut machine.uptime_ns]);
    let Machine { wire_rx_bytes, wire_tx_bytes, disk_read_bytes, disk_write_bytes, .. } = machine;
    cap([wire_rx_bytes, wire_tx_bytes, disk_read_bytes, disk_write_bytes]);
    for Interface { name, state, counters, .. } in &mut machine.interfaces {
        clean_name(name);
        clean_name(state);
        let InterfaceCounters { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped } = counters;
        cap([rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped]);
    }
    for Disk { name, reads, writes, read_bytes, write_bytes, .. } in &mut machine.disks {
        clean_name(name);
        cap([reads, writes, read_bytes, write_bytes]);
    }
    for load in machine.load.iter_mut().filter(|load| !load.is_finite()) {
        *load = 0.0;
    }
    machine.pressure = machine.pressure.filter(|p| [p.cpu_pct, p.memory_pct, p.io_pct].iter().all(|pct| pct.is_finite()));
}

fn clean_times(times: &mut CpuTimes) {
    let CpuTimes { user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns } = times;
    cap([user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns, steal_ns]);
}

fn clean_exit(exit: &mut Exit) {
    clean_task(&mut exit.task);
    cap([&mut exit.at_ns]);
    cap(&mut exit.peak_rss_bytes);
}

fn clean_task(task: &mut Task) {
    if !task.state.is_ascii_graphic() {
        task.state = b'?';
    }
    cap([&mut task.key.start_ns]);
    for counter in Counter::ALL {
        if let Some(value) = task.counters.get(counter) {
            task.counters.set(counter, value.min(MOST));
        }
    }
    if let Some(Memory { anon_bytes, file_bytes, shmem_bytes, swap_bytes, vm_bytes }) = &mut task.memory {
        cap([anon_bytes, file_bytes, shmem_bytes, swap_bytes, vm_bytes]);
    }
}

fn clean_socket(socket: &mut Socket) {
    let Socket { tx_bytes, rx_bytes, tx_messages, rx_messages, since_ns, .. } = socket;
    cap([tx_bytes, rx_bytes, tx_messages, rx_messages, since_ns]);
    if let Some(TcpInfo { acked_bytes, received_bytes, retransmits, .. }) = &mut socket.tcp {
        cap([acked_bytes, received_bytes, retransmits]);
    }
}

fn clean_name(name: &mut String) {
    cut_name(name);
    clean_text(name);
}

pub(super) fn clean_text(text: &mut String) {
    cut_text(text);
    let clean = printable(text.as_bytes());
    if clean != *text {
        *text = clean;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Container, Details, Domain, DomainStatus, Exit, Pressure, ProcKey, Sample};

    #[test]
    fn nothing_hostile_is_left() {
        let evil = || String::from("a\x1b[2Jb");
        let task = |pid| Task { key: ProcKey { pid, start_ns: 0 }, state: 0x1b, ..Task::default() };
        let memory = Some(Memory { anon_bytes: u64::MAX, file_bytes: u64::MAX, shmem_bytes: u64::MAX, ..Memory::default() });
        let mut sample = Sample { tasks: vec![task(2), task(1), task(2)].into(), ..Sample::default() };
        sample.tasks[1].memory = memory;
        sample.exits.push(Exit { task: task(9), ..Exit::default() });
        sample.machine.host = evil();
        sample.machine.disks.push(Disk { name: evil(), reads: u64::MAX, ..Disk::default() });
        sample.machine.load[1] = f32::NAN;
        sample.machine.interfaces.push(Interface { name: evil(), state: evil(), ..Interface::default() });
        sample.machine.pressure = Some(Pressure { io_pct: f32::INFINITY, ..Pressure::default() });
        sample.machine.cpus.push((0, CpuTimes { idle_ns: u64::MAX, ..CpuTimes::default() }));
        let health = Health::Off { reason: evil() };
        sample.status.push(DomainStatus { domain: Domain::Net, health, lost: 0, cost: Some(evil()) });
        let container = Container { id: evil(), name: Some(evil()), pod: Some(evil()), namespace: Some(evil()), ..Container::default() };
        let details = Details {
            cmdline: evil(),
            exe: Some(evil()),
            user: evil(),
            uid: None,
            cgroup: Some(evil()),
            container: Some(Arc::new(container)),
            inner_pid: None,
        };
        let mut frame = Frame { sample, details: vec![(ProcKey::default(), details)] };
        clean(&mut frame);

        assert!(!format!("{frame:?}").contains("\\u{1b}"));
        let machine = &frame.sample.machine;
        assert_eq!((machine.load, machine.pressure, machine.cpus[0].1.idle_ns), ([0.0; 3], None, MOST));
        assert_eq!(machine.disks[0].reads, MOST);
        let tasks = &frame.sample.tasks;
        assert_eq!(tasks.iter().map(|task| task.key.pid).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(tasks[0].memory.unwrap().rss_bytes(), 3 * MOST);
        assert!(tasks.iter().chain(frame.sample.exits.iter().map(|exit| &exit.task)).all(|task| task.state == b'?'));
    }
}
