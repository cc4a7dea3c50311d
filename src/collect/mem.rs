//! Stub.
use crate::sample::{Counters, DomainStatus, ProcKey};
pub struct Mem {}
impl Mem {
    /// Loads the program; attaches nothing.
    pub fn open() -> Result<Mem, String> {
        Err("stub".into())
    }
    /// Attaches or detaches the hook.
    pub fn want(&mut self, _wanted: bool) {}
    /// Cumulative page allocations while attached, ascending by key; empty when never attached.
    pub fn read(&mut self) -> Vec<(ProcKey, Counters)> {
        Vec::new()
    }
    pub fn status(&self) -> DomainStatus {
        unimplemented!()
    }
    pub fn forget(&mut self, _key: ProcKey) {}
}
