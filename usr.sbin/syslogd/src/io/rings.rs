// SPDX-License-Identifier: BSD-2-Clause
//! The rings: made, recovered, carried over to a new configuration, and resized.

#[cfg(test)]
mod tests;

use crate::conf::Conf;
use crate::conf::Keep;
use crate::conf::RingSpec;
use crate::io::control::may;
use crate::io::region::Memory;
use crate::io::region::recover_or_format;
use crate::privsep::wire::Group;
use liblog::Clocks;
use liblog::Msg;
use liblog::proto::Code;
use liblog::proto::Reply;
use liblog::proto::RingInfo;
use liblog::ring::Log;
use liblog::ring::MIN_SIZE;
use liblog::ring::NotResized;
use liblog::ring::Ring;
use liblog::ring::Split;
use liblog::ring::TooSmall;
use libsys::map::Mapped;
use libsys::peer::Peer;
use std::fs::File;
use std::io;

/// A ring, and what the configuration says of it.
struct Slot {
    name: String,
    ring: Log<Memory>,
    keep: Keep,
    readers: Option<Group>,
}

/// The file of a ring, as the parent opened it: its length, and the file that it is to be moved
/// to.
pub struct Kept {
    /// Which ring of the configuration.
    pub index: usize,
    /// The file.
    pub file: File,
    /// Its length.
    pub len: u64,
    /// Another one, of another length.
    pub new: Option<(File, u64)>,
}

/// All of them, in the order of the configuration.
pub struct Rings {
    slots: Vec<Slot>,
    budget: u64,
    control: Group,
    owner: u32,
    boot: u64,
}

/// Numbers that no ring had: one start's, and one more for each ring.
fn another(boot: &mut u64) -> u64 {
    *boot = boot.wrapping_add(1);
    *boot
}

/// Who may read rings.
pub struct Access {
    /// The group of the control socket.
    pub control: Group,
    /// The groups of rings.
    pub readers: Vec<Option<Group>>,
    /// The user who started syslogd.
    pub owner: u32,
}

/// A file of that length in memory; of a packed ring, the newest records and the blocks.
fn map(file: &File, len: u64, pack: bool) -> io::Result<(Memory, Option<Memory>)> {
    let len = usize::try_from(len).map_err(io::Error::other)?;
    let Some(split) = Split::of(len).filter(|_| pack) else {
        return Ok((Memory::Mapped(Mapped::new(file, len)?), None));
    };
    let hot = Mapped::part(file, 0, split.hot)?;
    let cold = Mapped::part(file, split.hot as u64, split.cold)?;
    Ok((Memory::Mapped(hot), Some(Memory::Mapped(cold))))
}

/// An empty ring in plain memory.
fn fresh(spec: &RingSpec, boot: u64) -> Result<Log<Memory>, TooSmall> {
    let ring = |size| Ring::format(Memory::plain(size), boot);
    let size = size(spec);
    match Split::of(size).filter(|_| spec.pack) {
        Some(split) => Ok(Log::packed(ring(split.hot)?, ring(split.cold)?)),
        None => ring(size).map(Log::plain),
    }
}

/// The bytes of a ring.
fn size(spec: &RingSpec) -> usize {
    usize::try_from(spec.size)
        .unwrap_or(usize::MAX)
        .max(MIN_SIZE)
}

fn too_small(name: &str) -> String {
    format!("ring {name}: smaller than {MIN_SIZE} bytes")
}

/// The ring in a file of a ring that is kept, moved if its size changed.
fn kept(
    spec: &RingSpec,
    kept: &Kept,
    boot: u64,
    notes: &mut Vec<String>,
) -> io::Result<Log<Memory>> {
    let name = &spec.name;
    let wrong = |_| io::Error::other(too_small(name));
    let (hot, cold) = map(&kept.file, kept.len, spec.pack)?;
    let (hot, found) = recover_or_format(hot, boot).map_err(wrong)?;
    let mut ring = match cold {
        Some(cold) => {
            let (cold, _) = recover_or_format(cold, hot.boot()).map_err(wrong)?;
            Log::packed(hot, cold)
        }
        None => Log::plain(hot),
    };
    if let Some(found) = found {
        let how = if found.clean { "" } else { " after a crash" };
        notes.push(format!(
            "ring {name}: {} messages kept{how}, {} lost",
            ring.stats().records,
            found.lost
        ));
    }
    let Some((file, len)) = &kept.new else {
        return Ok(ring);
    };
    let (hot, cold) = map(file, *len, spec.pack)?;
    let (ring, lost) = ring.moved(hot, cold).map_err(wrong)?;
    if lost > 0 {
        notes.push(format!(
            "ring {name}: {lost} messages had no room in its new size"
        ));
    }
    Ok(ring)
}

