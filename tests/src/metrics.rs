//! Reads the Prometheus text that `/metrics` serves.

use std::net::SocketAddr;

use anyhow::Context as _;
use anyhow::ensure;

use crate::http::Request;

/// All samples of `/metrics` at one moment.
#[derive(Debug)]
pub struct Metrics(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    /// Reads the host's `/metrics`.
    pub async fn scrape(admin: SocketAddr) -> anyhow::Result<Self> {
        let response = Request::get("/metrics").send(admin).await?;
        ensure!(response.status == 200, "/metrics answered {}", response.status);
        response
            .text()
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(sample)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the sum of all samples of that name that carry these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let carries = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.iter().any(|(k, v)| k == key && v == value))
        };
        self.0.iter().filter(carries).map(|sample| sample.value).sum()
    }

    /// Returns true if there is any sample of that name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|sample| sample.name == name)
    }
}

/// Parses a line of the form `name{key="value",…} number`.
fn sample(line: &str) -> anyhow::Result<Sample> {
    let (series, value) = line.rsplit_once(' ').with_context(|| format!("not a sample: {line}"))?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.trim_end_matches('}')),
        None => (series, ""),
    };
    // No label value of the host contains a comma or an escaped quote, so splitting the text suffices.
    let labels = labels
        .split("\",")
        .filter_map(|label| label.split_once("=\""))
        .map(|(key, value)| (key.trim().to_owned(), value.trim_end_matches('"').to_owned()))
        .collect();
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().with_context(|| format!("not a number: {line}"))?,
    })
}
