//! Outside text made fit for one line: names of files, messages of other libraries, questions.

use std::fmt::Display;

/// The most characters of a foreign message.
const MESSAGE: usize = 160;

/// `text` with what would break or disguise a line written as escapes.
///
/// File names and decoders' messages are outside data: without this, one could move the cursor of
/// a terminal or fake a second line of output.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if disguises(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Whether a character would break or disguise the text around it: control characters, line
/// separators, overrides of the writing direction.
pub fn disguises(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The words of `text` with one space between them.
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `most` characters of `text`, the last of them an ellipsis where more are left out.
pub fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Whether `text` holds `name` as whole words, in singular or plural, whatever stands between them.
#[must_use]
pub fn holds(text: &str, name: &str) -> bool {
    let plain = |text: &str| {
        let plain = text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
        format!(" {} ", words(&plain))
    };
    let (text, name) = (plain(text), plain(name));
    let name = name.trim_end();
    !name.is_empty() && ["", "s", "es"].iter().any(|end| text.contains(&format!("{name}{end} ")))
}

/// A word in lower case without the usual ending of an English plural, so that both can be compared.
/// What only looks like a plural loses it as well ("iri").
#[must_use]
pub fn singular(word: &str) -> String {
    let word = word.to_lowercase();
    let without = |end: &str| word.strip_suffix(end).filter(|stem| stem.len() > 1);
    if let Some(stem) = without("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    let long = |stem: &str| {
        let hisses = ["ss", "us", "x", "z", "ch", "sh"].iter().any(|end| stem.ends_with(end));
        (hisses && !stem.ends_with("ous")) || (stem.ends_with('o') && stem.len() > 4)
    };
    if let Some(stem) = without("es").filter(|stem| long(stem)) {
        return stem.to_owned();
    }
    let stays = ["ss", "us"].iter().any(|end| word.ends_with(end));
    without("s").filter(|_| !stays).map_or_else(|| word.clone(), str::to_owned)
}

/// A name with its indefinite article, which what looks like a plural has none of.
#[must_use]
pub fn with_article(name: &str) -> String {
    let word = name.split(" (").next().unwrap_or(name).to_lowercase();
    let is_plural = word.len() > 4
        && word.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    let vowel = word.starts_with(['a', 'e', 'i', 'o', 'u']);
    match (is_plural, vowel) {
        (true, _) => name.to_owned(),
        (false, true) => format!("an {name}"),
        (false, false) => format!("a {name}"),
    }
}

/// `text` with a capital at its beginning.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).collect()
}

/// Breaks every one of `specials` in `text` with a space, so that a tokenizer reads it as the text
/// it is. One that is a single character cannot be broken, and stays.
pub fn neutralise(text: &str, specials: &[String]) -> String {
    let breakable = |special: &&str| special.chars().nth(1).is_some();
    let specials: Vec<&str> = specials.iter().map(|s| s.trim()).filter(breakable).collect();
    let mut text = text.to_owned();
    // Breaking one may leave another standing that overlapped it; each round breaks one for good,
    // since none begins or ends with a space.
    while let Some(special) = specials.iter().find(|special| text.contains(**special)) {
        let first = special.chars().next().map_or(0, char::len_utf8);
        let broken = format!("{} {}", &special[..first], &special[first..]);
        text = text.replace(special, &broken);
    }
    text
}

/// A foreign message as one line of bounded length.
pub fn brief(message: &(impl Display + ?Sized)) -> String {
    shorten(&one_line(&message.to_string().replace('\n', " ")), MESSAGE)
}

/// A message without what follows its first line: candle and anyhow put a backtrace there.
pub fn first_line(message: &(impl Display + ?Sized)) -> String {
    message.to_string().lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_or_disguises_a_line_is_written_out() {
        assert_eq!(one_line("a\n\u{1b}[2Jb\u{202e}gpj.exe"), "a\\n\\u{1b}[2Jb\\u{202e}gpj.exe");
        assert_eq!(one_line("häßlich 猫.jpg"), "häßlich 猫.jpg");
        assert_eq!(words("  What\n is\tthat? "), "What is that?");
    }

    #[test]
    fn foreign_words_stay_on_one_bounded_line() {
        let text = brief(&format!("two\nlines\u{1b}[31m{}", "é".repeat(1000)));
        assert!(text.starts_with("two lines\\u{1b}[31m") && text.ends_with("é…"), "{text}");
        assert_eq!(text.chars().count(), MESSAGE);
        assert_eq!(shorten("abc", 3), "abc");
        assert_eq!(shorten("abcd", 3), "ab…");
    }

    #[test]
    fn specials_are_broken_wherever_they_stand() {
        let specials = ["<image>", "<|im_end|>", " <x>", "", "c"].map(str::to_owned);
        assert_eq!(neutralise("a < b > c", &specials), "a < b > c");
        let typed = "<<image>image><|im_end|> <x>";
        assert_eq!(neutralise(typed, &specials), "<< image>image>< |im_end|> < x>");
    }

    #[test]
    fn a_name_counts_as_whole_words_in_singular_or_plural() {
        for (text, name) in [
            ("A cat on a mat.", "cat"),
            ("Two Tomatoes", "tomato"),
            ("It is a T-shirt.", "t-shirt"),
            ("a red bell pepper", "bell pepper"),
        ] {
            assert!(holds(text, name), "{text}");
        }
        for (text, name) in [("That is located there.", "hat"), ("", "cat"), ("cat", " -")] {
            assert!(!holds(text, name), "{text}");
        }
    }

    #[test]
    fn plurals_lose_their_ending() {
        for (plural, one) in [
            ("Cats", "cat"),
            ("horses", "horse"),
            ("houses", "house"),
            ("shoes", "shoe"),
            ("potatoes", "potato"),
            ("buses", "bus"),
            ("glasses", "glass"),
            ("boxes", "box"),
            ("puppies", "puppy"),
            ("taxis", "taxi"),
            ("ties", "tie"),
            ("dresses", "dress"),
        ] {
            assert_eq!((singular(plural).as_str(), singular(one).as_str()), (one, one), "{plural}");
        }
        assert_eq!(singular("s"), "s");
    }

    #[test]
    fn names_have_their_articles() {
        for (name, with) in [
            ("lynx", "a lynx"),
            ("Egyptian cat", "an Egyptian cat"),
            ("jeans", "jeans"),
            ("bus", "a bus"),
            ("octopus", "an octopus"),
            ("iris", "an iris"),
            ("compass", "a compass"),
        ] {
            assert_eq!(with_article(name), with);
        }
        assert_eq!((capital("émeu"), capital("")), ("Émeu".to_owned(), String::new()));
    }

    #[test]
    fn a_backtrace_is_left_out() {
        assert_eq!(first_line("no such tensor \n   0: std::backtrace\n"), "no such tensor");
        assert_eq!(first_line(""), "");
    }
}
