//! `binlog` against raw system calls, a plain writer and its peers: all in one run, interleaved, as ratios.

mod arguments;
mod base;
mod base_rolling;
mod binlog_c;
mod blocks;
mod busy;
mod clock;
mod contender;
mod crash;
mod folder;
mod index_size;
mod language_peers;
mod language_table;
mod languages;
mod latency;
mod latency_table;
mod legacy;
mod loggers;
mod mcap_index;
mod mcap_peer;
mod memory;
mod okaywal_peer;
mod paced;
mod payload;
mod place;
mod plot;
mod raft_engine_peer;
mod raw;
mod relay;
mod remote_size;
mod report;
#[cfg(test)]
mod round_trip;
mod run;
mod shipping;
mod size;
mod sqlite;
mod sqlite_index;
mod stats;
mod tail;
mod targets;
mod task;
mod timed;
mod tracing_peer;
mod typed;
mod works;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use arguments::Arguments;
use payload::Payloads;
use place::Place;
use report::Section;
use works::{Amount, Presentation, WORKS};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Names by which the kinds of single values are selected and listed.
const SIZE: &str = "size on disk";
const INDEX_SIZE: &str = "size of the index";
const MEMORY: &str = "memory";
const REMOTE_SIZE: &str = "bytes fetched of a remote log";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((command, rest)) if command == memory::COMMAND => memory::child(rest).map(|()| true),
        Some((command, rest)) if command == loggers::COMMAND => loggers::child(rest).map(|()| true),
        Some((command, rest)) if command == crash::COMMAND => crash::child(rest).map(|()| true),
        _ => Arguments::parse(words.into_iter()).and_then(|arguments| measure(&arguments)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("binlog-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every contender did its work; a missed target is a result, no failure.
fn measure(arguments: &Arguments) -> Result<bool> {
    if arguments.help {
        print!("{}", arguments::HELP);
        return Ok(true);
    }
    if arguments.list {
        WORKS
            .iter()
            .map(|work| work.name)
            .chain([SIZE, INDEX_SIZE, MEMORY, REMOTE_SIZE])
            .for_each(|name| println!("{name}"));
        return Ok(true);
    }
    let amount = Amount::scaled(arguments.scale);
    let in_target = [env::current_exe()?.parent().ok_or("this program lies nowhere")?.to_owned()];
    let dirs = if arguments.dirs.is_empty() { &in_target[..] } else { &arguments.dirs };
    let sections = dirs.iter().map(|dir| measure_in(dir, arguments, amount)).collect::<Result<Vec<_>>>()?;

    let text = report::markdown(&introduction(arguments, amount), &sections);
    print!("{text}");
    let write = |file: &Option<PathBuf>, text: &str| match file {
        Some(file) => fs::write(file, text).map_err(|error| format!("{}: {error}", file.display())),
        None => Ok(()),
    };
    write(&arguments.markdown, &text)?;
    write(&arguments.svg, &plot::svg(&sections))?;
    Ok(sections.iter().all(|section| section.failures().is_empty()))
}

fn measure_in(dir: &Path, arguments: &Arguments, amount: Amount) -> Result<Section> {
    let place = Place::create(dir)?;
    let mut section = Section {
        file_system: place.file_system.clone(),
        works: Vec::new(),
        figures: Vec::new(),
        left_out: Vec::new(),
    };
    for work in WORKS.iter().filter(|work| arguments.wants(work.name) && !(work.needs_disk && place.in_memory())) {
        eprint!("{} on {} ", work.name, place.file_system);
        let rows = run::run(work, place.folder(), amount, arguments, &mut section.left_out)?;
        for row in &rows {
            let text = row.rates.as_ref().map_or_else(String::clone, |rates| match work.presentation {
                Presentation::Rates | Presentation::BesideC => stats::digits(rates.median / 1e6),
                Presentation::Times { .. } => stats::time(1.0 / rates.median),
                Presentation::Latencies => latency_table::in_words(rates),
            });
            eprintln!("  {text:>8}  {}", row.contender);
        }
        section.works.push((work.name, rows));
        place.clear()?;
    }
    if arguments.wants(SIZE) {
        eprintln!("{SIZE}");
        section.figures.extend(size::measure(place.folder(), amount)?);
    }
    if arguments.wants(INDEX_SIZE) {
        eprintln!("{INDEX_SIZE}");
        section.figures.extend(index_size::measure(place.folder(), amount)?);
    }
    if arguments.wants(MEMORY) {
        eprintln!("{MEMORY}");
        section.figures.extend(memory::measure(place.folder(), amount)?);
    }
    if arguments.wants(REMOTE_SIZE) {
        eprintln!("{REMOTE_SIZE}");
        match shipping::missing() {
            None => section.figures.extend(remote_size::measure(place.folder(), amount)?),
            Some(missing) => section.left_out.push(format!("{REMOTE_SIZE}: {missing}")),
        }
    }
    Ok(section)
}

fn introduction(arguments: &Arguments, amount: Amount) -> Vec<String> {
    let mebibytes = |bytes: u64| stats::digits(bytes as f64 / f64::from(1 << 20));
    vec![
        format!("{}; binlog {}", place::machine(), binlog_c::version()),
        format!(
            "medians of {} rounds after a warm-up, all contenders in turn; a run appends {} MiB of payload {} times, or \
             reads {} MiB {} times, and the pass in the middle counts; contenders that take several times as long get an \
             eighth",
            arguments.rounds,
            mebibytes(amount.append_bytes),
            if arguments.quick { 1 } else { works::APPENDING },
            mebibytes(amount.read_bytes),
            if arguments.quick { 1 } else { works::READING },
        ),
        format!("JSON: {}", Payloads::notifications().1),
    ]
}
