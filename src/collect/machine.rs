//! What belongs to no process: CPU times, memory, load, pressure, bytes on the wire and on disks.
//!
//! The files stay open and are read again in place. /proc/stat is the dearest: the kernel sums every interrupt of every CPU for
//! its `intr` line even when nobody reads that far, and it has the only CPU times that need no privilege.

mod disks;
mod interfaces;
mod links;
mod parse;

use procfs::FromRead;

use super::proc_file::ProcFile;
use crate::clock::{boottime_ns, tick_ns};
use crate::sample::{Machine, Pressure, printable};
use interfaces::Interfaces;
use links::Links;
pub(super) use parse::pressure_some;

/// Reads the machine's figures, again and again.
pub struct MachineReader {
    tick_ns: u64,
    stat: ProcFile,
    meminfo: ProcFile,
    loadavg: ProcFile,
    net_dev: ProcFile,
    diskstats: ProcFile,
    /// CPU, memory, I/O.
    pressure: [ProcFile; 3],
    interfaces: Interfaces,
    links: Links,
    wants_interfaces: bool,
}

impl MachineReader {
    /// Opens the files once; what is absent stays unknown or 0.
    pub fn open() -> MachineReader {
        MachineReader {
            tick_ns: tick_ns(),
            stat: ProcFile::open("/proc/stat"),
            meminfo: ProcFile::open("/proc/meminfo"),
            loadavg: ProcFile::open("/proc/loadavg"),
            net_dev: ProcFile::open("/proc/net/dev"),
            diskstats: ProcFile::open("/proc/diskstats"),
            pressure: ["cpu", "memory", "io"].map(|resource| ProcFile::open(&format!("/proc/pressure/{resource}"))),
            interfaces: Interfaces::default(),
            links: Links::default(),
            wants_interfaces: false,
        }
    }

    /// Whether to tell of interfaces one by one.
    pub fn want_interfaces(&mut self, wanted: bool) {
        self.wants_interfaces = wanted;
    }

    /// The figures now. Whether interrupts and steal stand apart from run time is not told by /proc: both stay `None`.
    pub fn read(&mut self) -> Machine {
        let names = rustix::system::uname();
        let mut machine = Machine {
            host: printable(names.nodename().to_bytes()),
            kernel: printable(names.release().to_bytes()),
            uptime_ns: boottime_ns(),
            pressure: self.pressure(),
            ..Machine::default()
        };
        if let Some(text) = self.stat.read() {
            (machine.total, machine.cpus) = parse::cpu_times(&text, self.tick_ns);
        }
        if let Some(text) = self.meminfo.read() {
            machine.memory = parse::memory(&text);
        }
        if let Some(load) = self.loadavg.read().and_then(|text| procfs::LoadAverage::from_read(text.as_bytes()).ok()) {
            machine.load = [load.one, load.five, load.fifteen];
            (machine.running, machine.threads) = (load.cur, load.max);
        }
        if let Some(text) = self.net_dev.read() {
            (machine.wire_rx_bytes, machine.wire_tx_bytes) = self.interfaces.sum(&text);
            if self.wants_interfaces {
                machine.interfaces = self.links.list(&text);
            }
        }
        if let Some(text) = self.diskstats.read() {
            let disks = disks::parse(&text);
            (machine.disk_read_bytes, machine.disk_write_bytes, machine.disks) = (disks.read_bytes, disks.write_bytes, disks.each);
        }
        machine
    }

    fn pressure(&mut self) -> Option<Pressure> {
        let [cpu, memory, io] = &mut self.pressure;
        let some = |file: &mut ProcFile| parse::pressure_some(&file.read()?);
        Some(Pressure { cpu_pct: some(cpu)?, memory_pct: some(memory)?, io_pct: some(io)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sysinfo_and_the_clock() {
        let mut reader = MachineReader::open();
        let machine = reader.read();
        let info = rustix::system::sysinfo();
        let total = info.totalram as u64 * u64::from(info.mem_unit);
        assert_eq!(machine.memory.total_bytes, total);
        assert!(boottime_ns() - machine.uptime_ns < 5_000_000_000);
        assert_eq!(machine.cpus.len(), std::fs::read_to_string("/proc/stat").unwrap().matches("\ncpu").count());
        assert!(machine.threads > 1 && !machine.host.is_empty() && machine.kernel.contains('.'));
    }

    #[test]
    fn cpu_times_grow_by_the_time_that_passes() {
        let mut reader = MachineReader::open();
        let busy = |m: &Machine| {
            let t = m.total;
            t.user_ns + t.nice_ns + t.system_ns + t.idle_ns + t.iowait_ns + t.irq_ns + t.softirq_ns + t.steal_ns
        };
        let first = reader.read();
        std::thread::sleep(std::time::Duration::from_millis(500));
        let second = reader.read();
        let elapsed = (second.uptime_ns - first.uptime_ns) * second.cpus.len() as u64;
        let counted = busy(&second) - busy(&first);
        let tolerance = elapsed / 5;
        assert!(counted.abs_diff(elapsed) < tolerance, "{counted} of {elapsed}");
    }
}
