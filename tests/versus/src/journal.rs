//! Measures the cost of a journal: a host that records every callback against one that does not, in turns.

use crate::aviary::Plan;
use crate::contestant;
use crate::cores::Cores;
use crate::row::Row;
use crate::row::Scenario;
use crate::scenarios::compare;
use crate::size::Size;

pub(crate) async fn run(cores: Cores, size: Size) -> anyhow::Result<Vec<Row>> {
    let without = Plan::usual()?;
    let with = without.clone().set("journal", "path", "journal");
    let contestants = [
        (Scenario::Journal { kept: false }, contestant::aviary(&without, cores).await?),
        (Scenario::Journal { kept: true }, contestant::aviary(&with, cores).await?),
    ];
    compare(&contestants, size).await
}
