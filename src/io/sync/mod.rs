//! What the writer's threads share memory and wait for each other by.
//!
//! In the product these are the types of the standard library and of parking_lot. With the feature `model` a scheduler runs
//! the threads one at a time and chooses who goes on at each of these operations, so that a test can try many orders of them.

#[cfg(feature = "model")]
mod model;
#[cfg(not(feature = "model"))]
mod product;

#[cfg(feature = "model")]
pub(crate) use model::*;
#[cfg(not(feature = "model"))]
pub(crate) use product::*;
