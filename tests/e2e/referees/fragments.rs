//! Messages in several frames: joined, handled once in any order, and dropped if they never become complete.

use std::time::Duration;

use bytes::Bytes;
use lark_wire::frame::Frame;

use crate::referees::contestant::Line;
use crate::referees::messages::click;
use crate::referees::messages::outcome;
use crate::referees::messages::replies;
use crate::referees::scenario::Scenario;

/// Pause between fragments that is too long: a second more than the five after which most receivers drop an incomplete message.
const TOO_SLOW: Duration = Duration::from_secs(6);
/// Pause between fragments that every receiver accepts.
const SLOW: Duration = Duration::from_secs(1);

pub(crate) fn all() -> Vec<Scenario> {
    let twice = "Python keeps a completed message for five seconds and runs the handler again";
    vec![
        three("three in order", |frames| frames).all("200, toast ok"),
        three("three, the last one first", |mut frames| {
            frames.reverse();
            frames
        })
        .all("200, toast ok"),
        three("three, the first one twice", |mut frames| {
            frames.insert(1, frames[0].clone());
            frames
        })
        .all("200, toast ok"),
        three("three, the last one twice", |mut frames| {
            frames.push(frames[2].clone());
            frames
        })
        .each("200, toast ok", "200, toast ok + 200, toast ok", "200, toast ok")
        .fault(twice),
        three("three, and one out of range before the last", |mut frames| {
            let mut wrong = frames[1].clone();
            renumber(&mut wrong, 3, 3);
            frames.insert(2, wrong);
            frames
        })
        .all("200, toast ok"),
        three("two of three", |mut frames| {
            frames.pop();
            frames
        })
        .all("no reply"),
        three("three, and an empty one between them", |frames| {
            let mut four: Vec<_> = frames;
            let empty = Frame { payload: Some(Bytes::new()), ..four[1].clone() };
            four.insert(1, empty);
            for (index, frame) in four.iter_mut().enumerate() {
                renumber(frame, 4, index);
            }
            four
        })
        .each("200, toast ok", "no reply", "200, toast ok")
        .fault("Python takes an empty fragment for a missing one"),
        slowly("three, a second apart", SLOW).all("200, toast ok"),
        slowly("three, six seconds before the last", TOO_SLOW)
            .each("no reply", "no reply", "200, toast ok")
            .fault("Node answers when the user has long been told that nobody did"),
    ]
    .into_iter()
    .map(Scenario::in_company)
    .collect()
}

/// Builds an ordinary click in three frames, and changes them.
fn three(
    name: &str,
    change: impl Fn(Vec<Frame>) -> Vec<Frame> + Clone + Send + Sync + 'static,
) -> Scenario {
    Scenario::new(name, move |line: Line| {
        let change = change.clone();
        async move {
            line.connected().await?;
            let frames = change(line.envelope()?.frames(&click("toast"), 3));
            outcome(&line, &frames).await
        }
    })
}

fn slowly(name: &str, pause: Duration) -> Scenario {
    Scenario::new(name, move |line: Line| async move {
        line.connected().await?;
        let frames = line.envelope()?.frames(&click("toast"), 3);
        let (last, first) = frames.split_last().unwrap_or((&frames[0], &[]));
        for frame in first {
            line.send(frame).await?;
        }
        tokio::time::sleep(pause).await;
        line.send(last).await?;
        replies(&line, &frames).await
    })
}

fn renumber(frame: &mut Frame, sum: usize, seq: usize) {
    for header in &mut frame.headers {
        match header.key.as_str() {
            "sum" => header.value = sum.to_string(),
            "seq" => header.value = seq.to_string(),
            _ => {}
        }
    }
}
