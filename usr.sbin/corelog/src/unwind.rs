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

/// The way back from a handler of a signal (Linux, amd64): `mov $15,%rax; syscall`.
const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
/// Where a ucontext has them: program counter, stack pointer, frame pointer.
const SAVED: [u64; 3] = [168, 160, 120];

/// An address of an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Where.
    pub pc: u64,
    /// It is the one that was executed, not the one after a call.
    pub exact: bool,
}

impl Place {
    /// An address in the instruction that was executed.
    pub fn inside(self) -> u64 {
        self.pc.wrapping_sub(u64::from(!self.exact))
    }
}

/// Where it crashed, and where each caller goes on.
pub(crate) fn frames<S: Source>(core: &Core<S>, modules: &Modules, most: usize) -> Vec<Place> {
    let Some(mut regs) = core.facts.regs.clone() else {
        return Vec::new();
    };
    let place = |pc, exact| Place { pc, exact };
    let mut frames = vec![place(regs.pc, true)];
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
            frames.push(place(caller, false));
        }
    }
    let mut walk = Walk {
        core,
        modules,
        frames,
        most,
    };
    match core.facts.machine {
        Machine::Amd64 => {
            let state = UnwindRegsX86_64::new(regs.pc, regs.sp, regs.fp);
            let unwinder = UnwinderX86_64::new();
            let interrupted = |state: &UnwindRegsX86_64| {
                let word = |at: u64| core.word(state.sp().wrapping_add(at));
                let [pc, sp, fp] = SAVED.map(word);
                Some((pc?, UnwindRegsX86_64::new(pc?, sp?, fp?)))
            };
            walk.on(unwinder, CacheX86_64::new(), state, interrupted);
        }
        Machine::Aarch64 => {
            let Regs { sp, fp, lr, .. } = regs;
            let mask = PtrAuthMask(ADDRESS);
            let state = UnwindRegsAarch64::new_with_ptr_auth_mask(mask, lr, sp, fp);
            let unwinder = UnwinderAarch64::new();
            walk.on(unwinder, CacheAarch64::new(), state, |_| None);
        }
    }
    walk.frames
}

struct Walk<'a, S> {
    core: &'a Core<S>,
    modules: &'a Modules,
    frames: Vec<Place>,
    most: usize,
}

impl<S: Source> Walk<'_, S> {
    /// Goes on from the last frame.
    fn on<U: Unwinder<Module = Module<Vec<u8>>>>(
        &mut self,
        mut unwinder: U,
        mut cache: U::Cache,
        mut state: U::UnwindRegs,
        interrupted: impl Fn(&U::UnwindRegs) -> Option<(u64, U::UnwindRegs)>,
    ) {
        let mut known = Vec::new();
        let mut read = |address| self.core.word(address).ok_or(());
        while let Some(&last) = self.frames.last().filter(|_| self.frames.len() < self.most) {
            let at = self.modules.of(last.inside());
            if !last.exact && self.goes_back(last.pc) {
                let Some((pc, regs)) = interrupted(&state) else {
                    break;
                };
                state = regs;
                self.frames.push(Place { pc, exact: true });
                continue;
            }
            if let Some(at) = at.filter(|at| !known.contains(at)) {
                known.push(at);
                if let Some(module) = module(self.modules, at) {
                    unwinder.add_module(module);
                }
            }
            let address = if last.exact {
                FrameAddress::from_instruction_pointer(last.pc)
            } else if let Some(address) = FrameAddress::from_return_address(last.pc) {
                address
            } else {
                break;
            };
            match unwinder.unwind_frame(address, &mut state, &mut cache, &mut read) {
                Ok(Some(pc)) if pc != 0 => self.frames.push(Place { pc, exact: false }),
                // The outermost one, or no way on.
                _ => break,
            }
        }
    }

    /// Whether the kernel called what has this for its caller, as a handler of a signal.
    fn goes_back(&self, pc: u64) -> bool {
        let amd64 = self.core.facts.machine == Machine::Amd64;
        let module = self.modules.of(pc).and_then(|at| self.modules.all.get(at));
        let code = module.filter(|_| amd64).and_then(|m| {
            let at = pc.wrapping_sub(m.bias?);
            m.binary.as_ref()?.bytes(at, 9, self.modules.budget())
        });
        code.is_some_and(|code| code == SIGRETURN)
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
