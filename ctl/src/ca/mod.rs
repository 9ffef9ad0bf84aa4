//! `ttctl ca`: the certificate authority of a closed fleet. It works on the authority's directory and needs no daemon.
//! Each verb has a file of its name; `place` finds and opens the directory, and says what failures mean.

mod drop_in;
mod init;
mod issue;
mod list;
mod owner;
mod place;
mod reload;
mod revoke;
mod rotate;
mod token;
mod tokens;

use crate::cli::CaCommand;
use crate::error::Error;
use crate::output::Output;

pub(crate) fn ca(command: &CaCommand, output: &mut Output) -> Result<(), Error> {
    match command {
        CaCommand::Init(args) => init::init(args, output),
        CaCommand::Token(args) => token::token(args, output),
        CaCommand::Issue(args) => issue::issue(args, output),
        CaCommand::List(args) => list::list(args, output),
        CaCommand::Tokens(args) => tokens::tokens(args, output),
        CaCommand::Revoke(args) => revoke::revoke(args, output),
        CaCommand::Rotate(args) => rotate::rotate(args, output),
    }
}
