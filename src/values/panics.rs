//! Keeps a dependency's panic from the terminal, and its message for the error.
//!
//! mistral.rs runs on threads of its own, whose panics nobody joins: the process-wide hook is the
//! one place that sees why. Decoders of pictures may panic too, over a hostile file.
//!
//! Every panic is logged with its place, and with its words up to where they quote a text.

use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::{Mutex, Once, PoisonError};

use crate::text::first_line;

/// The last panic of a thread that is not the program's own.
static FOREIGN: Mutex<Option<String>> = Mutex::new(None);
static INSTALL: Once = Once::new();

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// The last panic of this thread inside a guard.
    static OWN: RefCell<Option<String>> = const { RefCell::new(None) };
}

const NO_REASON: &str = "no reason was given";

/// From now on every panic is logged, and those of threads that do not belong to the program's own
/// code are kept instead of printed. Further calls do nothing.
pub fn catch() {
    INSTALL.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            log(info);
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

fn log(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let what = with_place(unquoted(&words(info)), info);
    if GUARDED.get() {
        tracing::warn!("panic, caught, in thread {thread}: {what}");
    } else {
        tracing::error!("panic in thread {thread}: {what}");
    }
}

/// The words of a panic before it quotes a text, as the slicing of a string does: that may be a
/// question or an answer, which are not logged.
fn unquoted(message: &str) -> &str {
    let end = [" of `", " slicing `"].iter().filter_map(|quote| message.find(quote)).min();
    &message[..end.unwrap_or(message.len())]
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    with_place(&words(info), info)
}

fn words(info: &PanicHookInfo<'_>) -> String {
    first_line(info.payload_as_str().unwrap_or("a panic without words"))
}

fn with_place(words: &str, info: &PanicHookInfo<'_>) -> String {
    match info.location() {
        Some(place) => {
            let file = place.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("{words}, {file}:{}", place.line())
        }
        None => words.to_owned(),
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

    #[test]
    fn the_text_that_a_panic_quotes_is_not_logged() {
        let secret = std::hint::black_box("Where are the emeralds? Hinter dem Ofen, natürlich");
        let inside = secret.find('ü').unwrap() + 1;
        for (start, end) in [(inside, secret.len()), (1000, 1001), (9, 7)] {
            let message = guard(|| secret[start..end].len()).unwrap_err();
            let logged = unquoted(&message);
            assert!(logged.contains("byte") || logged.contains("begin"), "{message}");
            assert!(!logged.contains("emeralds"), "{logged}");
        }
        assert_eq!(
            unquoted("index out of bounds: the len is 3"),
            "index out of bounds: the len is 3"
        );
    }
}