impl Rings {
    /// Those of a configuration. What a ring of the same name had before is kept, also if its size
    /// is another one now.
    pub fn load(
        conf: &Conf,
        access: Access,
        files: &[Kept],
        boot: u64,
        old: Option<Rings>,
        notes: &mut Vec<String>,
    ) -> Rings {
        let mut boot = old.as_ref().map_or(boot, |old| old.boot);
        let mut old: Vec<Slot> = old.map(|old| old.slots).unwrap_or_default();
        let mut readers = access.readers.into_iter();
        let mut slots = Vec::with_capacity(conf.rings.len());
        let mut known = Vec::with_capacity(conf.rings.len());
        for spec in &conf.rings {
            let at = old
                .iter()
                .position(|slot| slot.name == spec.name && slot.keep == spec.keep);
            let mut ring = at.map(|at| old.swap_remove(at).ring);
            if ring.as_ref().is_some_and(|r| r.is_packed() != spec.pack) {
                ring = None;
                let name = &spec.name;
                notes.push(format!("ring {name}: it begins anew: another pack="));
            }
            // Memory is given back before more is taken: never is there more than there may be.
            if let Some(ring) = &mut ring
                && spec.keep == Keep::None
                && (size(spec) as u64) < ring.stats().total
            {
                // If it is larger still, that is seen below.
                let _ = ring.resize(size(spec));
            }
            known.push(ring);
        }
        drop(old);
        for (index, (spec, known)) in conf.rings.iter().zip(known).enumerate() {
            let readers = readers.next().flatten();
            let file = files.iter().find(|kept| kept.index == index);
            let size = size(spec);
            let ring = match (known, file) {
                // It is in use, and its file is the right one.
                (Some(ring), Some(Kept { new: None, .. })) => Ok(ring),
                (
                    Some(mut ring),
                    Some(Kept {
                        new: Some((file, len)),
                        ..
                    }),
                ) => map(file, *len, spec.pack)
                    .ok()
                    .and_then(|(hot, cold)| ring.moved(hot, cold).ok())
                    .map_or(Ok(ring), |(moved, _)| Ok(moved)),
                (Some(ring), None) if ring.stats().total == size as u64 => Ok(ring),
                (Some(mut ring), None) => {
                    if let Err(e) = ring.resize(size) {
                        let is = ring.stats().total;
                        notes.push(format!("ring {}: it stays at {is} bytes: {e}", spec.name));
                    }
                    Ok(ring)
                }
                (None, Some(file)) => match kept(spec, file, another(&mut boot), notes) {
                    Ok(ring) => Ok(ring),
                    Err(e) => {
                        notes.push(format!("ring {}: {e}; it is not kept", spec.name));
                        fresh(spec, another(&mut boot))
                    }
                },
                (None, None) => fresh(spec, another(&mut boot)),
            };
            match ring {
                Ok(ring) => slots.push(Slot {
                    name: spec.name.clone(),
                    ring,
                    keep: spec.keep,
                    readers,
                }),
                // Sizes are at least that: see above.
                Err(_) => notes.push(too_small(&spec.name)),
            }
        }
        Rings {
            slots,
            budget: conf.settings.budget.unwrap_or_else(|| {
                let sizes = conf.rings.iter().map(|ring| ring.size);
                sizes.fold(0, u64::saturating_add)
            }),
            control: access.control,
            owner: access.owner,
            boot,
        }
    }

    /// Stores a message.
    pub fn push(&mut self, at: usize, msg: &Msg<'_>, when: Clocks) {
        if let Some(slot) = self.slots.get_mut(at) {
            slot.ring.push(msg, when);
        }
    }

    /// One of them, with its name.
    #[must_use]
    pub fn get(&mut self, at: usize) -> Option<(&str, &mut Log<Memory>)> {
        let slot = self.slots.get_mut(at)?;
        Some((&slot.name, &mut slot.ring))
    }

