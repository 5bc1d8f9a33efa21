//! `weft lsp`: serves an editor.

use weft_pipeline::ExitCode as Exit;

use crate::{args::Global, failure::Failure};

pub(crate) fn run(global: &Global) -> Result<Exit, Failure> {
    let folder = std::path::absolute(&global.directory)?;
    weft_lsp::serve(&folder)?;
    Ok(Exit::Success)
}
