//! Runs a work: a warm-up of every contender, then rounds in which all contenders run in turn.

use std::path::Path;

use crate::arguments::Arguments;
use crate::contender::{Contender, Sample};
use crate::stats::Rates;
use crate::works::{Amount, Work};
use crate::{place, Result};

/// The result of one contender in one work, or why there is none.
pub struct Row {
    pub contender: String,
    pub rates: std::result::Result<Rates, String>,
}

/// Adds a line to `left_out` for each contender that cannot take part.
pub fn run(
    work: &Work,
    place: &Path,
    amount: Amount,
    arguments: &Arguments,
    left_out: &mut Vec<String>,
) -> Result<Vec<Row>> {
    let mut contenders = (work.contenders)(amount)?;
    let is_beside = |name: &str| work.presentation.beside() == Some(name);
    contenders.retain(|contender| arguments.wants_contender(contender.name()) || is_beside(contender.name()));
    let mut present = Vec::with_capacity(contenders.len());
    for contender in contenders {
        match contender.left_out(place)? {
            None => present.push(contender),
            Some(reason) => {
                eprintln!("without {}: {reason}", contender.name());
                left_out.push(format!("{}: {}: {reason}", work.name, contender.name()));
            }
        }
    }
    let mut contenders = present;
    let passes = if arguments.quick { 1 } else { work.passes };
    let mut results: Vec<Result<Vec<Sample>>> = Vec::new();
    for contender in &mut contenders {
        eprint!(".");
        results.push(contender.warm_up(place).map(|()| Vec::new()));
    }
    // What the warm-up left in the page cache must not be written during the rounds.
    place::sync(place)?;
    for round in 0..arguments.rounds {
        eprint!(" {}", round + 1);
        for turn in 0..contenders.len() {
            // No contender always runs after the same one, nor always first.
            let index = (turn + round) % contenders.len();
            if let Ok(samples) = &mut results[index] {
                match middle_pass(contenders[index].as_mut(), place, passes) {
                    Ok(sample) => samples.push(sample),
                    Err(error) => results[index] = Err(error),
                }
            }
        }
    }
    eprintln!();
    let row = |(contender, result): (Box<dyn Contender>, Result<Vec<Sample>>)| Row {
        contender: contender.name().to_owned(),
        rates: match result {
            Ok(samples) => Rates::of(&samples).ok_or("no rounds".into()),
            Err(error) => Err(error.to_string()),
        },
    };
    Ok(contenders.into_iter().zip(results).map(row).collect())
}

/// One run: several passes, of which the median counts.
fn middle_pass(contender: &mut dyn Contender, place: &Path, passes: usize) -> Result<Sample> {
    let mut samples = (0..passes).map(|_| contender.run(place)).collect::<Result<Vec<Sample>>>()?;
    let pace = |sample: &Sample| sample.seconds / sample.records as f64;
    samples.sort_by(|a, b| pace(a).total_cmp(&pace(b)));
    Ok(samples[passes / 2])
}
