// SPDX-License-Identifier: BSD-2-Clause
//! Who is logged in, as utmpx(5) says.
//!
//! *Locking*: getutxent(3) has one state a process; a mutex here keeps threads apart.

use std::ffi::c_char;
use std::sync::Mutex;
use std::sync::PoisonError;

static STATE: Mutex<()> = Mutex::new(());

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The terminal below /dev, such as `pts/0`.
    pub line: String,
}

/// A field of a fixed length, up to its first NUL.
fn text(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field
        .iter()
        .take_while(|&&c| c != 0)
        .map(|&c| c.cast_unsigned())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Everybody who is logged in at a terminal, at most that many.
#[must_use]
pub fn logged_in(most: usize) -> Vec<Login> {
    let _held = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    // SAFETY: no other thread is between setutxent and endutxent: the mutex is held.
    unsafe { libc::setutxent() };
    while found.len() < most {
        // SAFETY: as above.
        let entry = unsafe { libc::getutxent() };
        // SAFETY: it is null or points to an entry that stays until the next call.
        let Some(entry) = (unsafe { entry.as_ref() }) else {
            break;
        };
        if i32::from(entry.ut_type) == i32::from(libc::USER_PROCESS) {
            let login = Login {
                #[cfg(target_os = "netbsd")]
                user: text(&entry.ut_name),
                #[cfg(not(target_os = "netbsd"))]
                user: text(&entry.ut_user),
                line: text(&entry.ut_line),
            };
            // A line is a name below /dev; nothing else may come of it.
            if !login.line.is_empty() && !login.line.contains("..") && !login.line.starts_with('/')
            {
                found.push(login);
            }
        }
    }
    // SAFETY: as above.
    unsafe { libc::endutxent() };
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_end_at_a_nul() {
        let field: Vec<c_char> = b"pts/0\0junk".iter().map(|b| b.cast_signed()).collect();
        assert_eq!(text(&field), "pts/0");
        assert!(logged_in(0).is_empty());
        assert!(logged_in(100).iter().all(|l| !l.line.starts_with('/')));
    }
}
