//! The synchronization primitives of the writer's threads.
//!
//! In the product these are the types of the standard library and of parking_lot. With the feature `model` a scheduler
//! runs the threads one at a time and chooses the next thread at each of these operations, which lets a test try many
//! orders.

#[cfg(not(feature = "model"))]
mod epoch;
#[cfg(feature = "model")]
mod model;
#[cfg(not(feature = "model"))]
mod product;

#[cfg(feature = "model")]
pub(crate) use model::*;
#[cfg(not(feature = "model"))]
pub(crate) use product::*;
