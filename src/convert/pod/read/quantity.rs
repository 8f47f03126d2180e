//! Kubernetes' quantities.

/// Kubernetes' `64Mi`, in bytes.
pub(super) fn bytes(quantity: &str) -> Option<u64> {
    let split = quantity.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(quantity.len());
    let (digits, unit) = quantity.split_at(split);
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Kubernetes' `500m`, in processors: no quota of it is finer than a thousandth.
pub(super) fn processors(quantity: &str) -> Option<String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(thousandths) = quantity.strip_suffix('m') else {
        let (whole, part) = quantity.split_once('.').unwrap_or((quantity, "0"));
        return (is_number(whole) && is_number(part)).then(|| quantity.to_owned());
    };
    let thousandths: u64 = is_number(thousandths).then(|| thousandths.parse().ok())??;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}
