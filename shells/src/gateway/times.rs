//! Times as decimal strings: JavaScript keeps 53 bits of a number, a time in nanoseconds needs 61.

use serde_json::Value;

/// Turns every number in a field whose name ends in `_ns` into a string.
pub fn as_strings(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if name.ends_with("_ns") && field.is_number() {
                    *field = Value::String(field.to_string());
                } else {
                    as_strings(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(as_strings),
        _ => {}
    }
}

/// The same for a schema: properties called `…_ns` are strings of digits.
pub fn in_schema(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                for (name, property) in properties {
                    if name.ends_with("_ns") {
                        string_schema(property);
                    }
                }
            }
            fields.values_mut().for_each(in_schema);
        }
        Value::Array(items) => items.iter_mut().for_each(in_schema),
        _ => {}
    }
}

fn string_schema(property: &mut Value) {
    let Value::Object(property) = property else { return };
    let nullable = property.get("type").is_some_and(Value::is_array);
    for key in ["format", "minimum", "maximum"] {
        property.remove(key);
    }
    let kind = if nullable { serde_json::json!(["string", "null"]) } else { "string".into() };
    property.insert("type".to_owned(), kind);
    property.insert("pattern".to_owned(), "^-?[0-9]+$".into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_digit_is_lost() {
        let mut value =
            json!({"time_ns": i64::MAX, "age_ns": null, "seq": 3, "a": [{"p99.9_ns": 7, "b_ns": "x"}]});
        as_strings(&mut value);
        let expected = json!({"time_ns": "9223372036854775807", "age_ns": null, "seq": 3, "a": [{"p99.9_ns": "7", "b_ns": "x"}]});
        assert_eq!(value, expected);
    }

    #[test]
    fn the_schema_says_so() {
        let mut schema = json!({"properties": {"time_ns": {"type": "integer", "format": "int64"},
            "age_ns": {"type": ["integer", "null"], "format": "int64"}, "seq": {"type": "integer"}}});
        in_schema(&mut schema);
        assert_eq!(schema["properties"]["time_ns"], json!({"type": "string", "pattern": "^-?[0-9]+$"}));
        assert_eq!(schema["properties"]["age_ns"]["type"], json!(["string", "null"]));
        assert_eq!(schema["properties"]["seq"]["type"], "integer");
    }
}
