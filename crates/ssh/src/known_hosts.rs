//! The host keys that are trusted: the `known_hosts` file of OpenSSH, sshd(8).
//!
//! Plain names, `[address]:port`, wildcards, negations, hashed names and `@revoked` are understood. `@cert-authority`
//! lines are passed over: Weft asks for plain host keys.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{
    Algorithm, HashAlg, PublicKey,
    ssh_key::known_hosts::{Entry, HostPatterns, Marker},
};
use sha1::Sha1;

/// A read `known_hosts` file. A key is decoded only when its line is about the host that is asked for.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    path: PathBuf,
    text: String,
    /// Where in the text, and on which lines, plain names stand, in lower case: a fleet has many lines, and each is about one
    /// host.
    plain: HashMap<String, Vec<Line>>,
    /// The lines with wildcards, negations and hashed names: they are looked at for every host.
    others: Vec<Line>,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// From 1.
    number: usize,
    start: usize,
    end: usize,
}

/// What is wrong with a device's host key, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyProblem {
    /// No line is about this host.
    Unknown {
        /// The file that was read.
        file: PathBuf,
        /// The host as it stands in such a file: `address` or `[address]:port`.
        host: String,
        /// The fingerprint that the device showed.
        fingerprint: String,
        /// The line that would accept the key.
        line: String,
    },
    /// Lines are about this host, but none has this key.
    Changed {
        /// The file that was read.
        file: PathBuf,
        /// The number of the line with the other key.
        line: usize,
        /// The host as it stands in such a file.
        host: String,
        /// The fingerprint that the device showed.
        fingerprint: String,
        /// The fingerprint in the file.
        known: String,
    },
    /// The key was marked as revoked.
    Revoked {
        /// The file that was read.
        file: PathBuf,
        /// The number of the line.
        line: usize,
        /// The fingerprint that the device showed.
        fingerprint: String,
    },
}

impl fmt::Display for HostKeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { file, host, fingerprint, line } => write!(
                f,
                "the host key of {host} is not known: it shows {fingerprint}, and {} has no line for {host}; if the \
                 fingerprint is right, add this line to it: {line}",
                file.display()
            ),
            Self::Changed { file, line, host, fingerprint, known } => write!(
                f,
                "the host key of {host} has changed: it shows {fingerprint}, but {}:{line} has {known}; somebody may \
                 be in between. If the device really has a new key, remove the old one with `ssh-keygen -f {} -R \
                 '{host}'` and add the new one",
                file.display(),
                file.display()
            ),
            Self::Revoked { file, line, fingerprint } => {
                write!(f, "the host key {fingerprint} is revoked by {}:{line}", file.display())
            }
        }
    }
}

/// A line about a host.
struct Known {
    line: usize,
    revoked: bool,
    key: PublicKey,
}

impl KnownHosts {
    /// Takes a text; `path` is named in messages.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let mut hosts = Self { path: path.into(), text: text.into(), plain: HashMap::new(), others: Vec::new() };
        let mut start = 0;
        for (index, text) in hosts.text.split_inclusive('\n').enumerate() {
            let line = Line { number: index + 1, start, end: start + text.len() };
            start = line.end;
            match patterns(text) {
                None => {}
                Some(names) if names.contains(['*', '?', '!', '|']) => hosts.others.push(line),
                Some(names) => {
                    for name in names.split(',') {
                        hosts.plain.entry(name.to_ascii_lowercase()).or_default().push(line);
                    }
                }
            }
        }
        hosts
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Returns what the operating system says; a file that is not there is an error too.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, std::fs::read_to_string(path)?))
    }

    /// Returns the path that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the host as it stands in such a file: `address`, or `[address]:port` when the port is not 22.
    pub fn host(address: SocketAddr) -> String {
        match address.port() {
            22 => address.ip().to_string(),
            port => format!("[{}]:{port}", address.ip()),
        }
    }

    /// Returns the lines about a host, and the number of a line that is about it but cannot be read.
    fn lines_about(&self, host: &str) -> Result<Vec<Known>, usize> {
        let plain = self.plain.get(&host.to_ascii_lowercase());
        let mut lines: Vec<Line> = plain.into_iter().flatten().chain(&self.others).copied().collect();
        lines.sort_unstable();
        let mut known = Vec::new();
        for Line { number, start, end } in lines {
            let line = self.text[start..end].trim();
            let Some(patterns) = patterns(line).and_then(|text| text.parse::<HostPatterns>().ok()) else { continue };
            if !matches(&patterns, host) {
                continue;
            }
            // Columns may be separated by more than one blank, which the parser of a line does not take.
            let columns: Vec<&str> = line.split_whitespace().collect();
            let entry: Entry = columns.join(" ").parse().map_err(|_| number)?;
            match entry.marker() {
                Some(Marker::CertAuthority) => {}
                marker => known.push(Known {
                    line: number,
                    revoked: marker == Some(&Marker::Revoked),
                    key: entry.public_key().clone(),
                }),
            }
        }
        Ok(known)
    }

    /// Returns the algorithms of the keys that are known for a host, in the order of the file: the device is asked for
    /// one of those first.
    pub(crate) fn algorithms(&self, host: &str) -> Vec<Algorithm> {
        let known = self.lines_about(host).unwrap_or_default();
        known.into_iter().filter(|known| !known.revoked).map(|known| known.key.algorithm()).collect()
    }

    /// Returns the first line about a host that cannot be read.
    pub(crate) fn unreadable_line(&self, host: &str) -> Option<usize> {
        self.lines_about(host).err()
    }

    /// Checks the key that a host showed; see [`KnownHosts::host`].
    ///
    /// # Errors
    /// Says what is wrong with the key, where the file says otherwise and how to accept it. A line that cannot be read
    /// accepts nothing.
    pub fn check(&self, host: &str, key: &PublicKey) -> Result<(), HostKeyProblem> {
        let host = host.to_owned();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let known = self.lines_about(&host).unwrap_or_default();
        let same = |known: &&Known| known.key.key_data() == key.key_data();
        if let Some(revoked) = known.iter().filter(same).find(|known| known.revoked) {
            return Err(HostKeyProblem::Revoked { file: self.path.clone(), line: revoked.line, fingerprint });
        }
        if known.iter().filter(|known| !known.revoked).any(|known| same(&known)) {
            return Ok(());
        }
        match known.iter().find(|known| !known.revoked) {
            Some(other) => Err(HostKeyProblem::Changed {
                file: self.path.clone(),
                line: other.line,
                host,
                fingerprint,
                known: other.key.fingerprint(HashAlg::Sha256).to_string(),
            }),
            None => Err(HostKeyProblem::Unknown {
                file: self.path.clone(),
                line: format!("{host} {}", PublicKey::new(key.key_data().clone(), "").to_openssh().unwrap_or_default())
                    .trim_end()
                    .to_owned(),
                host,
                fingerprint,
            }),
        }
    }
}

