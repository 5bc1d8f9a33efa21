//! loom's configuration language: text to statements, statements to a device's configuration.
//!
//! Two passes, as on real switches. Loading looks at each line by itself ([`Text::load`]): a line that is no statement is
//! refused with its number. Checking looks at the whole ([`Text::check`]): statements that are there twice, references to
//! what is not defined, sections without what they need.

pub(super) mod acl;
mod interpret;
mod line;
mod ospf;
mod ospf_line;
mod text;

pub(crate) use interpret::interpret;
pub(crate) use line::{Context, Line};
pub(crate) use text::{Mistake, Section, Text};
