// SPDX-License-Identifier: BSD-2-Clause
//! Brings a kernel from what one configuration says to what another says.

use crate::backend::{Backend, Pair, Refusal};
use crate::conf::{Conf, Interface};
use crate::dispatch::Local;
use crate::log::{Level, say};
use libifconfig::{Action, Command, Endpoint, run};
use libkctl::Kernel;
use std::mem::discriminant;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make an inline pair.
    Pair(Pair),
    /// Take it away.
    Unpair(Pair),
    /// Load a module.
    Load(String),
    /// Unload a module.
    Unload(String),
    /// `ifconfig`
    Ifconfig(Command),
}

/// What leads from `old` to `new`. What is the same in both is left alone, so its packets go on.
pub fn plan(old: &Conf, new: &Conf) -> Vec<Step> {
    let mut steps = Vec::new();
    let find = |conf: &Conf, name: &str| conf.interfaces.iter().find(|i| i.name == name).cloned();
    for was in old.interfaces.iter().rev() {
        let now = find(new, &was.name);
        if now.is_none_or(|now| must_be_made_anew(was, &now)) {
            steps.push(Step::Ifconfig(Command {
                target: was.name.clone(),
                actions: vec![Action::Destroy],
            }));
        }
    }
    let missing = |a: &Conf, b: &Conf| -> Vec<String> {
        a.modules
            .iter()
            .filter(|m| !b.modules.contains(m))
            .cloned()
            .collect()
    };
    steps.extend(missing(old, new).into_iter().rev().map(Step::Unload));
    let only = |a: &Conf, b: &Conf| -> Vec<Pair> {
        let pairs = a.pairs.iter().filter(|p| !b.pairs.contains(p));
        pairs.cloned().collect()
    };
    // Modules find the interfaces that their rules name.
    steps.extend(only(old, new).into_iter().rev().map(Step::Unpair));
    steps.extend(only(new, old).into_iter().map(Step::Pair));
    steps.extend(missing(new, old).into_iter().map(Step::Load));
    for now in &new.interfaces {
        match find(old, &now.name) {
            Some(was) if was == *now => {}
            Some(was) if !must_be_made_anew(&was, now) => {
                let mut command = now.command();
                command.actions.retain(|a| changed(a, &was, now));
                steps.push(Step::Ifconfig(command));
            }
            _ => steps.push(Step::Ifconfig(now.command())),
        }
    }
    steps
}

/// Whether something was said of the interface that is no longer: a later line can not unsay it.
fn must_be_made_anew(was: &Interface, now: &Interface) -> bool {
    let kept = |a: &Action| {
        now.actions
            .iter()
            .any(|b| discriminant(a) == discriminant(b))
    };
    !was.actions.iter().all(kept)
}

/// Whether an action of `now` has to be done again.
fn changed(action: &Action, was: &Interface, now: &Interface) -> bool {
    // Ports of the one are ports of the other.
    let topic = |a: &Action| match a {
        Action::Encap(_) => discriminant(&Action::Tunnel {
            src: NOWHERE,
            dst: NOWHERE,
        }),
        a => discriminant(a),
    };
    let of = |i: &Interface| -> Vec<Action> {
        i.actions
            .iter()
            .filter(|a| topic(a) == topic(action))
            .cloned()
            .collect()
    };
    of(was) != of(now)
}

const NOWHERE: Endpoint = Endpoint {
    addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    port: None,
};

/// A refusal's sentence.
fn said(r: &Refusal) -> String {
    if r.text.is_empty() {
        r.errno.to_string()
    } else {
        r.text.clone()
    }
}

