//! Rust source with what is not wanted blanked out, so that a search cannot be fooled by a comment or a string.
//!
//! A blanked character becomes a space; line breaks stay, so that line numbers stay.

/// What a stretch of source is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

/// The source without the content of its string and character literals.
pub(crate) fn without_strings(source: &str) -> String {
    blank(source, |kind| kind == Kind::Text)
}

/// The source without the content of its literals and without its comments.
pub(crate) fn code_only(source: &str) -> String {
    blank(source, |kind| kind != Kind::Code)
}

/// Code (see [`code_only`]) without the items that are compiled for tests only.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some((before, after)) = rest.split_once(MARK) {
        kept.push_str(before);
        rest = &after[item_length(after)..];
    }
    kept.push_str(rest);
    kept
}

/// How long the item at the start of `code` is: up to its semicolon or to the end of its braces.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (index, character) in code.char_indices() {
        match character {
            ';' if depth == 0 => return index + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return index + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(source: &str, unwanted: impl Fn(Kind) -> bool) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let (kind, length) = stretch(rest, out.chars().next_back());
        let (taken, left) = rest.split_at(length);
        if unwanted(kind) {
            out.extend(taken.chars().map(|character| if character == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(taken);
        }
        rest = left;
    }
    out
}

/// The kind and the length in bytes of what `rest` begins with. `before` is the character in front of it.
fn stretch(rest: &str, before: Option<char>) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    let in_word = before.is_some_and(|character| character.is_alphanumeric() || character == '_');
    if !in_word && let Some(length) = raw_string(rest) {
        return (Kind::Text, length);
    }
    let first = rest.chars().next().map_or(1, char::len_utf8);
    match rest.as_bytes().first() {
        Some(b'"') => (Kind::Text, quoted(rest, '"')),
        Some(b'\'') => match character(rest) {
            Some(length) => (Kind::Text, length),
            None => (Kind::Code, first),
        },
        _ => (Kind::Code, first),
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a raw string, if `rest` begins with one.
fn raw_string(rest: &str) -> Option<usize> {
    let start = ["br", "cr", "r"].into_iter().find(|start| rest.starts_with(start))?.len();
    let hashes = rest[start..].bytes().take_while(|&byte| byte == b'#').count();
    let open = start + hashes + 1;
    if rest.as_bytes().get(open - 1) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    Some(rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len()))
}

/// The length of a literal in quotes, with escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (index, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return index + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    let (second_at, second) = characters.next()?;
    match (first, second) {
        ('\\', _) => Some(quoted(rest, '\'')),
        (_, '\'') => Some(second_at + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_blanked_and_comments_stay() {
        assert_eq!(without_strings("a(\"x\\\"y\") // z"), "a(      ) // z");
        assert_eq!(without_strings("r#\"a\"b\"# c br\"d\""), format!("{} c {}", " ".repeat(8), " ".repeat(5)));
        assert_eq!(without_strings("\"a\nb\" c"), "  \n   c");
    }

    #[test]
    fn comments_are_blanked_from_code() {
        assert_eq!(code_only("a /* b /* c */ */ d // e\nf"), format!("a{} d {}\nf", " ".repeat(16), " ".repeat(4)));
        assert_eq!(code_only("\"//\" a"), "     a");
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(code_only("fn f<'a>(x: &'a str) { '\"' }"), "fn f<'a>(x: &'a str) {     }");
        assert_eq!(code_only("'\\'' b'x' 'y'"), format!("{} b{} {}", " ".repeat(4), " ".repeat(3), " ".repeat(3)));
    }

    #[test]
    fn an_identifier_that_ends_in_r_does_not_open_a_raw_string() {
        assert_eq!(code_only("for\"x\" y"), "for    y");
    }

    #[test]
    fn test_items_are_cut_with_all_their_braces() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}";
        assert_eq!(without_tests(code), "fn a() {}\n\nfn c() {}\n\nfn d() {}");
    }

    #[test]
    fn a_text_that_ends_early_does_not_end_the_check() {
        for source in ["\"", "'", "/*", "r#\"", "'\\", "r", "#[cfg(test)]"] {
            assert_eq!(without_strings(source).chars().count(), source.chars().count());
            assert!(without_tests(&code_only(source)).len() <= source.len());
        }
    }
}
