// SPDX-License-Identifier: BSD-2-Clause
//! The files of rings and queues, which the parent opens, locks, and keeps open over the life of
//! workers.
//!
//! A file whose ring has another size now goes along with a new one of the right size, beside it
//! with `.new` at its end; the worker moves the records, says that it uses them, and the new file
//! takes the old one's name. A crash in between leaves the old one as it was.

use crate::conf::Conf;
use crate::conf::Keep;
use crate::privsep::files::open_region;
use crate::privsep::setup::ring_path;
use crate::privsep::setup::spool_path;
use crate::privsep::wire::ToWorker;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::path::PathBuf;

/// Permissions of a ring's file, if the configuration says none.
const MODE: u32 = 0o600;

/// A file that is mapped.
#[derive(Debug)]
struct Region {
    path: PathBuf,
    file: File,
    len: u64,
    /// What it becomes.
    new: Option<(File, u64)>,
    /// Of which ring or output of the configuration.
    index: u16,
    ring: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Regions(Vec<Region>);

fn with_new(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

impl Regions {
    /// Opens what a configuration needs and is not open, and closes the rest.
    pub fn open(&mut self, conf: &Conf, notes: &mut Vec<String>) {
        let mut old = std::mem::take(&mut self.0);
        let rings = conf.rings.iter().enumerate().filter_map(|(index, ring)| {
            let path = ring_path(conf, ring)?;
            let shown = if ring.keep == Keep::None {
                MODE
            } else {
                ring.mode.unwrap_or(MODE)
            };
            Some((index, true, path, ring.size, shown & 0o777))
        });
        let spools = conf
            .outputs
            .iter()
            .enumerate()
            .filter_map(|(index, output)| {
                let (path, len) = spool_path(&output.what)?;
                Some((index, false, path, len, MODE))
            });
        for (index, ring, path, len, mode) in rings.chain(spools) {
            let Ok(index) = u16::try_from(index) else {
                continue;
            };
            let known = old.iter().position(|r| r.path == path);
            let mut region = match known {
                Some(at) => old.swap_remove(at),
                None => match open_region(&path, len, mode) {
                    Ok(file) => {
                        let is = file.metadata().map_or(len, |m| m.len());
                        Region {
                            path,
                            file,
                            len: is,
                            new: None,
                            index,
                            ring,
                        }
                    }
                    Err(e) => {
                        notes.push(format!("{}: {e}", path.display()));
                        continue;
                    }
                },
            };
            region.index = index;
            region.ring = ring;
            if region.new.as_ref().is_some_and(|(_, new)| *new != len) {
                region.new = None;
            }
            if region.len != len && region.new.is_none() {
                let beside = with_new(&region.path);
                // What a crash may have left of an earlier change.
                let _ = fs::remove_file(&beside);
                match open_region(&beside, len, mode) {
                    Ok(file) => region.new = Some((file, len)),
                    Err(e) => notes.push(format!("{}: {e}", beside.display())),
                }
            }
            self.0.push(region);
        }
    }

    /// What the worker is told about them.
    #[must_use]
    pub fn told(&self) -> Vec<(ToWorker, Vec<BorrowedFd<'_>>)> {
        let tell = |region| {
            let Region {
                file,
                len,
                new,
                index,
                ring,
                ..
            }: &Region = region;
            let mut fds = vec![file.as_fd()];
            fds.extend(new.iter().map(|(file, _)| file.as_fd()));
            let (index, len, new) = (*index, *len, new.as_ref().map(|(_, len)| *len));
            let what = if *ring {
                ToWorker::Ring { index, len, new }
            } else {
                ToWorker::Spool { index, len, new }
            };
            (what, fds)
        };
        self.0.iter().map(tell).collect()
    }

    /// The worker uses what it was told last: new files take the place of the old ones.
    pub fn in_use(&mut self) {
        for region in &mut self.0 {
            if let Some((file, len)) = region.new.take() {
                // If it cannot be renamed, the old records come back at the next start.
                let _ = fs::rename(with_new(&region.path), &region.path);
                region.file = file;
                region.len = len;
            }
        }
    }
}
