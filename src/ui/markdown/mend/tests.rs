use super::mend;

#[track_caller]
fn mends(text: &str, wanted: &str) {
    assert_eq!(mend(text), wanted, "{text:?}");
}

#[test]
fn what_is_whole_stays_as_it_is() {
    for text in [
        "",
        "A cat.",
        "A **big** cat with `code` and [a link](b) ",
        "2 * 3 = 6 and snake_case_name, a_b",
        "- one\n- two\n",
        "```\nlet a = \"**\";\n",
        "~~~\n[",
        "text\n\n",
        "| a | b |\n|---|---|\n| 1 | 2",
        "an aside [sic] and (more)",
        "a \\*not bold",
    ] {
        mends(text, text);
    }
}

#[test]
fn open_marks_are_closed() {
    mends("A **big", "A **big**");
    mends("A **big ", "A **big**");
    mends("A **big*", "A **big**");
    mends("A *big **cat", "A *big **cat***");
    mends("A ***big", "A ***big***");
    mends("_a", "_a_");
    mends("a ~~b", "a ~~b~~");
    mends("a `b", "a `b`");
    mends("a ``b`", "a ``b``");
    mends("**a `b", "**a `b`**");
    mends("- **a**\n- **b", "- **a**\n- **b**");
    mends("| a | b |\n|---|---|\n| **1 | *2", "| a | b |\n|---|---|\n| **1 | *2*");
    mends("**a\n\nb", "**a\n\nb");
}

#[test]
fn marks_with_nothing_behind_them_wait() {
    mends("A *", "A");
    mends("A **", "A");
    mends("A `", "A");
    mends("A ``", "A");
    mends("**a** _", "**a**");
    mends("a \\", "a");
    mends("**a **", "**a**");
    mends("see [", "see");
}

#[test]
fn links_show_their_words_first() {
    mends("see [the c", "see [the c]()");
    mends("see [the cat]", "see [the cat]()");
    mends("see [the cat](http://", "see [the cat]()");
    mends("see **[the *cat", "see **[the *cat*]()**");
    mends("see [the cat] on", "see [the cat] on");
    let far = format!("in [0, 1) {}", "word ".repeat(40));
    mends(&far, &far);
}

#[test]
fn what_could_become_a_block_waits() {
    for start in [
        "-", "- ", "1", "12.", "#", "## ", ">", "``", "```", "--", "==", "***", "- [", "- [x", "|",
        "+",
    ] {
        mends(&format!("a\n\n{start}"), if start == "```" { "a\n\n```" } else { "a\n\n" });
    }
    mends("a\n-", "a\n");
    mends("- a\n2", "- a\n");
    mends("a\n- b", "a\n- b");
    mends("1234", "1234");
    mends("| a | b |", "");
    mends("x\n\n| a | b |\n", "x\n\n");
    mends("x\n\n| a | b |\n|--", "x\n\n");
    mends("x\n\n| a | b |\n|---|---|\n", "x\n\n| a | b |\n|---|---|\n");
    mends("```\nx\n``", "```\nx\n");
    mends("> ```\n> x\n> ```\n**a", "> ```\n> x\n> ```\n**a**");
}

#[test]
fn a_mended_end_begins_as_the_answer_does() {
    let text = "# A\n\n**b _c `d` e_** ~~f~~ [g](h) ![i](j)\n\n> 1. k\n> 2. l **m**\n\n| a | b |\n|---|---|\n| `1` | *2* |\n\n```rs\nlet x = \"`\";\n```\n\n---\nend \\* 猫";
    for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
        let mended = mend(&text[..end]).into_owned();
        let same = mended.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
        assert!(same + 8 >= end.min(same + 8) && mended.len() < end + 16, "{end}: {mended:?}");
        let tail = &mended[mended.floor_char_boundary(same)..];
        assert!(tail.chars().all(|c| "*_~`[]() ".contains(c)), "{end}: {tail:?} is only marks");
    }
}
