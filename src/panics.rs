//! Keeps a dependency's panic from the terminal, and its message for the error.
//!
//! mistral.rs runs on threads of its own, whose panics nobody joins: the process-wide hook is the
//! one place that sees why. Decoders of pictures may panic too, over a hostile file.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

static LAST: Mutex<Option<String>> = Mutex::new(None);
static INSTALL: Once = Once::new();

/// From now on the panics of threads that do not belong to the program's own code are kept
/// instead of printed. Further calls do nothing.
pub fn catch() {
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if is_foreign() {
                let message = describe(info);
                *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
            } else {
                print(info);
            }
        }));
    });
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, which calls into a dependency; its panic becomes an error message.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch();
    GUARDED.set(true);
    // What a panicking load leaves behind is dropped with it; nothing is shared with this side.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    GUARDED.set(false);
    result.map_err(|_| take_last())
}

/// The message of the last foreign panic.
pub fn take_last() -> String {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).take();
    last.unwrap_or_else(|| "no reason was given".to_owned())
}

/// mistral.rs and rayon leave their threads unnamed; tokio's carry its name.
fn is_foreign() -> bool {
    let thread = std::thread::current();
    GUARDED.get() || thread.name().is_none_or(|name| name.starts_with("tokio"))
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
        assert_eq!(guard(|| 7), Ok(7));
    }
}
