//! `ttctl ca`: its commands and their arguments.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use shared::host::config::{Glob, Span};
use shared::identity::{Group, NodeName, Role};
use shared::token::TokenId;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl ca`
#[derive(Debug, Subcommand)]
pub enum CaCommand {
    /// Make an authority, and its tracker's certificate
    #[command(
        override_usage = "ttctl ca init [--dir DIR] [--name NAME] [--node NODE]\n                     [--life DURATION] [--turn-over | --no-config]"
    )]
    Init(CaInitArgs),
    /// Make a token for machines that are to join
    #[command(
        override_usage = "ttctl ca token [--dir DIR] [--node NAME] [--group G]... [--uses N]\n                      [--life DURATION] [--turn-over] [--tracker URL]"
    )]
    Token(CaTokenArgs),
    /// Make a key and a certificate for a machine
    #[command(
        override_usage = "ttctl ca issue [--dir DIR] [--role ROLE]... [--group G]...\n                      [--life DURATION] [-f] -o OUT NODE"
    )]
    Issue(CaIssueArgs),
    /// List the nodes and their certificates
    #[command(override_usage = "ttctl ca list [--dir DIR] [--all]")]
    List(CaListArgs),
    /// List the tokens, and how often they were used
    #[command(override_usage = "ttctl ca tokens [--dir DIR]")]
    Tokens(CaTokensArgs),
    /// Revoke the certificates of nodes, and tokens
    #[command(
        override_usage = "ttctl ca revoke [--dir DIR] NODE...\n       ttctl ca revoke [--dir DIR] --token ID..."
    )]
    Revoke(CaRevokeArgs),
    /// Put a new authority in the place of the present one
    #[command(
        override_usage = "ttctl ca rotate [--dir DIR] [--life DURATION] [--anyway]\n       ttctl ca rotate [--dir DIR] --finish [--anyway]"
    )]
    Rotate(CaRotateArgs),
}

/// Where the authority is.
#[derive(Debug, Args)]
pub struct AuthorityDir {
    /// The authority's directory [default: ca in the tracker's state directory]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `ttctl ca init`
#[derive(Debug, Args)]
#[command(after_help = "\
Run it on the tracker's machine, as root. The directory is made, by default
/var/lib/tt-tracker/ca, and belongs to the user of tt-tracker. In it are:
  ca.key       the secret key of the authority: whoever has it is the fleet's master
  ca.pem       the authority's certificate, which every machine trusts
  tracker.pem  the secret key and the certificate of the tracker
Keep a copy of the directory in a safe place.

The tracker uses it by tt-tracker.d/50-ca.toml, which is written beside the
tracker's configuration. A tracker that systemd runs reads it at once; any other
one has to be told, or started again.

Examples:
  ttctl ca init
  ttctl ca init --dir /srv/ca --node tracker.example")]
pub struct CaInitArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// The name of the fleet, which people see in certificates
    #[arg(long, default_value = "TinyTorrent")]
    pub name: String,
    /// The node name of the tracker [default: this machine's host name]
    #[arg(long)]
    pub node: Option<NodeName>,
    /// How long the authority lives
    #[arg(long, value_name = "DURATION", default_value = "3650 d")]
    pub life: Span,
    /// Have the tracker serve machines without a certificate, too, until all have joined
    #[arg(long, conflicts_with = "no_config")]
    pub turn_over: bool,
    /// Write nothing into the tracker's configuration
    #[arg(long)]
    pub no_config: bool,
}

/// `ttctl ca token`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the command line with which a machine joins: run it there.

The token is a secret until it is used up or has expired. It is shown only once.
Each machine has the name that it joins with, and the groups of the token.

A token for one name may also be used by a machine that was installed anew, and
whose former certificate still counts.

Examples:
  ttctl ca token --node web-1
  ttctl ca token --node 'web-*' --group web --uses 20 --life 2h")]
pub struct CaTokenArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// The names that machines may have: a name, or a pattern such as 'web-*'
    #[arg(long, value_name = "NAME", default_value = "*")]
    pub node: Glob,
    /// A group of the machines
    #[arg(long = "group", value_name = "G")]
    pub groups: Vec<Group>,
    /// How many machines it admits
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub uses: u32,
    /// How long it counts, as in "2h" or "7d"
    #[arg(long, value_name = "DURATION", default_value = "24 h")]
    pub life: Span,
    /// While a fleet turns to TLS: its machines also speak with those that have none yet
    #[arg(long)]
    pub turn_over: bool,
    /// The tracker of the fleet, as tt://HOST:PORT [default: this machine]
    #[arg(long, value_name = "URL")]
    pub tracker: Option<TrackerUrl>,
}

/// `ttctl ca issue`
#[derive(Debug, Args)]
#[command(after_help = "\
For machines that do not join: configuration management gives them their files.
OUT is a directory, which is made if it is missing. In it are:
  identity.pem  a new secret key and the certificate; only its owner may read it
  ca.pem        the authority's certificate

Examples:
  ttctl ca issue web-1 --group web -o /root/web-1
  ttctl ca issue tracker-2 --role tracker --life 90d -o /root/tracker-2")]
pub struct CaIssueArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// The name of the machine, such as its host name
    #[arg(value_name = "NODE")]
    pub node: NodeName,
    /// What it may be: peer for ttd, tracker for tt-tracker, operator for a person
    #[arg(long = "role", value_name = "ROLE", default_value = "peer", value_parser = role())]
    pub roles: Vec<Role>,
    /// A group of the machine
    #[arg(long = "group", value_name = "G")]
    pub groups: Vec<Group>,
    /// How long the certificate counts, as in "90d"
    #[arg(long, value_name = "DURATION", default_value = "365 d")]
    pub life: Span,
    /// Where to write the files
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Replace files that exist in OUT
    #[arg(long, short = 'f')]
    pub replace: bool,
}

/// `ttctl ca list`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows the newest certificate of each node. The state is one of
  valid    it counts
  expired  its time is over
  revoked  it was revoked with `ttctl ca revoke`
  former   its authority was dropped with `ttctl ca rotate --finish`")]
pub struct CaListArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// All certificates, not only the newest of each node
    #[arg(long)]
    pub all: bool,
}

/// `ttctl ca tokens`
#[derive(Debug, Args)]
#[command(after_help = "\
The state is one of
  open     it admits machines
  used up  it admitted as many machines as it may
  expired  its time is over
  revoked  it was revoked with `ttctl ca revoke`
A token leaves the list 30 days after its end.")]
pub struct CaTokensArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
}

/// `ttctl ca revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
With NODE, all of its certificates are revoked, and the tokens that admitted it:
whoever has the machine may have its token. Other machines that joined with such
a token stay. With --token, nobody joins with the token any more, and those that
joined with it stay.

