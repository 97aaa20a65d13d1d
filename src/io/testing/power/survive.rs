//! What may be left of a disk after a power cut.

use std::collections::BTreeMap;

use super::disk::{page_of, put, Change, Disk, Inode, NameChange, PAGE};
use super::PowerDirectory;

/// The disk writes sectors whole.
const SECTOR: usize = 512;

/// How much of what was not synced has survived. What was synced always has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Changes of names; new files are empty.
    Names,
    /// Names and lengths; pages never written read as zeros.
    Lengths,
    /// Everything but the first page of each file that was written.
    AllButFirstPage,
    /// Everything but one page in the middle of those of each file that were written.
    AllButMiddlePage,
    /// Everything but the last page of each file that was written.
    AllButLastPage,
    /// Everything.
    Everything,
    /// Everything up to some operation, and a beginning of what that one wrote; the seed selects it. A file system that
    /// writes back in order leaves this.
    Until(u64),
    /// Each page as it is durable or as any of the writes left it, perhaps torn between two of these at a sector; any
    /// length that the file has had, or one in between; any of the changes of names: chosen by the seed.
    Any(u64),
}

/// What was left after a power cut.
pub struct Image {
    /// The directory, on a separate machine.
    pub directory: PowerDirectory,
    /// The fate of each file.
    pub fates: Vec<Fate>,
}

/// What became of a file's bytes that were not synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The file.
    pub name: String,
    /// Offset of the first lost byte.
    pub lost_from: Option<u64>,
    /// The offset after which nothing survived that was not synced: 0 when nothing did.
    pub survived_to: u64,
}

impl Fate {
    /// Whether bytes survived after others that were lost.
    pub fn has_hole(&self) -> bool {
        self.lost_from.is_some_and(|lost| lost < self.survived_to)
    }
}

pub fn image(disk: &Disk, survival: Survival) -> (Disk, Vec<Fate>) {
    let mut chance = Chance::new(survival);
    let until = match survival {
        Survival::Until(_) => chance.any_time(disk),
        _ => 0,
    };
    let mut names = disk.durable_names.clone();
    for (time, change) in &disk.name_changes {
        if chance.keeps_name(survival, *time < until) {
            NameChange::apply(change, &mut names);
        }
    }
    let contents: Vec<Vec<u8>> = disk.inodes().map(|inode| chance.contents(inode, survival, until)).collect();
    let fates = names.iter().map(|(name, &inode)| fate(name, disk.inode(inode), &contents[inode])).collect();
    (Disk::of(names, contents), fates)
}

fn fate(name: &str, inode: &Inode, left: &[u8]) -> Fate {
    let now = &inode.now;
    let differs = now.iter().zip(left).position(|(now, left)| now != left);
    let lost_from = differs.or((now.len() != left.len()).then_some(now.len().min(left.len()))).map(|at| at as u64);
    let durable = |at: usize| inode.durable.get(at).copied().unwrap_or(0);
    let survived = (0..left.len()).rev().find(|&at| left[at] != durable(at));
    Fate { name: name.to_owned(), lost_from, survived_to: survived.map_or(0, |at| at as u64 + 1) }
}

/// Decides what survives; the same seed gives the same result.
struct Chance {
    state: u64,
    /// How many of eight changes survive whole.
    kept_of_eight: usize,
}

impl Chance {
    fn new(survival: Survival) -> Self {
        let seed = match survival {
            Survival::Until(seed) | Survival::Any(seed) => seed,
            _ => 0,
        };
        let mut chance = Chance { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, kept_of_eight: 0 };
        chance.below(2);
        chance.kept_of_eight = [1, 4, 7][chance.below(3)];
        chance
    }

