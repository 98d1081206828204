//! The text of a golden script, taken apart: blocks of commands, each with the output that is
//! expected of it.

use std::time::Duration;

use velocitydb::{Encoded, Object, Value};

/// Commands, and what they print.
pub struct Block {
    /// The text of the commands, comments included.
    pub input: String,
    pub commands: Vec<Command>,
}

/// One command: `name argument… key=value…`, and the indented lines below it.
pub struct Command {
    pub name: String,
    pub arguments: Vec<String>,
    pub options: Vec<(String, String)>,
    pub lines: Vec<Command>,
}

/// Parses a script. A line `---` separates the commands of a block from their output, and an empty line
/// ends the output.
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut input = String::new();
    let mut is_output = false;
    for line in text.lines() {
        match line {
            "---" => {
                is_output = true;
                let commands = parse_commands(&input);
                blocks.push(Block { input: std::mem::take(&mut input), commands });
            }
            "" if is_output => is_output = false,
            _ if is_output => {}
            line => {
                input.push_str(line);
                input.push('\n');
            }
        }
    }
    assert!(input.trim().is_empty(), "the script ends without a line `---` after: {input}");
    blocks
}

fn parse_commands(input: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in input.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("  ") {
            Some(inner) => {
                let outer = commands.last_mut().expect("an indented line has one above it");
                outer.lines.push(Command::parse(inner));
            }
            None => commands.push(Command::parse(line)),
        }
    }
    commands
}

impl Command {
    fn parse(line: &str) -> Self {
        let mut tokens = tokens(line).into_iter();
        let name = tokens.next().expect("a command has a name");
        let (mut arguments, mut options) = (Vec::new(), Vec::new());
        for token in tokens {
            match token.split_once('=') {
                Some((key, value)) if !token.starts_with(['{', '[', '"']) => {
                    options.push((key.to_owned(), value.to_owned()));
                }
                _ => arguments.push(token),
            }
        }
        Command { name, arguments, options, lines: Vec::new() }
    }

    /// The text of an argument: literal, from a JSON string, or `@xN` for N letters x.
    pub fn text(&self, position: usize) -> String {
        let argument = self.arguments.get(position);
        text(argument.unwrap_or_else(|| panic!("{} lacks argument {position}", self.name)))
    }

    /// The object in an argument, see [`object`].
    pub fn object(&self, position: usize) -> Result<Object, velocitydb::Error> {
        object(&self.arguments[position])
    }

    pub fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().find(|(other, _)| other == key);
        found.map(|(_, value)| value.as_str())
    }

    pub fn has(&self, word: &str) -> bool {
        self.arguments.iter().any(|argument| argument == word)
    }
}

/// See [`Command::text`].
pub fn text(token: &str) -> String {
    if let Some(count) = token.strip_prefix("@x") {
        return "x".repeat(count.parse().unwrap());
    }
    match token.starts_with('"') {
        true => Value::from_json(token).unwrap().as_str().unwrap().to_owned(),
        false => token.to_owned(),
    }
}

/// An object from JSON; `@bytesN` for one whose encoding has N bytes, `@deepN` for one of N
/// levels.
pub fn object(token: &str) -> Result<Object, velocitydb::Error> {
    if let Some(bytes) = token.strip_prefix("@bytes") {
        return Ok(object_of_bytes(bytes.parse().unwrap()));
    }
    if let Some(depth) = token.strip_prefix("@deep") {
        let arrays = (2..depth.parse().unwrap())
            .fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]));
        return Ok(Object::from([("deep", arrays)]));
    }
    Ok(Object::from_json(token)?)
}

fn object_of_bytes(bytes: usize) -> Object {
    let of_length = |length: usize| Object::from([("text", "x".repeat(length))]);
    let probe = bytes / 2;
    let overhead = Encoded::from_object(&of_length(probe)).unwrap().as_bytes().len() - probe;
    of_length(bytes - overhead)
}

/// A duration such as `5s`, `100ms` or `25h`.
pub fn duration(text: &str) -> Duration {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap();
    let number: u64 = text[..digits].parse().unwrap();
    match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "h" => Duration::from_secs(number * 3_600),
        unit => panic!("{unit} is no unit of time here"),
    }
}

/// Splits at spaces outside of strings, objects and arrays.
fn tokens(line: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let (mut depth, mut is_string, mut is_escaped) = (0, false, false);
    for char in line.chars() {
        let token = tokens.last_mut().expect("there is always one");
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_string => is_escaped = true,
            '"' => is_string = !is_string,
            _ if is_string => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ' ' if depth == 0 => {
                tokens.push(String::new());
                continue;
            }
            _ => {}
        }
        token.push(char);
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}
