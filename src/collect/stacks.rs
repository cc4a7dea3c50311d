//! Stub.
use crate::sample::{self, DomainStatus};
use std::os::fd::BorrowedFd;
pub struct Stacks {}
impl Stacks {
    pub fn open(_hz: u32) -> Result<Stacks, String> {
        Err("stub".into())
    }
    /// Folded samples since the reading before.
    pub fn read(&mut self) -> sample::Stacks {
        sample::Stacks::default()
    }
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        unimplemented!()
    }
    pub fn drain(&mut self) {}
    pub fn status(&self) -> DomainStatus {
        unimplemented!()
    }
}
