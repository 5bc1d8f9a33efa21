//! A device operating system as data: manifest, templates, parsers.
