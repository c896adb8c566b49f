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

const SENTENCES: &[&str] = &[
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
    "[Two |boys|] play |soccer|] on [a green |field|].",
    "[A black and white |cat|] sleeps on [the |couch|].",
    "[A big, red |bus|] is parked in front of [a |building|].",
    "[A |man|] wearing [a blue |helmet|] and [a |jacket|].",
    "That is [a Red Delicious |apple|].",
    "The image shows [a |bowl|] of [|fruit|] on [a dining |table|].",
    "There are [three |lemons|] and [a lime |wedge|].",
    "[A |group of people|] standing outside.",
    "It looks like [a |t-shirt|].",
    "[A |child|] jumps into [a swimming |pool|].",
    "The apple is red and shiny.",
    "The orange is orange.",
    "No, there is no dog in the picture.",
    "[A man's |hat|] lies on [the |floor|].",
    "[People|] walk down [a busy |street|].",
    "[A very large |elephant|] stands near [a |tree|].",
    "This picture shows [a parked |car|].",
    "[A snow covered |mountain|] with [|trees|] in the foreground.",
    "[A |cup|] that contains [|coffee|].",
    "I think that it is [a |rose|].",
    "It can be used for cutting [|vegetables|].",
    "On the left side of the image is [a |rocket|].",
];

#[test]
fn debug_print() {
    for s in SENTENCES {
        let plain: String = s.chars().filter(|c| !"[]|".contains(*c)).collect();
        eprintln!("{}", marked(&plain));
    }
}
