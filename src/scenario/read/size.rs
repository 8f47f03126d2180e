//! Sizes as docker reads them (go-units RAMInBytes).

use super::text;
use crate::scenario::{diagnostic::Fault, tree::Node};

/// `64m`, `1.5g`, `64MiB`, a number of bytes; units of 1024.
pub(super) fn bytes(node: &Node) -> Result<u64, Fault> {
    let text = text(node)?;
    let wrong =
        || Fault::new(node.at, format!("`{text}` is no size")).help("`64m`, `1.5g`, or a number of bytes; more than 0");
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        _ => match unit.strip_suffix('i').unwrap_or(unit) {
            "k" => 1,
            "m" => 2,
            "g" => 3,
            "t" => 4,
            "p" => 5,
            _ => return Err(wrong()),
        },
    };
    if number.starts_with('.') || number.ends_with('.') {
        return Err(wrong());
    }
    let size = number.parse::<f64>().map_err(|_| wrong())? * 1024_f64.powi(power);
    // The largest that a file can be.
    if !(1.0..=i64::MAX as f64).contains(&size) {
        return Err(wrong());
    }
    Ok(size as u64)
}

#[cfg(test)]
mod tests {
    use crate::scenario::{problems::Problems, tree};

    #[test]
    fn sizes_are_dockers() {
        let read = |text: &str| {
            let node = tree::parse(&format!("\"{text}\""), &Problems::default()).expect("YAML");
            super::bytes(&node).ok()
        };
        // Measured with docker 20.10.24 run --shm-size.
        for (text, bytes) in [
            ("1m", 1 << 20),
            ("100", 100),
            ("1.5g", 1_610_612_736),
            ("64MiB", 64 << 20),
            ("1b", 1),
            ("1kb", 1024),
            ("5K", 5 << 10),
            ("1t", 1 << 40),
            ("1 m", 1 << 20),
        ] {
            assert_eq!(read(text), Some(bytes), "{text}");
        }
        for text in ["1x", " 1m", "-1", "0", "", "m", "1e3", ".5g", "5.g", "1ib0", "9999999p", "inf", "nan"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
