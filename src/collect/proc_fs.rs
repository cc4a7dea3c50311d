//! Stub.
use super::{Source, SourceError};
use crate::sample::{Sample, Wants};
pub struct ProcFs {}
impl ProcFs {
    /// `reason`: why BPF is not used, for the screen.
    pub fn open(_reason: String) -> anyhow::Result<ProcFs> {
        Ok(ProcFs {})
    }
}
impl Source for ProcFs {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        Ok(Sample::default())
    }
    fn want(&mut self, _wants: Wants) {}
}
