//! What a Java worker's log says that is out of the ordinary.
//!
//! The layout is that of `java/logback.xml`: `time|level|logger|message`, and lines of a stack trace below it.

use std::collections::{BTreeMap, BTreeSet};

/// How many times each kind of trouble is in a log. Its name is level, logger and message, then the exception's and its
/// last cause's class and message; everything that differs from case to case is replaced by `#`.
pub type Shapes = BTreeMap<String, usize>;

/// The longest message that is part of a name; what is behind it is values mostly.
const MESSAGE_MOST: usize = 160;

/// Every error and every exception of a log.
pub fn shapes(log: &str) -> Shapes {
    let mut events: Vec<Vec<&str>> = Vec::new();
    for line in log.lines() {
        match events.last_mut() {
            Some(event) if !is_header(line) && !is_uncaught(line) => event.push(line),
            _ => events.push(vec![line]),
        }
    }
    let mut shapes = Shapes::new();
    for shape in events.iter().filter_map(|event| shape(event)) {
        *shapes.entry(shape).or_default() += 1;
    }
    shapes
}

/// What is in `seen` and not `known`.
pub fn unknown(seen: &Shapes, known: &BTreeSet<String>) -> Shapes {
    seen.iter().filter(|(shape, _)| !known.contains(*shape)).map(|(shape, times)| (shape.clone(), *times)).collect()
}

/// The names in a list of them: one a line; `#` at the start of a line begins a comment.
pub fn listed(text: &str) -> BTreeSet<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn is_header(line: &str) -> bool {
    let mut parts = line.splitn(4, '|');
    let (time, level) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    time.len() == 12
        && time.chars().all(|character| character.is_ascii_digit() || ":.".contains(character))
        && matches!(level, "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE")
}

/// What the virtual machine says when a thread ends by an exception.
fn is_uncaught(line: &str) -> bool {
    line.starts_with("Exception in thread")
}

fn shape(event: &[&str]) -> Option<String> {
    let (first, rest) = event.split_first()?;
    let thrown = rest.iter().find_map(|line| exception(line));
    let cause = rest.iter().rev().find_map(|line| exception(line.trim_start().strip_prefix("Caused by: ")?));
    let mut parts = Vec::new();
    if is_header(first) {
        let fields: Vec<&str> = first.splitn(4, '|').collect();
        if fields[1] != "ERROR" && thrown.is_none() {
            return None;
        }
        parts.push(format!("{} {}: {}", fields[1], fields[2], normalized(fields[3])));
    } else if is_uncaught(first) || thrown.is_some() || exception(first).is_some() {
        parts.push(normalized(first));
    } else {
        return None;
    }
    parts.extend(thrown.map(normalized));
    parts.extend(cause.map(normalized));
    Some(parts.join(" <- "))
}

/// The line itself, if it is the class of an exception, with or without a message.
fn exception(line: &str) -> Option<&str> {
    let class = line.split([':', ' ']).next()?;
    let last = class.rsplit(['.', '$']).next()?;
    let named = ["Exception", "Error", "Throwable"].iter().any(|end| last.ends_with(end));
    (named && class.contains('.') && !line.starts_with(char::is_whitespace)).then_some(line)
}

/// The text with a `#` in place of every word that has a digit in it.
fn normalized(text: &str) -> String {
    let mut result = String::new();
    let mut word = String::new();
    let end = |word: &mut String, result: &mut String| {
        let name = word.contains(|character: char| character.is_ascii_digit());
        result.push_str(if name { "#" } else { word });
        word.clear();
    };
    for character in text.chars() {
        if character.is_alphanumeric() || "-_.:/@".contains(character) {
            word.push(character);
        } else {
            end(&mut word, &mut result);
            result.push(character);
        }
    }
    end(&mut word, &mut result);
    let mut short: String = result.chars().take(MESSAGE_MOST).collect();
    short.truncate(short.trim_end().len());
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
12:00:00.001|INFO|Scheduler|Initialization attempt 1
12:00:00.002|WARN|Other|only a warning 2
12:00:01.000|ERROR|LeaseCoordinator|Could not take leases for worker java-1
java.lang.NullPointerException: null
\tat software.amazon.kinesis.A.b(A.java:10)
12:00:01.500|WARN|ProcessTask|Caught exception in shard shardId-000000000001
java.util.concurrent.CompletionException: request 17
\tat a.B.c(B.java:1)
Caused by: java.net.ConnectException: Connection refused: localhost/127.0.0.1:8000
\t... 3 common frames omitted
12:00:02.000|ERROR|LeaseCoordinator|Could not take leases for worker java-2
java.lang.NullPointerException: null
Exception in thread \"main\" java.lang.IllegalStateException: dead 5
\tat x.Y.z(Y.java)
";

    #[test]
    fn errors_and_exceptions_are_named_without_their_values() {
        let expected = [
            ("ERROR LeaseCoordinator: Could not take leases for worker # <- java.lang.NullPointerException: null", 2),
            ("Exception in thread \"main\" java.lang.IllegalStateException: dead #", 1),
            (
                "WARN ProcessTask: Caught exception in shard # <- java.util.concurrent.CompletionException: request # \
                 <- java.net.ConnectException: Connection refused: #",
                1,
            ),
        ];
        let expected: Shapes = expected.into_iter().map(|(shape, times)| (shape.to_owned(), times)).collect();
        assert_eq!(shapes(LOG), expected);
    }

    #[test]
    fn only_what_is_not_listed_is_unknown() {
        let known = listed("# a comment\n\nException in thread \"main\" java.lang.IllegalStateException: dead #\n");
        let unknown = unknown(&shapes(LOG), &known);
        assert_eq!((unknown.len(), unknown.values().sum::<usize>()), (2, 3));
    }

    #[test]
    fn a_quiet_log_has_no_shapes() {
        assert_eq!(
            shapes("12:00:00.001|INFO|A|fine\nplain text\n12:00:00.002|WARN|B|Exception is only a word here\n"),
            Shapes::new()
        );
    }
}