Examples:
  ttctl ca revoke web-1
  ttctl ca revoke --token 3kq8w2ra")]
pub struct CaRevokeArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// Names of nodes, as `ttctl ca list` shows them
    #[arg(value_name = "NODE", required_unless_present = "tokens")]
    pub nodes: Vec<NodeName>,
    /// The id of a token, as `ttctl ca tokens` shows it
    #[arg(long = "token", value_name = "ID", num_args = 1..)]
    pub tokens: Vec<TokenId>,
}

/// `ttctl ca rotate`
#[derive(Debug, Args)]
#[command(after_help = "\
Two commands, and nothing stops in between:
  ttctl ca rotate           makes a new authority beside the old one
  ttctl ca rotate --finish  drops the old one

After the first one the fleet goes on by itself: each machine hears of the new
authority within half a minute, and trusts both. When all machines do, the new
one issues, and each machine gets a certificate of it. `ttctl ca rotate` again shows
how far that is and who is still to come; what is possible it does at once.

--finish refuses as long as a machine shows a certificate of the old authority.
A machine that is switched off may be one of them: wait for it, revoke it, or
leave it behind with --anyway; then it has to join with a new token.

Tokens name the old authority until --finish, and count until then. Certificates
of `ttctl ca issue` are issued again by hand, once after each step.

Examples:
  ttctl ca rotate
  ttctl ca rotate --finish")]
pub struct CaRotateArgs {
    /// Where the authority is.
    #[command(flatten)]
    pub which: AuthorityDir,
    /// How long the new authority lives
    #[arg(long, value_name = "DURATION", default_value = "3650 d")]
    pub life: Span,
    /// Drop the old authority
    #[arg(long)]
    pub finish: bool,
    /// Go on without the machines that have not followed
    #[arg(long)]
    pub anyway: bool,
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|word| word.parse::<Role>())
}
