//! What the machine and its processes did over the last ticks: for graphs in the header and in rows. Bounded, and cheap to keep: of a
//! tick only processes that did something are noted.

use std::collections::VecDeque;

use super::column::value::{SPARK_CELLS, Spark};
use crate::model::Model;
use crate::model::machine::MemoryUse;
use crate::sample::{Counter, Memory, ProcKey};

/// Ticks of the machine that are kept: more than two for each column of the widest screen.
const MACHINE_TICKS: usize = 1024;
/// Ticks that a cell of a row's graph stands for: the graph moves on only every so many ticks, which a slow line is glad of.
pub const TICKS_A_CELL: usize = 4;
/// Ticks of processes that are kept.
const ROW_TICKS: usize = TICKS_A_CELL * SPARK_CELLS;
/// Processes that are noted of one tick, of each kind: the busiest.
const NOTED: usize = 1024;

/// What a row's graph is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Percent of a core; a full cell is one core or more.
    Cpu,
    /// Application bytes sent and received a second; a full cell is the row's own most.
    Net,
    /// Bytes read and dirtied a second; a full cell is the row's own most.
    Io,
    /// Resident bytes, between the row's own least and most.
    Rss,
}

/// What the machine did within a tick; not a number where that is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineTick {
    /// When it ended.
    pub at_ns: u64,
    /// Time not idle, of all CPUs, 0–1.
    pub cpu: f32,
    /// Memory in use, of all there is, 0–1.
    pub memory: f32,
    /// Bytes a second on the wire, both ways.
    pub net: f32,
    /// Bytes a second read from disks and written to them.
    pub disk: f32,
}

impl MachineTick {
    fn of(model: &Model) -> MachineTick {
        let rates = &model.machine;
        let both = |a: Option<f64>, b: Option<f64>| a.zip(b).map_or(f32::NAN, |(a, b)| (a + b) as f32);
        let memory = MemoryUse::of(&model.sample.machine.memory);
        MachineTick {
            at_ns: model.sample.at_ns,
            cpu: rates.total.map_or(f32::NAN, |total| total.busy() as f32),
            memory: if memory.total_bytes == 0 { f32::NAN } else { (memory.used_bytes as f64 / memory.total_bytes as f64) as f32 },
            net: both(rates.wire_rx_per_sec, rates.wire_tx_per_sec),
            disk: both(rates.disk_read_per_sec, rates.disk_write_per_sec),
        }
    }
}

/// What processes did within a tick, by pid, ascending: the few that did anything.
#[derive(Clone, Debug, Default)]
struct RowTick {
    at_ns: u64,
    /// By [`Trend`]; of resident memory what was gained.
    noted: [Vec<(u32, f32)>; 4],
}

impl RowTick {
    /// Takes the place of an older tick, whose memory is used again.
    fn note(&mut self, model: &Model) {
        self.at_ns = model.sample.at_ns;
        self.noted.iter_mut().for_each(Vec::clear);
        let seconds = model.elapsed_ns as f64 / 1e9;
        for row in model.grown() {
            let growth = model.growth(row);
            let sum = |a, b| growth.get(a).unwrap_or(0).saturating_add(growth.get(b).unwrap_or(0)) as f64;
            let (cpu_ns, io_bytes) = (growth.get(Counter::CpuNs).unwrap_or(0), sum(Counter::ReadBytes, Counter::WriteBytes));
            // Without BPF, CPU time comes in steps of 10 ms, and bytes without any.
            if cpu_ns == 0 && io_bytes == 0.0 {
                continue;
            }
            let values = [
                cpu_ns as f64 / 1e7 / seconds,
                sum(Counter::TxBytes, Counter::RxBytes) / seconds,
                io_bytes / seconds,
                growth.of_memory(Memory::rss_bytes).unwrap_or(0) as f64,
            ];
            let pid = model.task(row).key.pid;
            for (list, value) in self.noted.iter_mut().zip(values).filter(|(_, value)| *value != 0.0) {
                list.push((pid, value as f32));
            }
        }
        self.noted.iter_mut().for_each(keep_busiest);
    }

    fn value(&self, trend: Trend, pid: u32) -> f32 {
        let noted = &self.noted[trend as usize];
        noted.binary_search_by_key(&pid, |(pid, _)| *pid).map_or(0.0, |at| noted[at].1)
    }
}

fn keep_busiest(noted: &mut Vec<(u32, f32)>) {
    if noted.len() > NOTED {
        noted.select_nth_unstable_by(NOTED, |a, b| b.1.abs().total_cmp(&a.1.abs()));
        noted.truncate(NOTED);
        noted.sort_unstable_by_key(|(pid, _)| *pid);
    }
}

