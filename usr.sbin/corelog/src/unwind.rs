// SPDX-License-Identifier: BSD-2-Clause
//! From the registers of the thread that crashed outwards, frame by frame.

use crate::core::Core;
use crate::core::Source;
use crate::modules::Modules;
use crate::notes::Machine;
use crate::notes::Regs;
use framehop::FrameAddress;
use framehop::Module;
use framehop::Unwinder;
use framehop::aarch64::CacheAarch64;
use framehop::aarch64::PtrAuthMask;
use framehop::aarch64::UnwindRegsAarch64;
use framehop::aarch64::UnwinderAarch64;
use framehop::x86_64::CacheX86_64;
use framehop::x86_64::UnwindRegsX86_64;
use framehop::x86_64::UnwinderX86_64;

/// The bits of an address; what is above signs it.
const ADDRESS: u64 = (1 << 48) - 1;

/// Addresses of instructions: where it crashed, and where each caller goes on.
pub(crate) fn frames<S: Source>(core: &Core<S>, modules: &Modules, most: usize) -> Vec<u64> {
    let Some(mut regs) = core.facts.regs.clone() else {
        return Vec::new();
    };
    let mut frames = vec![regs.pc];
    // A call of what is no code: the caller's address is all that has happened since.
    if modules.of(regs.pc).is_none() {
        let caller = match core.facts.machine {
            Machine::Amd64 => core.word(regs.sp),
            Machine::Aarch64 => Some(regs.lr & ADDRESS),
        };
        if let Some(caller) = caller.filter(|&c| modules.of(c.wrapping_sub(1)).is_some()) {
            if core.facts.machine == Machine::Amd64 {
                regs.sp = regs.sp.wrapping_add(8);
            }
            regs.pc = caller;
            frames.push(caller);
        }
    }
    match core.facts.machine {
        Machine::Amd64 => {
            let unwinder = UnwinderX86_64::<Vec<u8>>::new();
            let state = UnwindRegsX86_64::new(regs.pc, regs.sp, regs.fp);
            walk(
                unwinder,
                CacheX86_64::new(),
                state,
                core,
                modules,
                &mut frames,
                most,
            );
        }
        Machine::Aarch64 => {
            let unwinder = UnwinderAarch64::<Vec<u8>>::new();
            let Regs { sp, fp, lr, .. } = regs;
            let state = UnwindRegsAarch64::new_with_ptr_auth_mask(PtrAuthMask(ADDRESS), lr, sp, fp);
            walk(
                unwinder,
                CacheAarch64::new(),
                state,
                core,
                modules,
                &mut frames,
                most,
            );
        }
    }
    frames.truncate(most);
    frames
}

fn walk<S: Source, U: Unwinder<Module = Module<Vec<u8>>>>(
    mut unwinder: U,
    mut cache: U::Cache,
    mut state: U::UnwindRegs,
    core: &Core<S>,
    modules: &Modules,
    frames: &mut Vec<u64>,
    most: usize,
) {
    let mut known = Vec::new();
    let mut read = |address| core.word(address).ok_or(());
    while let Some(&pc) = frames.last().filter(|_| frames.len() < most) {
        let address = if frames.len() == 1 {
            FrameAddress::from_instruction_pointer(pc)
        } else {
            let Some(address) = FrameAddress::from_return_address(pc) else {
                break;
            };
            address
        };
        if let Some(at) = modules.of(address.address_for_lookup()) {
            if !known.contains(&at) {
                known.push(at);
                if let Some(module) = module(modules, at) {
                    unwinder.add_module(module);
                }
            }
        }
        match unwinder.unwind_frame(address, &mut state, &mut cache, &mut read) {
            Ok(Some(caller)) if caller != 0 => frames.push(caller),
            // The outermost one, or no way on.
            _ => break,
        }
    }
}

/// What the file says about unwinding, if it fits to where it was.
fn module(modules: &Modules, at: usize) -> Option<Module<Vec<u8>>> {
    let module = modules.all.get(at)?;
    let (binary, bias) = (module.binary.as_ref()?, module.bias?);
    // What there is lies less than 2 GB from here, in both ways: addresses are kept as 32 bits.
    let base = module.start.wrapping_sub(bias);
    let info = binary.unwinding(base, modules.budget())?;
    let length = module.end.checked_sub(module.start)?;
    base.checked_add(length)?;
    (length < 1 << 31).then(|| {
        let range = module.start..module.end;
        Module::new(String::new(), range, module.start, info)
    })
}
