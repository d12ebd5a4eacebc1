// SPDX-License-Identifier: BSD-2-Clause
//! Loading and unloading.

use super::kernel;
use host::kernel::LoadError;
use kern::cx::Thread;
use kern::errno::Errno;
use kern::errno::Result;
use kern::mem::KArc;
use kern::mem::KBox;
use kern::module::Module;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

static BUSY: AtomicBool = AtomicBool::new(false);

struct State {
    _memory: KBox<[u64; 32]>,
}

impl Module for State {
    fn init(cx: &mut Thread) -> Result<KArc<Self>> {
        let _memory = KBox::new(cx, [7; 32])?;
        KArc::new(cx, State { _memory })
    }

    fn fini(this: &KArc<Self>, _cx: &mut Thread) -> Result {
        assert_eq!(this._memory[31], 7);
        if BUSY.load(Ordering::Relaxed) {
            return Err(Errno::EBUSY);
        }
        Ok(())
    }
}

kern::module! { name: "dummy", state: State }

#[test]
fn load_busy_unload() {
    let k = kernel("module");
    k.load(MODULE.raw()).unwrap();
    assert_eq!(k.load(MODULE.raw()), Err(LoadError::Loaded("dummy".into())));
    BUSY.store(true, Ordering::Relaxed);
    assert_eq!(k.unload("dummy"), Err(host::errno::Errno::EBUSY));
    assert_eq!(k.modules(), ["dummy"]);
    BUSY.store(false, Ordering::Relaxed);
    k.unload("dummy").unwrap();
    assert!(k.modules().is_empty() && k.home().ledger.leaks().is_empty());
    for n in 1..=2 {
        k.fail_nth(host::ledger::Fault::Memory, n);
        let enomem = LoadError::Init("dummy".into(), host::errno::Errno::ENOMEM);
        assert_eq!(k.load(MODULE.raw()), Err(enomem));
        assert!(k.home().ledger.leaks().is_empty());
    }
    k.load(MODULE.raw()).unwrap();
    k.shutdown().unwrap();
}

#[test]
fn another_kpi_is_refused_with_both_numbers() {
    let wrong = |f: fn(&mut kpi_sys::kpi_module)| -> String {
        let mut m = *MODULE.raw();
        f(&mut m);
        let k = kernel("version");
        let e = k.load(Box::leak(Box::new(m))).unwrap_err();
        k.shutdown().unwrap();
        e.to_string()
    };
    let version = wrong(|m| m.km_version = 77);
    assert!(version.contains("77") && version.contains(&kpi_sys::KPI_VERSION.to_string()));
    let size = wrong(|m| m.km_size += 8);
    let ours = size_of::<kpi_sys::kpi_module>();
    assert!(size.contains(&ours.to_string()) && size.contains(&(ours + 8).to_string()));
}
