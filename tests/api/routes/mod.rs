//! A folder for each part of a path, a file for each route.

mod public;
