//! The comparison for a page or a ticket.

use super::{figure, name, note, table};
use crate::compare::{Block, Comparison, Row};
use crate::printable::printable;

/// The comparison as Markdown; ends with a line feed.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    for block in &comparison.blocks {
        lines.push(format!("## {}", escaped(&table::heading(comparison, block))));
        lines.push(String::new());
        lines.extend(body(comparison, block));
        lines.push(String::new());
        let names: Vec<String> = block.rows.iter().map(|row| name::full(&row.key)).collect();
        let disturbed = note::disturbed(comparison, block);
        let notes = note::of_block(comparison, block, &names);
        lines.extend(list(&disturbed.into_iter().chain(notes).collect::<Vec<_>>()));
    }
    lines.extend(list(&note::of_comparison(comparison)));
    lines.extend(
        note::legend(comparison, "clean rounds, baseline/candidate").iter().map(|line| escaped(line)),
    );
    lines.join("\n") + "\n"
}

fn body(comparison: &Comparison, block: &Block) -> Vec<String> {
    let shown: Vec<&Row> = block.rows.iter().filter(|row| note::is_shown(row)).collect();
    if shown.is_empty() {
        return vec!["No row has a value on both sides.".to_owned()];
    }
    let head = [
        "cost",
        "n",
        comparison.baseline.group.as_str(),
        block.candidate.group.as_str(),
        "ratio [95 % interval]",
        "verdict",
    ];
    let mut lines = vec![line(head.map(str::to_owned)), "|---|--:|--:|--:|:--|:--|".to_owned()];
    lines.extend(shown.into_iter().map(|row| {
        line([
            name::full(&row.key),
            figure::rounds(row),
            figure::median(row, row.baseline.median),
            figure::median(row, row.candidate.median),
            figure::effect(row),
            figure::verdict(row),
        ])
    }));
    lines
}

fn line(cells: [String; 6]) -> String {
    format!("| {} |", cells.map(|cell| escaped(&cell)).join(" | "))
}

fn list(notes: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = notes.iter().map(|note| format!("- {}", escaped(note))).collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Labels come from the agents: nothing in them may end a cell or begin markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in printable(text).chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '<' | '[' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_the_table() {
        assert_eq!(escaped("a|b\nc<script>"), r"a\|b\\u{a}c\<script>");
    }
}
