// SPDX-License-Identifier: BSD-2-Clause
//! Fuzz targets without a fuzzer: the committed inputs, and a bounded number of mutations of them
//! that are the same each time.

use crate::Noise;
use std::fs;
use std::path::{Path, PathBuf};

/// A target: its name, what runs an input, and how many mutations of inputs are run.
pub type Target = (&'static str, fn(&[u8]), usize);

/// The targets of a crate, with `corpus` and `regress` under its folder `fuzz`.
pub struct Replay<'t> {
    /// The crate's folder: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
    /// Its targets.
    pub targets: &'t [Target],
    /// Of a committed input's prefixes, which are inputs too, each how manieth is run.
    pub prefixes: usize,
    /// What the noise starts from.
    pub noise: u64,
    /// An eighth of the mutated inputs have another one behind them.
    pub joins: bool,
    /// Changes of one input, at most.
    pub changes: usize,
}

impl Replay<'_> {
    fn inside(&self, kind: &str, target: &str) -> PathBuf {
        Path::new(self.folder).join("fuzz").join(kind).join(target)
    }

    fn inputs(&self, kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let Ok(files) = fs::read_dir(self.inside(kind, target)) else {
            return Vec::new();
        };
        let mut all: Vec<_> = files
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        all.sort();
        all
    }

    /// Each target's seeds, by name, are committed. After a change of theirs:
    /// `UPDATE_CORPUS=1 cargo test --test fuzz`.
    ///
    /// # Panics
    /// If one is not.
    pub fn seeds_are_committed(&self, seeds: impl Fn(&str) -> Vec<(String, Vec<u8>)>) {
        for (target, _, _) in self.targets {
            let dir = self.inside("corpus", target);
            for (name, data) in seeds(target) {
                if std::env::var_os("UPDATE_CORPUS").is_some() {
                    fs::create_dir_all(&dir).unwrap();
                    fs::write(dir.join(&name), &data).unwrap();
                }
                let committed = fs::read(dir.join(&name)).unwrap_or_default();
                assert_eq!(committed, data, "{target}/{name}");
            }
        }
    }

    /// The committed inputs pass, and their prefixes.
    ///
    /// # Panics
    /// If one does not, or a target has no corpus.
    pub fn committed_inputs_pass(&self) {
        for (target, run, _) in self.targets {
            let corpus = self.inputs("corpus", target);
            assert!(corpus.len() >= 5, "{target} has no corpus");
            for (path, data) in corpus.iter().chain(&self.inputs("regress", target)) {
                eprintln!("{}", path.display());
                run(data);
                let prefixes = (0..data.len()).step_by(self.prefixes);
                prefixes.for_each(|n| run(&data[..n]));
            }
        }
    }

    /// Runs mutations of a target's corpus: as many as it says, or `FUZZ_CASES`.
    ///
    /// # Panics
    /// If one does not pass; the input is printed, to be put under `fuzz/regress`.
    pub fn mutations_pass(&self, target: &str) {
        let found = self.targets.iter().find(|(name, _, _)| *name == target);
        let &(_, run, cases) = found.unwrap();
        let corpus = self.inputs("corpus", target);
        let seeds: Vec<_> = corpus.into_iter().map(|(_, data)| data).collect();
        let cases = std::env::var("FUZZ_CASES").map_or(cases, |n| n.parse().unwrap());
        let mut noise = Noise::new(self.noise);
        for case in 0..cases {
            let mut data = seeds[noise.below(seeds.len())].clone();
            if self.joins && noise.below(8) == 0 {
                data.extend(&seeds[noise.below(seeds.len())]);
            }
            (0..1 + noise.below(self.changes)).for_each(|_| noise.mutate(&mut data));
            let last = Last(case, &data);
            run(&data);
            std::mem::forget(last);
        }
    }
}

/// Prints the input when the target panics.
struct Last<'a>(usize, &'a [u8]);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        eprintln!("case {}: {:02x?}", self.0, self.1);
    }
}
