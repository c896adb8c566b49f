//! Sentences as models answer them, and the phrases they hold.

use super::*;

/// A sentence with each phrase in brackets and its head between bars: `[a red |shirt|]`.
fn marked(text: &str) -> String {
    let mut out = text.to_owned();
    for chunk in chunks(text).iter().rev() {
        out.insert(chunk.bytes.end, ']');
        out.insert(chunk.head.end, '|');
        out.insert(chunk.head.start, '|');
        out.insert(chunk.bytes.start, '[');
    }
    out
}

#[test]
fn sentences_have_their_phrases() {
    let sentences = [
        "[A |man|] in [a red |shirt|] is riding [a |bike|] down [a |hill|].",
        "This is [a sweet |potato|].",
        "I'm not sure. The picture shows nothing clear.",
        "It's [a bell |pepper|], on [the |table|].",
        "[Two |dogs|] are playing with [a |ball|] in [the |snow|].",
        "Yes, there is [a |dog|].",
        "[A |cat|].",
        "[A brown |dog|] is running through [the |grass|].",
        "[A young |girl|] in [a pink |dress|] is sitting on [a wooden |bench|].",
        "[A |dog|] plays with [a |stick|] in [the |water|].",
        "[Two |boys|] play [|soccer|] on [a green |field|].",
        "[A |boy|] and [a |girl|] play in [the |sand|].",
        "[A black and white |cat|] sleeps on [the |couch|].",
        "[A big, red |bus|] is parked in front of [a |building|].",
        "[A |man|] wearing [a blue |helmet|] and [a |jacket|].",
        "That is [a Red Delicious |apple|].",
        "The image shows [a |bowl|] of [|fruit|] on [a dining |table|].",
        "There are [three |lemons|] and [a lime |wedge|].",
        "[A group of |people|] standing outside.",
        "[A pair of brown |shoes|] on [the |tiles|].",
        "[Several pieces of |cake|] are on [a |plate|].",
        "This is a close-up of [a |flower|].",
        "It looks like [a |t-shirt|].",
        "[A |child|] jumps into [a swimming |pool|].",
        "[The |apple|] is red and shiny.",
        "[The |orange|] is orange.",
        "No, there is no dog in the picture.",
        "[A man's |hat|] lies on [the |floor|].",
        "[|People|] walk down [a busy |street|].",
        "[A very large |elephant|] stands near [a |tree|].",
        "This picture shows [a parked |car|].",
        "[This picture |frame|] hangs on [the |wall|].",
        "[A snow covered |mountain|] with [|trees|] in the foreground.",
        "[A |cup|] that contains [|coffee|].",
        "I think that it is [a |rose|].",
        "[That old |clock|] is broken.",
        "It can be used for cutting [|vegetables|].",
        "On the left side of the image is [a |rocket|].",
        "[Sliced |lemons|] on [a cutting |board|].",
        "[A sleeping |cat|] is curled up on [a soft |blanket|].",
        "[A |woman|] eating [|pizza|] at [a |restaurant|].",
        "[A |dog|] and [a |cat|] are looking at [the camera |man|].",
        "[Red and green |peppers|] in [a wicker |basket|].",
        "[The woman's long, dark |hair|] is wet.",
        "[A fire |truck|] with [a |ladder|] on top of it.",
        "You can see [two fire |trucks|] next to [the |station|].",
        "What you see there is something I don't know.",
        "These are [|bananas|]. They",
        "[Fresh |strawberries|] and [|cream|] for [|breakfast|].",
        "[A |surfer|] rides [a |wave|] in [the |ocean|].",
        "[A metal |can|] or [|foil|].",
        "[A |man|] can be seen on [a |roof|].",
        "[A |person|] on [|skis|] goes down [a snowy |slope|].",
        "[A brown and white |dog|] with [a tennis |ball|] in [its |mouth|] runs across [the |beach|].",
        "It is [a |glass|] of [orange |juice|] with [a |straw|].",
        "This appears to be [a wooden |spoon|].",
        "This could be [a kind of |melon|], but I can't tell.",
        "[Several |cars|] are stopped at [a red traffic |light|].",
        "[A stop |sign|] at the corner of [a |street|].",
        "[A herd of |sheep|] grazing in [a |field|].",
        "[The cat's |eyes|] are green.",
        "Some are red. One of them is not.",
    ];
    for sentence in sentences {
        let plain: String = sentence.chars().filter(|c| !"[]|".contains(*c)).collect();
        assert_eq!(marked(&plain), sentence);
    }
}

#[test]
fn marks_and_lines_do_not_shift_the_bytes() {
    let chunk =
        |text: &str| chunks(text).iter().map(|c| text[c.bytes.clone()].to_owned()).collect();
    let phrases: Vec<String> = chunk("It’s **a red** _hammer_ on the `workbench`…");
    assert_eq!(phrases, ["a red** _hammer", "the `workbench"]);
    let phrases: Vec<String> = chunk("1. A red apple\n2. A knife\n- two plates\n\n# Fruit");
    assert_eq!(phrases, ["A red apple", "A knife", "two plates", "Fruit"]);
    let phrases: Vec<String> = chunk("🍋 A crème brûlée — and \"a menu\" (in French).");
    assert_eq!(phrases, ["A crème brûlée", "a menu", "French"]);
    for nothing in ["", " ", "***", "…", "`", "🍋"] {
        assert!(chunks(nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn heads_and_modifiers_are_words_of_the_phrase() {
    let text = "A pair of very shiny, black men's shoes and two Red Delicious apples.";
    let words = |chunk: &Chunk| -> Vec<&str> {
        chunk.modifiers.iter().map(|bytes| &text[bytes.clone()]).collect()
    };
    let found = chunks(text);
    assert_eq!(found.len(), 2);
    assert_eq!(&text[found[0].bytes.clone()], "A pair of very shiny, black men's shoes");
    assert_eq!(words(&found[0]), ["shiny", "black", "men's"]);
    assert_eq!(&text[found[1].head.clone()], "apples");
    assert_eq!(words(&found[1]), ["Red", "Delicious"]);
}

#[test]
fn any_text_gives_ranges_inside_it_in_order() {
    let mut state = 7_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let parts = [
        "a", "the", "dog", "dogs", "red", "and", "of", "plays", "play", "riding", "covered",
        "pair", "picture", "that", "two", "can", "is", "very", "man's", "’s", "é", "🍋", " ", " ",
        " ", ",", "*", "\n", ".", "-", "'",
    ];
    for _ in 0..3000 {
        let text: String = (0..random(12)).map(|_| parts[random(parts.len())]).collect();
        let mut end = 0;
        for chunk in chunks(&text) {
            assert!(chunk.bytes.start >= end && chunk.head.end == chunk.bytes.end, "{text:?}");
            assert!(text.get(chunk.bytes.clone()).is_some(), "{text:?}");
            for word in chunk.modifiers.iter().chain([&chunk.head]) {
                assert!(word.start >= chunk.bytes.start && word.end <= chunk.bytes.end, "{text:?}");
                assert!(word_ranges(&text).contains(word), "{text:?}");
            }
            end = chunk.bytes.end;
        }
    }
}