    /// The user who started syslogd.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Whether a peer may use the control socket at all.
    #[must_use]
    pub fn may_control(&self, peer: &Peer) -> bool {
        may(peer, &self.control, self.owner)
    }

    fn may_read(&self, slot: &Slot, peer: &Peer) -> bool {
        may(
            peer,
            slot.readers.as_ref().unwrap_or(&self.control),
            self.owner,
        )
    }

    /// Which one has that name, if the peer may read it.
    ///
    /// # Errors
    /// There is none, or it may not.
    pub fn find(&self, name: &str, peer: &Peer) -> Result<usize, Reply> {
        let at = self.slots.iter().position(|slot| slot.name == name);
        let found = at.and_then(|at| Some((at, self.slots.get(at)?)));
        match found {
            Some((at, slot)) if self.may_read(slot, peer) => Ok(at),
            Some(_) => Err(Reply::error(
                Code::NoAccess,
                format!("ring {name} is not for you"),
            )),
            None => Err(Reply::error(
                Code::NoRing,
                format!("there is no ring {name}"),
            )),
        }
    }

    /// Bytes that all together may have.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// Those that a peer may read.
    #[must_use]
    pub fn infos(&self, peer: &Peer) -> Vec<RingInfo> {
        let seen = self.slots.iter().filter(|slot| self.may_read(slot, peer));
        seen.map(|slot| {
            let stats = slot.ring.stats();
            RingInfo {
                name: slot.name.clone(),
                boot: slot.ring.boot(),
                first: slot.ring.first(),
                next: slot.ring.next(),
                records: stats.records,
                used: stats.used,
                size: stats.total,
                pushed: stats.pushed,
                dropped: stats.dropped,
                cleared: stats.cleared,
                cut: stats.cut,
                keep: match slot.keep {
                    Keep::None => "",
                    Keep::Restart => "restart",
                    Keep::Boot => "boot",
                }
                .to_owned(),
                pack: if slot.ring.is_packed() { "lz4" } else { "" }.to_owned(),
            }
        })
        .collect()
    }

    /// Gives a ring another size; how many messages had no room.
    ///
    /// # Errors
    /// It is kept in a file; too small; more than the budget.
    pub fn resize(&mut self, at: usize, size: u64) -> Result<u64, Reply> {
        let others: u64 = self
            .slots
            .iter()
            .enumerate()
            .filter(|&(n, _)| n != at)
            .map(|(_, slot)| slot.ring.stats().total)
            .sum();
        let Some(slot) = self.slots.get_mut(at) else {
            return Err(Reply::error(Code::NoRing, "there is no such ring"));
        };
        if slot.keep != Keep::None {
            return Err(Reply::error(
                Code::Failed,
                "a ring that is kept has the size of its file: change the configuration",
            ));
        }
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let budget = self.budget;
        if others.saturating_add(size) > budget {
            let most = budget.saturating_sub(others);
            let free = most.saturating_sub(slot.ring.stats().total);
            return Err(Reply::error(
                Code::OverBudget,
                format!(
                    "all rings together may have {budget} bytes, of which {free} are free: \
                     ring {} may have {most}",
                    slot.name
                ),
            ));
        }
        slot.ring.resize(wanted).map_err(|e| {
            let code = match e {
                NotResized::TooSmall => Code::TooSmall,
                NotResized::NoMemory | NotResized::Fixed => Code::Failed,
            };
            Reply::error(code, e)
        })
    }

    /// Removes all records of one; how many.
    pub fn clear(&mut self, at: usize) -> u64 {
        let Some(slot) = self.slots.get_mut(at) else {
            return 0;
        };
        let records = slot.ring.stats().records;
        slot.ring.clear();
        records
    }

    /// Writes those with `keep=boot` to the storage; waits for that if it is the end.
    pub fn sync(&mut self, end: bool) -> io::Result<()> {
        let mut result = Ok(());
        for slot in &mut self.slots {
            if end {
                slot.ring.finish();
            }
            if slot.keep == Keep::Boot {
                for region in slot.ring.regions() {
                    result = result.and(region.sync(end));
                }
            }
        }
        result
    }
}
