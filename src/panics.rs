//! Keeps a dependency's panic from the terminal, and its message for the error.
//!
//! mistral.rs runs on threads of its own, whose panics nobody joins: the process-wide hook is the
//! one place that sees why. Decoders of pictures may panic too, over a hostile file.

use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

/// The last panic of a thread that is not the program's own.
static FOREIGN: Mutex<Option<String>> = Mutex::new(None);
static INSTALL: Once = Once::new();

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// The last panic of this thread inside a guard.
    static OWN: RefCell<Option<String>> = const { RefCell::new(None) };
}

const NO_REASON: &str = "no reason was given";

/// From now on the panics of threads that do not belong to the program's own code are kept
/// instead of printed. Further calls do nothing.
pub fn catch() {
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.get() {
                OWN.set(Some(describe(info)));
            } else if is_foreign() {
                *FOREIGN.lock().unwrap_or_else(PoisonError::into_inner) = Some(describe(info));
            } else {
                print(info);
            }
        }));
    });
}

/// Runs `work`, which calls into a dependency; its panic becomes an error message.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch();
    let outer = GUARDED.replace(true);
    // What panicking work leaves behind is dropped with it; nothing is shared with this side.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.map_err(|_| OWN.take().unwrap_or_else(|| NO_REASON.to_owned()))
}

/// The message of the last panic of a thread that is not the program's own.
pub fn take_last() -> String {
    let last = FOREIGN.lock().unwrap_or_else(PoisonError::into_inner).take();
    last.unwrap_or_else(|| NO_REASON.to_owned())
}

/// Forgets what [`take_last`] would tell, so that it is not told of something later.
pub fn forget() {
    FOREIGN.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// mistral.rs and rayon leave their threads unnamed; tokio's carry its name.
fn is_foreign() -> bool {
    let thread = std::thread::current();
    thread.name().is_none_or(|name| name.starts_with("tokio"))
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a panic without words");
    let first_line = text.lines().next().unwrap_or_default();
    match info.location() {
        Some(place) => {
            let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("{first_line}, {file}:{}", place.line())
        }
        None => first_line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_becomes_a_message_and_the_thread_goes_on() {
        let message = guard(|| panic!("no such layer\nbacktrace")).unwrap_err();
        assert!(message.starts_with("no such layer, panics.rs:"), "{message}");
        let nested = guard(|| guard(|| panic!("inner")).unwrap_err()).unwrap();
        assert!(nested.starts_with("inner, "), "{nested}");
        assert_eq!(guard(|| 7), Ok(7));
    }
}