/// The last ticks.
#[derive(Clone, Debug, Default)]
pub struct Trends {
    machine: VecDeque<MachineTick>,
    /// The newest last.
    rows: VecDeque<RowTick>,
    /// Ticks so far, those forgotten too.
    ticks: usize,
    /// Those after this are not shown.
    until_ns: Option<u64>,
}

impl Trends {
    /// Notes a tick.
    pub fn push(&mut self, model: &Model) {
        if model.elapsed_ns == 0 {
            return;
        }
        if self.machine.len() == MACHINE_TICKS {
            self.machine.pop_front();
        }
        self.machine.push_back(MachineTick::of(model));
        let mut tick = if self.rows.len() < ROW_TICKS { RowTick::default() } else { self.rows.pop_front().unwrap_or_default() };
        tick.note(model);
        self.rows.push_back(tick);
        self.ticks += 1;
    }

    /// Shows what was until then; `None` = until now.
    pub fn show_until(&mut self, ns: Option<u64>) {
        self.until_ns = ns;
    }

    /// Somebody looks at a time before that tick.
    fn is_later(&self, at_ns: u64) -> bool {
        self.until_ns.is_some_and(|until_ns| at_ns > until_ns)
    }

    /// What the machine did, the newest first.
    pub fn machine(&self) -> impl Iterator<Item = &MachineTick> {
        self.machine.iter().rev().skip_while(|tick| self.is_later(tick.at_ns))
    }

    /// The graph of a process that holds `rss_bytes` now; blank cells are times before its birth or before ebtop.
    pub fn spark(&self, trend: Trend, key: ProcKey, rss_bytes: u64) -> Spark {
        let mut cells: [Option<Cell>; SPARK_CELLS] = [None; SPARK_CELLS];
        // Cells end with multiples of their ticks, so that a full one never changes again.
        let later = self.rows.iter().rev().take_while(|tick| self.is_later(tick.at_ns)).count();
        let ticks = self.ticks - later;
        let newest_cell = ticks.saturating_sub(1) / TICKS_A_CELL;
        let mut rss = rss_bytes as f64;
        for (back, tick) in self.rows.iter().rev().skip(later).enumerate() {
            let cell = newest_cell - (ticks - 1 - back) / TICKS_A_CELL;
            if tick.at_ns < key.start_ns || cell >= SPARK_CELLS {
                break;
            }
            let value = f64::from(tick.value(trend, key.pid));
            let cell = cells[SPARK_CELLS - 1 - cell].get_or_insert_default();
            match trend {
                Trend::Rss => {
                    cell.add(rss);
                    rss -= value;
                }
                _ => cell.add(value),
            }
        }
        Spark(levels(trend, cells.map(|cell| cell.map(Cell::mean))))
    }
}

/// The ticks of a cell.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    sum: f64,
    ticks: u32,
}

impl Cell {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.ticks += 1;
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.ticks.max(1))
    }
}

/// Less of a core than this leaves a cell blank, so that the rows of an idle machine hold still.
const CPU_LEAST: f64 = 1.0;