    /// A number below `n`, by Marsaglia's xorshift.
    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 32) as usize) % n
    }

    /// A time between the first unsynced change and the last.
    fn any_time(&mut self, disk: &Disk) -> usize {
        let changes = disk.inodes().flat_map(|inode| inode.changes.iter().map(|change| change.time));
        let times: Vec<usize> = changes.chain(disk.name_changes.iter().map(|(time, _)| *time)).collect();
        match times.is_empty() {
            true => 0,
            false => times[self.below(times.len())],
        }
    }

    fn keeps_name(&mut self, survival: Survival, early: bool) -> bool {
        match survival {
            Survival::Nothing => false,
            Survival::Until(_) => early,
            Survival::Any(_) => self.below(8) < self.kept_of_eight,
            _ => true,
        }
    }

    fn contents(&mut self, inode: &Inode, survival: Survival, until: usize) -> Vec<u8> {
        if let Survival::Until(_) = survival {
            return self.up_to(inode, until);
        }
        let len = match survival {
            Survival::Nothing | Survival::Names => inode.durable.len(),
            Survival::Any(_) => self.len(inode),
            _ => inode.now.len(),
        };
        let mut versions: BTreeMap<usize, Vec<&[u8]>> = BTreeMap::new();
        for (page, bytes) in inode.changes.iter().flat_map(|change| &change.pages) {
            versions.entry(*page).or_default().push(bytes);
        }
        let mut out = inode.durable.clone();
        let pages = versions.len();
        for (i, (page, versions)) in versions.into_iter().enumerate() {
            let missing = match survival {
                Survival::AllButFirstPage => i == 0,
                Survival::AllButMiddlePage => i == pages / 2,
                Survival::AllButLastPage => i + 1 == pages,
                Survival::Everything => false,
                Survival::Any(_) => {
                    let old = page_of(&inode.durable, page);
                    put(&mut out, page, &self.version(&old, &versions));
                    continue;
                }
                _ => true,
            };
            if let (false, Some(last)) = (missing, versions.last()) {
                put(&mut out, page, last);
            }
        }
        out.resize(len, 0);
        out
    }

    fn len(&mut self, inode: &Inode) -> usize {
        let had = |i: usize| i.checked_sub(1).map_or(inode.durable.len(), |i| inode.changes[i].len);
        let times = inode.changes.len() + 1;
        match self.below(4) {
            0 => had(self.below(times)),
            1 => {
                let (least, most) = (0..times).map(had).fold((usize::MAX, 0), |(a, b), len| (a.min(len), b.max(len)));
                least + self.below(most - least + 1)
            }
            _ => inode.now.len(),
        }
    }

    /// One of a page's versions, or two of them torn at a sector.
    fn version(&mut self, old: &[u8], versions: &[&[u8]]) -> Vec<u8> {
        let mut any = || match self.below(8) < self.kept_of_eight {
            true => versions[versions.len() - 1],
            false => match self.below(versions.len() + 1) {
                0 => old,
                i => versions[i - 1],
            },
        };
        let (mut bytes, other) = (any().to_vec(), any());
        if self.below(4) == 0 {
            let torn = SECTOR * self.below(PAGE / SECTOR);
            bytes[torn..].copy_from_slice(&other[torn..]);
        }
        bytes
    }

    /// The file after all changes before `until`, and a beginning of the one at that time.
    fn up_to(&mut self, inode: &Inode, until: usize) -> Vec<u8> {
        let mut out = inode.durable.clone();
        for Change { time, len, pages } in inode.changes.iter().filter(|change| change.time <= until) {
            let before = out.len();
            if *time < until {
                pages.iter().for_each(|(page, bytes)| put(&mut out, *page, bytes));
                out.resize(*len, 0);
                continue;
            }
            // A cut of the file is done completely or not at all; a write may stop at any sector.
            let Some((first, _)) = pages.first().filter(|_| *len >= before) else { continue };
            let sectors = self.below(pages.len() * PAGE / SECTOR + 1);
            let end = first * PAGE + sectors * SECTOR;
            for (page, bytes) in pages {
                let (from, to) = (page * PAGE, end.min((page + 1) * PAGE));
                if from < to {
                    let mut torn = page_of(&out, *page);
                    torn[..to - from].copy_from_slice(&bytes[..to - from]);
                    put(&mut out, *page, &torn);
                }
            }
            out.resize(end.clamp(before, *len), 0);
        }
        out
    }
}