/// Does all of it, also when some fail; gives the number of failures, each of which was logged.
pub fn apply(backend: &Arc<dyn Backend>, steps: &[Step]) -> usize {
    let mut kernel = Kernel::over(Box::new(Local(Arc::clone(backend))));
    let mut failures = 0;
    for step in steps {
        let done = match step {
            Step::Pair(pair) => backend
                .pair(pair)
                .map_err(|r| format!("pair {} {}: {}", pair.tap, pair.physical, said(&r))),
            Step::Unpair(pair) => backend
                .unpair(pair)
                .map_err(|r| format!("pair {}: {}", pair.tap, said(&r))),
            Step::Load(name) => kernel
                .mod_load(name)
                .map_err(|e| format!("load {name}: {e}")),
            Step::Unload(name) => kernel
                .mod_unload(name)
                .map_err(|e| format!("unload {name}: {e}")),
            Step::Ifconfig(command) => run(&mut kernel, command).map(drop),
        };
        match done {
            Ok(()) => say(Level::Debug, &format!("done: {step:?}")),
            Err(e) => {
                say(Level::Err, &e);
                failures += 1;
            }
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn conf(modules: &[&str], lines: &[&str]) -> Conf {
        let interfaces = lines.iter().map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let c = libifconfig::parse(&words).expect("the test's own line");
            Interface {
                name: c.target,
                actions: c.actions,
            }
        });
        Conf {
            modules: modules.iter().map(|&m| m.to_owned()).collect(),
            interfaces: interfaces.collect(),
            ..Conf::default()
        }
    }

    fn shown(steps: &[Step]) -> Vec<String> {
        let words = |c: &Command| {
            let verbs: Vec<_> = c.actions.iter().map(ToString::to_string).collect();
            format!("{} {}", c.target, verbs.join(" "))
        };
        let one = |s: &Step| match s {
            Step::Pair(p) => format!("pair {} {}", p.tap, p.physical),
            Step::Unpair(p) => format!("unpair {}", p.tap),
            Step::Load(m) => format!("load {m}"),
            Step::Unload(m) => format!("unload {m}"),
            Step::Ifconfig(c) => words(c),
        };
        steps.iter().map(one).collect()
    }

    #[test]
    fn from_nothing_all_is_made_and_back_all_is_unmade() {
        let nothing = conf(&[], &[]);
        let some = conf(&["if_l2tp"], &["l2tp0 create mtu 1400 up", "l2tp1 create"]);
        let up = ["load if_l2tp", "l2tp0 create mtu 1400 up", "l2tp1 create"];
        assert_eq!(shown(&plan(&nothing, &some)), up);
        let down = ["l2tp1 destroy", "l2tp0 destroy", "unload if_l2tp"];
        assert_eq!(shown(&plan(&some, &nothing)), down);
        assert_eq!(plan(&some, &some), []);
    }

    #[test]
    fn pairs_come_before_modules_and_go_after_them() {
        let pair = |tap: &str, physical: &str| Pair {
            tap: tap.into(),
            physical: physical.into(),
        };
        let with = |pairs: Vec<Pair>, modules: &[&str]| Conf {
            pairs,
            ..conf(modules, &[])
        };
        let nothing = conf(&[], &[]);
        let both = with(
            vec![pair("lan0", "eth0"), pair("wan0", "eth1")],
            &["if_l2tp"],
        );
        let up = ["pair lan0 eth0", "pair wan0 eth1", "load if_l2tp"];
        assert_eq!(shown(&plan(&nothing, &both)), up);
        let down = ["unload if_l2tp", "unpair wan0", "unpair lan0"];
        assert_eq!(shown(&plan(&both, &nothing)), down);
        // Another interface is another pair.
        let other = with(
            vec![pair("lan0", "eth0"), pair("wan0", "eth2")],
            &["if_l2tp"],
        );
        let moved = ["unpair wan0", "pair wan0 eth2"];
        assert_eq!(shown(&plan(&both, &other)), moved);
        let backend: Arc<dyn Backend> = Arc::new(Fake::default());
        let wrong = with(vec![pair("wan0", "none0")], &["if_l2tp"]);
        assert_eq!(apply(&backend, &plan(&nothing, &wrong)), 1);
    }

    #[test]
    fn only_what_changed_is_touched() {
        let a = conf(
            &[],
            &["l2tp0 create mtu 1400 up", "l2tp1 create session 1 2"],
        );
        // Another value: in place.
        let b = conf(
            &[],
            &["l2tp0 create mtu 1300 up", "l2tp1 create session 1 2"],
        );
        assert_eq!(shown(&plan(&a, &b)), ["l2tp0 mtu 1300"]);
        // Ports belong to both of their verbs.
        let with = |port| {
            let ends = format!("192.0.2.1,{port} 192.0.2.2,{port}");
            conf(
                &[],
                &[&format!("l2tp0 create tunnel {ends} encap udp session 1 2")],
            )
        };
        let again = ["l2tp0 tunnel 192.0.2.1,2 192.0.2.2,2 encap udp"];
        assert_eq!(shown(&plan(&with(1), &with(2))), again);
        // Something is no longer said: made anew.
        let c = conf(&[], &["l2tp0 create up", "l2tp1 create session 1 2"]);
        assert_eq!(shown(&plan(&a, &c)), ["l2tp0 destroy", "l2tp0 create up"]);
    }

    #[test]
    fn a_failure_does_not_stop_the_rest() {
        let backend: Arc<dyn Backend> = Arc::new(Fake::default());
        let new = conf(
            &[],
            &["l2tp0 create mtu 100", "l2tp1 create", "tap0 create"],
        );
        assert_eq!(apply(&backend, &plan(&conf(&[], &[]), &new)), 2);
        let names: Vec<_> = backend
            .interfaces()
            .iter()
            .map(|i| i.name.to_string())
            .collect();
        assert_eq!(names, ["l2tp0", "l2tp1"]);
    }
}