/// Returns the column with the hosts of a line; `None` where a line is about none.
fn patterns(line: &str) -> Option<&str> {
    let line = line.trim();
    match line.strip_prefix('@') {
        Some(marked) => marked.split_whitespace().nth(1),
        None => line.split_whitespace().next().filter(|first| !first.starts_with('#')),
    }
}

/// Says whether patterns are about a host; a negated pattern that matches wins, sshd(8).
fn matches(patterns: &HostPatterns, host: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => Hmac::<Sha1>::new_from_slice(salt)
            .is_ok_and(|hmac| hmac.chain_update(host.as_bytes()).verify_slice(hash).is_ok()),
        HostPatterns::Patterns(patterns) => {
            let negated = |pattern: &String| pattern.strip_prefix('!').is_some_and(|pattern| glob(pattern, host));
            !patterns.iter().any(negated) && patterns.iter().any(|pattern| glob(pattern, host))
        }
    }
}

/// Matches `*` and `?` wildcards.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn check(text: &str, address: &str) -> Result<(), HostKeyProblem> {
        KnownHosts::new("known_hosts", text).check(&KnownHosts::host(address.parse().unwrap()), &KEY.parse().unwrap())
    }

    #[test]
    fn a_key_is_accepted_only_by_a_line_about_its_host() {
        // The hashed name is 127.0.0.1, as `ssh-keygen -H` writes it.
        let hashed = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|";
        let mac = Hmac::<Sha1>::new_from_slice(&[0; 20]).unwrap().chain_update(b"127.0.0.1").finalize().into_bytes();
        use russh::keys::ssh_encoding::base64::{Base64, Encoding};
        let hashed = format!("{hashed}{}", Base64::encode_string(&mac));
        for (hosts, address, accepted) in [
            ("10.0.0.1", "10.0.0.1:22", true),
            ("10.0.0.1", "10.0.0.1:2222", false),
            ("[10.0.0.1]:2222", "10.0.0.1:2222", true),
            ("a,10.0.0.1", "10.0.0.1:22", true),
            ("10.0.*", "10.0.0.1:22", true),
            ("10.0.0.?", "10.0.0.10:22", false),
            ("10.0.*,!10.0.0.1", "10.0.0.1:22", false),
            ("[10.0.0.1]:*", "10.0.0.1:830", true),
            ("2001:db8::1", "[2001:db8::1]:22", true),
            (hashed.as_str(), "127.0.0.1:22", true),
            (hashed.as_str(), "127.0.0.2:22", false),
        ] {
            assert_eq!(check(&format!("# c\n\n{hosts}  {KEY}\n"), address).is_ok(), accepted, "{hosts} {address}");
        }
    }

    #[test]
    fn a_problem_names_the_file_the_line_and_the_way_out() {
        let unknown = check("", "10.0.0.1:2222").unwrap_err().to_string();
        assert!(unknown.contains(&format!("add this line to it: [10.0.0.1]:2222 {KEY}")), "{unknown}");
        let changed = check(&format!("x {OTHER}\n10.0.0.1 {OTHER}\n"), "10.0.0.1:22").unwrap_err().to_string();
        assert!(changed.contains("known_hosts:2 has SHA256:") && changed.contains("-R '10.0.0.1'"), "{changed}");
        let revoked = check(&format!("10.0.0.1 {KEY}\n@revoked * {KEY}\n"), "10.0.0.1:22").unwrap_err();
        assert!(matches!(revoked, HostKeyProblem::Revoked { line: 2, .. }));
        assert_eq!(check(&format!("10.0.0.1 {OTHER}\n10.0.0.1 {KEY}\n"), "10.0.0.1:22"), Ok(()));
    }
}
