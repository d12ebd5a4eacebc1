// SPDX-License-Identifier: BSD-2-Clause
//! An entry of a map is seen only until the section ends.

use core::num::NonZeroU32;
use kern::cx::Softint;
use kern::epoch;
use kern::map::EpochMap;

pub fn f(map: &EpochMap<u32>, cx: &mut Softint) {
    let mut kept: Option<&u32> = None;
    epoch::read(cx, |s| kept = map.get(s, NonZeroU32::MIN)); //~ E0521
    let _ = kept;
}

fn main() {}