/// Eighths of a cell.
fn levels(trend: Trend, cells: [Option<f64>; SPARK_CELLS]) -> [u8; SPARK_CELLS] {
    let most = cells.into_iter().flatten().fold(0.0, f64::max);
    let least = cells.into_iter().flatten().fold(f64::INFINITY, f64::min);
    let (from, full) = match trend {
        Trend::Cpu => (0.0, 100.0),
        Trend::Net | Trend::Io => (0.0, most),
        // What moves by less than a fiftieth lies flat.
        Trend::Rss => (least, (most - least).max(most / 50.0)),
    };
    let level = |value: f64| match (value - from) / full {
        _ if full <= 0.0 || value <= 0.0 || (trend == Trend::Cpu && value < CPU_LEAST) => 0,
        share if trend == Trend::Rss => 1 + (share * 7.0).round().clamp(0.0, 7.0) as u8,
        share => (share * 8.0).ceil().clamp(1.0, 8.0) as u8,
    };
    cells.map(|cell| cell.map_or(0, level))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sample::{Counters, Sample, Task};

    const SECOND: u64 = 1_000_000_000;

    /// A second each; `used`: cores and resident bytes of pid 7, which was born with the first.
    fn after(used: &[(f64, u64)]) -> Trends {
        let mut trends = Trends::default();
        let mut cpu_ns = 0;
        let sample = |at: usize, cpu_ns: u64, rss: u64| {
            let counters = Counters::default().with(Counter::CpuNs, cpu_ns).with(Counter::RxBytes, cpu_ns);
            let memory = Some(Memory { anon_bytes: rss, ..Memory::default() });
            let task = Task { key: ProcKey { pid: 7, start_ns: 5 }, counters, memory, ..Task::default() };
            Arc::new(Sample { at_ns: (at as u64 + 1) * SECOND, tasks: vec![task].into(), ..Sample::default() })
        };
        let mut before = sample(0, 0, used.first().map_or(0, |(_, rss)| *rss));
        for (at, (cores, rss)) in used.iter().enumerate() {
            cpu_ns += (cores * SECOND as f64) as u64;
            let now = sample(at + 1, cpu_ns, *rss);
            trends.push(&Model::between(Some(&before), Arc::clone(&now)));
            before = now;
        }
        trends
    }

    fn spark(trends: &Trends, trend: Trend, rss: u64) -> [u8; SPARK_CELLS] {
        trends.spark(trend, ProcKey { pid: 7, start_ns: 5 }, rss).0
    }

    #[test]
    fn a_cell_is_the_mean_of_its_ticks_and_the_last_is_under_way() {
        let trends = after(&[[(1.0, 9); TICKS_A_CELL], [(0.5, 9); TICKS_A_CELL], [(0.0, 9); TICKS_A_CELL]].concat());
        assert_eq!(spark(&trends, Trend::Cpu, 9), [0, 0, 0, 0, 0, 0, 0, 8, 4, 0]);
        let trends = after(&[(1.0, 9), (1.0, 9), (1.0, 9), (1.0, 9), (0.25, 9)]);
        assert_eq!(spark(&trends, Trend::Cpu, 9), [0, 0, 0, 0, 0, 0, 0, 0, 8, 2]);
        assert_eq!(spark(&trends, Trend::Net, 9)[8..], [8, 2], "its own most is a full cell");
    }

    #[test]
    fn bytes_without_cpu_time_are_shown() {
        let sample = |at: u64, read: u64| {
            let counters = Counters::default().with(Counter::CpuNs, 5).with(Counter::ReadBytes, read).with(Counter::WriteBytes, 0);
            let task = Task { key: ProcKey { pid: 7, start_ns: 5 }, counters, ..Task::default() };
            Sample { at_ns: at * SECOND, tasks: vec![task].into(), ..Sample::default() }
        };
        let mut trends = Trends::default();
        trends.push(&Model::between(Some(&sample(1, 0)), Arc::new(sample(2, 4096))));
        assert_eq!((spark(&trends, Trend::Io, 0)[9], spark(&trends, Trend::Cpu, 0)[9]), (8, 0));
    }

    #[test]
    fn a_full_cell_never_changes_and_old_ones_go() {
        let busy: Vec<_> = (0..3 * ROW_TICKS).map(|i| (if i < ROW_TICKS { 1.0 } else { 0.01 }, 9)).collect();
        let trends = after(&busy);
        assert_eq!(spark(&trends, Trend::Cpu, 9), [1; SPARK_CELLS]);
        assert_eq!((trends.rows.len(), trends.machine.len()), (ROW_TICKS, busy.len()));
        for ticks in 1..=TICKS_A_CELL {
            let trends = after(&[&[(1.0, 9); TICKS_A_CELL][..], &vec![(0.5, 9); ticks]].concat());
            assert_eq!(spark(&trends, Trend::Cpu, 9)[8..], [8, 4], "after {ticks}");
        }
    }

    #[test]
    fn resident_memory_is_traced_back_from_what_is_held_now() {
        let steps: Vec<_> = (1..=ROW_TICKS).map(|i| (0.01, i as u64 * 1000)).collect();
        let levels = spark(&after(&steps), Trend::Rss, ROW_TICKS as u64 * 1000);
        assert!(levels.is_sorted() && (levels[0], levels[9]) == (1, 8), "{levels:?}");
        let flat = vec![(0.01, 100_000); ROW_TICKS];
        assert_eq!(spark(&after(&flat), Trend::Rss, 100_000), [1; SPARK_CELLS]);
    }

    #[test]
    fn whoever_has_the_pid_now_has_no_past_of_another() {
        let trends = after(&[(1.0, 9); 2 * TICKS_A_CELL]);
        let reborn = ProcKey { pid: 7, start_ns: (TICKS_A_CELL as u64 + 2) * SECOND };
        assert_eq!(trends.spark(Trend::Cpu, reborn, 9).0[7..], [0, 0, 8]);
        assert_eq!(trends.spark(Trend::Cpu, ProcKey { pid: 8, start_ns: 5 }, 9).0, [0; SPARK_CELLS]);
        assert_eq!(Trends::default().spark(Trend::Cpu, reborn, 9).0, [0; SPARK_CELLS]);
    }

    #[test]
    fn of_very_many_the_busiest_are_noted() {
        let mut noted: Vec<(u32, f32)> = (0..NOTED as u32 * 3).map(|pid| (pid, (pid % 3) as f32)).collect();
        keep_busiest(&mut noted);
        assert!(noted.len() == NOTED && noted.is_sorted_by_key(|(pid, _)| *pid));
        assert!(noted.iter().all(|(_, value)| *value == 2.0));
    }
}
