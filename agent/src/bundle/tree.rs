//! The tree of files that stands for what was read.

use std::collections::BTreeMap;

use crate::host::Found;

/// Keeps a folder of which only the existence was asked: git keeps no empty ones.
const KEEP: &str = ".keep";

/// An entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A file with this content.
    File(Vec<u8>),
    /// A symbolic link to there.
    Link(String),
    /// A folder.
    Directory,
}

/// Entries by path from the root, without the slash in front; folders stand before what is in them.
pub type Tree = BTreeMap<String, Node>;

/// What is known of a path, from least to most telling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    /// Its name stands in a directory.
    Name,
    /// It was asked for.
    Exists,
    /// The same, and it is a directory.
    Directory,
    /// A directory whose names are known.
    Names,
    /// It could not be read.
    Unreadable,
    Link(String),
    File(Vec<u8>),
}

/// The tree of everything that was found.
#[must_use]
pub(super) fn build(reads: Vec<(String, Found)>) -> Tree {
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut learn = |path: &str, what: Known| {
        if let Some(path) = path.strip_prefix('/').filter(|path| is_plain(path)) {
            let entry = known.entry(path.to_owned()).or_insert(Known::Name);
            // What was read twice counts as it was first, as it did for whoever read it first.
            if std::mem::discriminant(entry) != std::mem::discriminant(&what) && *entry < what {
                *entry = what;
            }
        }
    };
    for (path, found) in reads {
        match found {
            Found::File(content) => learn(&path, Known::File(content)),
            Found::Link(target) => learn(&path, Known::Link(target)),
            Found::Exists { is_directory: true } => learn(&path, Known::Directory),
            Found::Exists { is_directory: false } => learn(&path, Known::Exists),
            Found::Unreadable(_) => learn(&path, Known::Unreadable),
            Found::Names(names) => {
                learn(&path, Known::Names);
                for name in names {
                    learn(&format!("{path}/{name}"), Known::Name);
                }
            }
            Found::Missing => {}
        }
    }
    let mut tree = Tree::new();
    for (path, known) in known {
        for (slash, _) in path.match_indices('/') {
            if let Some(folder) = path.get(..slash) {
                tree.insert(folder.to_owned(), Node::Directory);
            }
        }
        let node = match known {
            // A file, because git keeps no empty folders; what is found below makes a folder of it.
            Known::Name | Known::Exists => Node::File(Vec::new()),
            Known::Directory => {
                tree.insert(format!("{path}/{KEEP}"), Node::File(Vec::new()));
                Node::Directory
            }
            Known::Names => Node::Directory,
            // A link to itself cannot be read either, whoever tries.
            Known::Unreadable => Node::Link(path.rsplit('/').next().unwrap_or_default().to_owned()),
            Known::Link(target) => Node::Link(target),
            Known::File(content) => Node::File(content),
        };
        tree.insert(path, node);
    }
    tree
}

/// Whether a path stays where it belongs, and can be typed.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ReadError;

    fn tree(reads: &[(&str, Found)]) -> Vec<(String, Node)> {
        let reads = reads.iter().map(|(path, found)| ((*path).to_owned(), found.clone())).collect();
        build(reads).into_iter().collect()
    }

    #[test]
    fn what_was_read_outweighs_what_was_listed() {
        let found = tree(&[
            ("/d", Found::Names(vec!["a".to_owned(), "b".to_owned(), "evil\n".to_owned()])),
            ("/d/a", Found::File(b"text".to_vec())),
            ("/d/b/c", Found::Exists { is_directory: false }),
            ("/../e", Found::File(Vec::new())),
            ("/gone", Found::Missing),
        ]);
        let expected = [
            ("d", Node::Directory),
            ("d/a", Node::File(b"text".to_vec())),
            ("d/b", Node::Directory),
            ("d/b/c", Node::File(Vec::new())),
        ];
        assert_eq!(found, expected.map(|(path, node)| (path.to_owned(), node)));
    }

    #[test]
    fn what_could_not_be_read_cannot_be_read_in_the_tree() {
        let refused = Found::Unreadable(ReadError::TooLarge);
        let found = tree(&[("/proc/1/environ", refused)]);
        assert_eq!(found.last().unwrap().1, Node::Link("environ".to_owned()));
    }
}
