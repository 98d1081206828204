//! Finding the name that somebody meant. Knows nothing of what the names stand for.

/// The most similar of the names, upper and lower case being alike.
pub(crate) fn nearest(name: &str, names: &[&'static str]) -> &'static str {
    // A longer text is no typing error, and comparing takes time in proportion to its length.
    let lower: String = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let distance = |known: &str| {
        let same = lower.chars().zip(known.chars()).take_while(|(a, b)| a == b).count();
        edits(&lower, known) + known.len() - same
    };
    names
        .iter()
        .min_by_key(|known| distance(&known.to_lowercase()))
        .expect("every list of names has some")
}

/// How many characters have to be inserted, removed or replaced to get from one text to the other
/// (Levenshtein).
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (at, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, b) in to.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().expect("a row has a first column")
}
