// SPDX-License-Identifier: BSD-2-Clause
//! The proof of a section does not outlive it.

use kern::cx::Softint;
use kern::epoch;
use kern::epoch::Section;

pub fn f(cx: &mut Softint) {
    let mut kept: Option<&Section<'_>> = None;
    epoch::read(cx, |s| kept = Some(s)); //~ E0521
    let _ = kept;
}

fn main() {}
