//! Runs the `weft` command in a project folder of the test's own.

#![allow(dead_code, reason = "not every test uses every part")]

pub(crate) mod lab;
pub(crate) mod recovery;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A copy of the example project, and the labs that were started in it. Dropping it stops them.
pub(crate) struct Project {
    folder: TempDir,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; -1 after a signal.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Panics with all that was printed unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// Panics unless `text` was printed, to either stream.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        // Reports break lines where the terminal ends; a break is as good as a space.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words(&self.out).contains(&words(text)) || words(&self.err).contains(&words(text)),
            "`{text}` was not said\n--- out\n{}\n--- err\n{}",
            self.out,
            self.err
        );
        self
    }

    /// Panics if `text` was printed.
    #[track_caller]
    pub(crate) fn does_not_say(self, text: &str) -> Self {
        assert!(
            !self.out.contains(text) && !self.err.contains(text),
            "`{text}` was said\n--- out\n{}\n--- err\n{}",
            self.out,
            self.err
        );
        self
    }
}

impl Project {
    /// Returns a copy of the example: its intents, packs, pipelines and policy.
    pub(crate) fn example() -> Self {
        let project = Self::of("intents");
        copy(&repository().join("policy"), &project.path().join("policy"));
        project
    }

    /// Returns a project of the intents in a folder of the repository, with its packs and pipelines.
    pub(crate) fn of(intents: &str) -> Self {
        let root = repository();
        let folder = tempfile::Builder::new().prefix("weft-").tempdir().expect("a temporary folder");
        for (from, to) in [(intents, "intents"), ("device-templates", "device-templates"), ("pipeline", "pipeline")] {
            copy(&root.join(from), &folder.path().join(to));
        }
        Self { folder }
    }

    /// Returns a project with the packs and pipelines of the example, and no intents yet.
    pub(crate) fn without_intents() -> Self {
        let project = Self::of("intents");
        let intents = project.path().join("intents");
        fs::remove_dir_all(&intents).and_then(|()| fs::create_dir(&intents)).expect("remove the intents");
        project
    }

    /// Returns the project's folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `weft` with the words of `line`.
    pub(crate) fn weft(&self, line: &str) -> Ran {
        self.weft_with(line.split_whitespace())
    }

    /// Runs `weft` with these arguments.
    pub(crate) fn weft_with<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        self.command(arguments).output().expect("weft starts").into()
    }

    /// Returns the command `weft` with these arguments, not yet started.
    pub(crate) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
        command.args(arguments).current_dir(self.path()).env("NO_COLOR", "1").env_remove("SSH_AUTH_SOCK");
        command
    }

    /// Replaces `from`, which must be there, with `to` in a file.
    #[track_caller]
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).expect("the file to edit");
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).expect("write the file");
    }

    /// Runs git in the project's folder.
    #[track_caller]
    pub(crate) fn git(&self, line: &str) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.net"])
            .args(line.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("git starts");
        assert!(output.status.success(), "git {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes the project a git repository with one commit of everything.
    pub(crate) fn commit_all(&self, message: &str) -> String {
        if !self.path().join(".git").exists() {
            self.git("init -q");
            fs::write(self.path().join(".gitignore"), ".weft/\n").expect("write .gitignore");
        }
        self.git("add -A");
        self.git(&format!("commit -q -m {message}"));
        self.git("rev-parse HEAD")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.path().join(".weft/lab").exists() {
            let down = self.weft("-q lab down");
            if down.code != 0 && !std::thread::panicking() {
                panic!("weft lab down: {down:?}");
            }
        }
    }
}

/// Returns the top folder of the repository.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli is two folders down")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    let mut entries: Vec<PathBuf> = fs::read_dir(from).expect("read a folder").flatten().map(|e| e.path()).collect();
    entries.sort();
    for entry in entries {
        let target = to.join(entry.file_name().expect("an entry has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("copy a file");
        }
    }
}
