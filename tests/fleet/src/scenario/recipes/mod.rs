//! docs/recipes.md, followed to the letter: files and commands are taken out of the document and put on the machines.

pub(super) mod ansible;
pub(super) mod cron;
mod crontab;
mod document;
pub(super) mod pipeline;
pub(super) mod units;
