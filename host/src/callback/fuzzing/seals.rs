//! The fuzz target for sealed values of buttons.

use lark_wire::secret::Secret;
use serde_json::Value;

use crate::callback::json_text;
use crate::callback::json_text::mend_surrogates;
use crate::callback::seal::MEMBER;
use crate::callback::seal::Owner;
use crate::callback::seal::SealCheck;
use crate::callback::seal::SealKey;
use crate::callback::seal::Terms;

const OWNER: Owner<'_> = Owner { app: "cli_fuzz", plugin: "fuzz" };
const STRANGER: Owner<'_> = Owner { app: "cli_fuzz", plugin: "stranger" };
const USER: &str = "ou_fuzz";
const NOW: u64 = 1_732_699_047;
const VALID_SECS: u64 = 60;

/// The first two bytes select a byte of the sealed value, the third its new content, the fourth the terms; the value follows. A
/// seal must hold for the value that was sealed, and for no value that means something else.
pub fn seal(input: &[u8]) {
    let Some(([low, high, changed_to, flags], value)) = input.split_first_chunk::<4>() else {
        return;
    };
    let Ok(value) = std::str::from_utf8(value) else { return };
    let key = SealKey::of(&Secret::new("fuzz app secret"));
    let is_good = |owner: Owner<'_>, value: &str, user: &str, now: u64| {
        matches!(key.check(owner, value, user, now), SealCheck::Good { .. })
    };
    assert!(!is_good(OWNER, value, USER, NOW), "a value that nobody sealed is genuine");
    let open_ids = if flags & 1 == 0 { Vec::new() } else { vec![USER.to_owned()] };
    let is_for_one = !open_ids.is_empty();
    let terms = Terms { open_ids, valid_secs: VALID_SECS, once: flags & 2 != 0 };
    let Ok(sealed) = key.seal(OWNER, value, terms, NOW, "1") else { return };
    assert!(is_good(OWNER, &sealed, USER, NOW), "a good seal is refused: {sealed}");
    assert!(!is_good(STRANGER, &sealed, USER, NOW), "a seal holds for another plugin");
    assert!(!is_good(OWNER, &sealed, USER, NOW + VALID_SECS), "a seal never ends");
    assert_eq!(
        is_good(OWNER, &sealed, "ou_other", NOW),
        !is_for_one,
        "a seal is for the users that it names"
    );
    let written = json_text::read::<Value>(&sealed).expect("a sealed value is JSON");
    let asked =
        json_text::read::<Value>(&mend_surrogates(value)).expect("a sealed value was JSON before");
    let kept = without_seal(written.clone()).is_some_and(|kept| means_the_same(&kept, &asked));
    assert!(kept, "{value} became {sealed}");
    let mut changed = sealed.clone().into_bytes();
    let at = usize::from(u16::from_le_bytes([*low, *high])) % changed.len();
    changed[at] = *changed_to;
    let Ok(changed) = String::from_utf8(changed) else { return };
    if is_good(OWNER, &changed, USER, NOW) {
        let value = json_text::read::<Value>(&changed).expect("a genuine value is JSON");
        let as_sealed = means_the_same(&value, &written);
        assert!(as_sealed, "{sealed} is genuine after it became {changed}");
    }
}

fn without_seal(mut value: Value) -> Option<Value> {
    value.as_object_mut()?.shift_remove(MEMBER)?;
    Some(value)
}

/// Compares two values by meaning: 1 equals 1.0, and the order of members does not count.
fn means_the_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| means_the_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| means_the_same(value, other))
                })
        }
        _ => one == other,
    }
}
