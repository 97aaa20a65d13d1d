//! The order in which a cursor shows the blocks of a log, and the state of that order.

use super::backward_state::Backward;
use super::route::Route;
use super::salvage_state::Salvage;

/// The order of the blocks.
pub(super) enum Direction {
    /// The oldest first, up to the first damage.
    Forward(Forward),
    /// The newest first.
    Backward(Box<Backward>),
    /// The oldest first, past damage.
    Salvage(Box<Salvage>),
}

/// State of a cursor that shows the oldest first.
#[derive(Default)]
pub(super) struct Forward {
    /// The way through the segment by its index, for a filter that need not see every block.
    route: Option<Route>,
    /// Where reading continues after a record was requested by its id.
    resume: Option<Resume>,
}

/// Where reading continues: with this id.
pub(super) struct Resume(pub u64);

impl Default for Direction {
    fn default() -> Self {
        Direction::Forward(Forward::default())
    }
}

impl Direction {
    pub fn is_backward(&self) -> bool {
        matches!(self, Direction::Backward(_))
    }

    pub fn is_salvage(&self) -> bool {
        matches!(self, Direction::Salvage(_))
    }

    pub fn salvage(&self) -> Option<&Salvage> {
        match self {
            Direction::Salvage(salvage) => Some(salvage),
            _ => None,
        }
    }

    pub fn salvage_mut(&mut self) -> Option<&mut Salvage> {
        match self {
            Direction::Salvage(salvage) => Some(salvage),
            _ => None,
        }
    }

    /// The place of a cursor that shows the newest first; the caller has to put it back.
    pub fn take_backward(&mut self) -> Option<Box<Backward>> {
        match std::mem::take(self) {
            Direction::Backward(place) => Some(place),
            other => {
                *self = other;
                None
            }
        }
    }

    pub fn route(&self) -> Option<&Route> {
        match self {
            Direction::Forward(forward) => forward.route.as_ref(),
            _ => None,
        }
    }

    pub fn route_mut(&mut self) -> Option<&mut Route> {
        match self {
            Direction::Forward(forward) => forward.route.as_mut(),
            _ => None,
        }
    }

    pub fn take_route(&mut self) -> Option<Route> {
        match self {
            Direction::Forward(forward) => forward.route.take(),
            _ => None,
        }
    }

    /// Does nothing for the other orders, which need no route.
    pub fn set_route(&mut self, route: Option<Route>) {
        if let Direction::Forward(forward) = self {
            forward.route = route;
        }
    }

    pub fn take_resume(&mut self) -> Option<Resume> {
        match self {
            Direction::Forward(forward) => forward.resume.take(),
            _ => None,
        }
    }

    /// Does nothing for the other orders, which cannot seek.
    pub fn set_resume(&mut self, resume: Option<Resume>) {
        if let Direction::Forward(forward) = self {
            forward.resume = resume;
        }
    }
}
