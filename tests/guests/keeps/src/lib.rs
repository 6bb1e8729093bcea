//! Performs the bucket operation that `do` in the action's value names, and answers with its result. Crashes unless the result
//! is the text in `must`.

use aviary_sdk::CardAction;
use aviary_sdk::CardReply;
use aviary_sdk::Failure;
use aviary_sdk::Toast;
use aviary_sdk::key_value::Bucket;
use aviary_sdk::key_value::KeyValueError;
use aviary_sdk::serde_json::Value;

aviary_sdk::export!(card_action: answer);

fn answer(action: CardAction) -> Result<CardReply, Failure> {
    let asked = action.action.value_json()?;
    let came_of_it = act(&asked).unwrap_or_else(|error| format!("{error:?}"));
    if let Some(expected) = asked["must"].as_str() {
        assert_eq!(came_of_it, expected);
    }
    Ok(Toast::info(if came_of_it.is_empty() { "nothing".to_owned() } else { came_of_it }).into())
}

fn act(asked: &Value) -> Result<String, KeyValueError> {
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let number = |name: &str| asked[name].as_u64().unwrap_or_default();
    let bucket = match asked["bucket"].as_str() {
        Some(name) => Bucket::open_shared(name)?,
        None => Bucket::open()?,
    };
    let key = text("key");
    match text("do") {
        "get" => Ok(format!("{:?}", bucket.get_text(key)?)),
        "exists" => Ok(bucket.exists(key)?.to_string()),
        "set" => bucket.set(key, text("value")).map(|()| "set".to_owned()),
        "fill" => {
            let value = "x".repeat(number("bytes") as usize);
            bucket.set(key, value).map(|()| "set".to_owned())
        }
        "many" => {
            for index in 0..number("count") {
                bucket.set(&format!("{key}{index}"), "x")?;
            }
            Ok("set".to_owned())
        }
        "delete" => bucket.delete(key).map(|()| "deleted".to_owned()),
        "add" => bucket.increment(key, number("by")).map(|sum| sum.to_string()),
        "keys" => Ok(bucket.keys()?.join(" ")),
        "count" => Ok(bucket.keys()?.len().to_string()),
        "hoard" => {
            let mut held = Vec::new();
            loop {
                held.push(Bucket::open()?);
            }
        }
        asked => Err(KeyValueError::Other(format!("cannot {asked:?}"))),
    }
}
