//! The permissions of a file, and giving the same ones to a file that was made from another.

use std::fs::{File, Metadata, Permissions};
use std::io::Result;
use std::os::unix::fs::{fchown, MetadataExt, PermissionsExt};

/// Permission bits, owner and group of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Of the owner, the group and all others: nine bits.
    pub mode: u32,
    /// Number of the owner.
    pub owner: u32,
    /// Number of the group.
    pub group: u32,
}

impl Rights {
    pub(crate) fn of(facts: &Metadata) -> Self {
        Rights { mode: facts.mode() & 0o777, owner: facts.uid(), group: facts.gid() }
    }

    /// Applies them to a file that no other process may open yet. Only root may change the owner of a file, and others
    /// may only set groups of their own. When the owner or the group cannot be set, nobody gets more permissions than
    /// these: a member of the old group may be in the new file's group or not, so both the group and the others get
    /// only what both had.
    pub(crate) fn give_to(&self, file: &File) -> Result<()> {
        if fchown(file, Some(self.owner), Some(self.group)).is_err() {
            let _ = fchown(file, None, Some(self.group));
        }
        let now = Rights::of(&file.metadata()?);
        let mode = self.mode_with(now.owner == self.owner, now.group == self.group);
        // After the change of owner and group, which may clear bits.
        file.set_permissions(Permissions::from_mode(mode))
    }

    fn mode_with(&self, same_owner: bool, same_group: bool) -> u32 {
        let (owner, mut group, mut others) = (self.mode >> 6 & 7, self.mode >> 3 & 7, self.mode & 7);
        if !same_group {
            group &= others;
            others = group;
        }
        if !same_owner {
            // The former owner is now one of the others.
            group &= owner;
            others &= owner;
        }
        owner << 6 | group << 3 | others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_set_makes_no_rights_wider() {
        for (mode, same_owner, same_group, expected) in [
            (0o640, true, true, 0o640),
            (0o640, true, false, 0o600),
            (0o664, true, false, 0o644),
            (0o604, true, false, 0o600),
            (0o640, false, true, 0o640),
            (0o066, false, true, 0o000),
            (0o644, false, false, 0o644),
        ] {
            let rights = Rights { mode, owner: 1, group: 1 };
            let made = rights.mode_with(same_owner, same_group);
            assert_eq!(made, expected, "{mode:o} {same_owner} {same_group}: {made:o}");
        }
    }
}
