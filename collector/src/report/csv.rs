//! The rows for spreadsheets: one line a row, as RFC 4180 has it.
//!
//! The columns are the scalars of JSON's rows, under stable names: new ones come behind the others. Labels are one
//! column, as a JSON object; lists are their members with blanks between. What is absent is empty. Text that a
//! spreadsheet would take for a formula has an apostrophe before it, as labels come from strangers.

use serde_json::Value;

use super::json;
use crate::compare::Comparison;

/// The columns, each with its place in JSON's row.
const COLUMNS: &[(&str, &str)] = &[
    ("family", "/family"),
    ("labels", "/labels"),
    ("statistic", "/statistic"),
    ("group", "/group"),
    ("unit", "/unit"),
    ("baseline_instances", "/baseline/instances"),
    ("baseline_hosts", "/baseline/hosts"),
    ("baseline_rounds", "/baseline/rounds"),
    ("baseline_median", "/baseline/median"),
    ("baseline_disturbed_ratio", "/baseline/disturbed_ratio"),
    ("candidate_instances", "/candidate/instances"),
    ("candidate_hosts", "/candidate/hosts"),
    ("candidate_rounds", "/candidate/rounds"),
    ("candidate_median", "/candidate/median"),
    ("candidate_disturbed_ratio", "/candidate/disturbed_ratio"),
    ("ratio", "/ratio"),
    ("ratio_low", "/ratio_low"),
    ("ratio_high", "/ratio_high"),
    ("difference", "/difference"),
    ("verdict", "/verdict"),
    ("reason", "/reason"),
    ("tags", "/tags"),
    ("p_value", "/p_value"),
    ("q_value", "/q_value"),
    ("basis", "/basis"),
    ("pairs", "/pairs"),
    ("strata", "/strata"),
    ("secondary_basis", "/secondary/basis"),
    ("secondary_ratio", "/secondary/ratio"),
    ("secondary_ratio_low", "/secondary/ratio_low"),
    ("secondary_ratio_high", "/secondary/ratio_high"),
    ("here_verdict", "/here/verdict"),
    ("here_reason", "/here/reason"),
    ("here_ratio", "/here/ratio"),
    ("here_ratio_low", "/here/ratio_low"),
    ("here_ratio_high", "/here/ratio_high"),
    ("here_tipping_spread", "/here/tipping_spread"),
    ("no_here_reason", "/no_here_reason"),
    ("against_several_hosts", "/against_several/hosts"),
    ("against_several_ratio", "/against_several/ratio"),
    ("against_several_ratio_low", "/against_several/ratio_low"),
    ("against_several_ratio_high", "/against_several/ratio_high"),
    ("against_several_tipping_spread", "/against_several/tipping_spread"),
    ("detectable_ratio", "/detectable_ratio"),
    ("largest_not_excluded", "/largest_not_excluded"),
    ("ratio_all", "/ratio_all"),
    ("ratio_low_90", "/ratio_low_90"),
    ("ratio_high_90", "/ratio_high_90"),
    ("p_equivalence", "/p_equivalence"),
    ("degrees_of_freedom", "/degrees_of_freedom"),
    ("hodges_lehmann_ratio", "/hodges_lehmann/ratio"),
    ("hodges_lehmann_ratio_low", "/hodges_lehmann/ratio_low"),
    ("hodges_lehmann_ratio_high", "/hodges_lehmann/ratio_high"),
    ("baseline_host_spread", "/baseline/host_spread"),
    ("candidate_host_spread", "/candidate/host_spread"),
    ("resolution_allowance", "/resolution_allowance"),
    ("outlier_hosts", "/outlier_hosts"),
];

/// The rows, with the names of the columns first.
///
/// # Errors
///
/// Those of `serde_json` and `csv`, none in practice.
pub fn render(comparison: &Comparison) -> anyhow::Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS.iter().map(|(name, _)| *name))?;
    for row in comparison.rows() {
        let row = json::row(row)?;
        writer.write_record(
            COLUMNS.iter().map(|(_, place)| row.pointer(place).map(cell).unwrap_or_default()),
        )?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
        Value::String(text) => no_formula(text),
        Value::Array(members) => {
            members.iter().filter_map(Value::as_str).map(no_formula).collect::<Vec<_>>().join(" ")
        }
    }
}

fn no_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::table::tests as made;

    /// Every place in a row that holds no object; lists count as one place.
    fn places(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        let Some(fields) = value.as_object().filter(|_| at != "/labels") else {
            found.insert(at.to_owned());
            return;
        };
        for (name, value) in fields {
            places(value, &format!("{at}/{name}"), found);
        }
    }

    #[test]
    fn no_scalar_of_a_row_is_missing() {
        let mut found = BTreeSet::new();
        places(&json::row(&made::full_row()).unwrap(), "", &mut found);
        // Sentences are for people; JSON has them.
        assert!(found.remove("/warnings"));
        let columns: BTreeSet<String> = COLUMNS.iter().map(|(_, place)| (*place).to_owned()).collect();
        assert_eq!(columns, found);
    }

    #[test]
    fn labels_can_hold_anything() {
        let mut row = made::full_row();
        row.key.labels.insert("x".into(), "a,\"b\"\r\nc".into());
        row.group = "=1+2".into();
        let text = render(&made::comparison(vec![row], "=1+2")).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let record: std::collections::BTreeMap<String, String> =
            reader.deserialize().next().unwrap().unwrap();
        assert_eq!(record["group"], "'=1+2");
        let labels: std::collections::BTreeMap<String, String> =
            serde_json::from_str(&record["labels"]).unwrap();
        assert_eq!(labels["x"], "a,\"b\"\r\nc");
        assert_eq!(record["baseline_median"], "1e-7");
        assert_eq!(record["tags"], "provisional beyond_threshold");
        assert_eq!(record["p_value"], "", "what is absent is empty");
    }
}
