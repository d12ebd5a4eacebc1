// SPDX-License-Identifier: BSD-2-Clause
//! The fuzz target as a function of any bytes.

use corelog::core::Core;
use corelog::core::Seeking;
use corelog::core::Stream;
use corelog::modules::Modules;
use corelog::report::Given;
use corelog::report::Report;
use corelog::report::frames;
use std::io::Cursor;

/// A core, by file and by pipe, becomes a record that syslogd takes. No file is looked into.
pub fn core(data: &[u8]) {
    if let Some(core) = Core::read(Seeking(Cursor::new(data)), 4096) {
        let modules = Modules::find(&core, false);
        let all = frames(&core, &modules, 32);
        assert!(all.len() <= 32);
        let report = Report::new(Given::default(), Some(core.facts), all);
        let message = report.message(0);
        assert!(message.len() <= 8000 && message.starts_with(b"<42>1 "));
        let head = String::from_utf8(message).expect("what is printed is ASCII");
        assert!(head.contains(" CORE [core name=\""), "{head}");
        assert!(report.json().starts_with("{"));
    }
    if let Some(core) = Core::read(Stream::new(data), 4096) {
        frames(&core, &Modules::find(&core, false), 32);
    }
}
