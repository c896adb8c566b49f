//! Finds the built program in cargo's JSON messages, wherever the target folder lies.

/// The last "executable" in the messages of `cargo build --message-format=json`.
pub fn find(messages: &str) -> Option<String> {
    messages.lines().rev().find_map(|message| {
        // Inside a JSON string these quotes would be escaped, so this can only be the field.
        let (_, value) = message.split_once(r#""executable":""#)?;
        decode(value)
    })
}

/// Decodes a JSON string from behind its opening quote up to its closing one.
fn decode(encoded: &str) -> Option<String> {
    // UTF-16, because JSON escapes are.
    let mut decoded = Vec::new();
    let mut rest = encoded.chars();
    loop {
        let character = match rest.next()? {
            '"' => return String::from_utf16(&decoded).ok(),
            '\\' => match rest.next()? {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let (unit, after) = rest.as_str().split_at_checked(4)?;
                    decoded.push(u16::from_str_radix(unit, 16).ok()?);
                    rest = after.chars();
                    continue;
                }
                itself => itself,
            },
            plain => plain,
        };
        decoded.extend_from_slice(character.encode_utf16(&mut [0; 2]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_other_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"]},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/t/debug/lorgnette","fresh":true}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        assert_eq!(find(messages).as_deref(), Some("/t/debug/lorgnette"));
    }

    #[test]
    fn a_message_that_only_speaks_of_it_is_not_it() {
        assert_eq!(find(r#"{"rendered":"say \"executable\":\"no\""}"#), None);
        assert_eq!(find(r#"{"executable":null}"#), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(
            decode(r#"C:\\a \"b\"\/\u00e9\uD83D\uDC53.exe","fresh":true"#).as_deref(),
            Some("C:\\a \"b\"/é👓.exe")
        );
    }

    #[test]
    fn a_broken_string_is_none() {
        for broken in ["no end", r"half \", r"\u12", r#"\uZZZZ""#, r#"\uD83D""#] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
