//! tt-tracker's command line.

use clap::Parser;
use shared::host::config::{ListenAddr, TrackerConfig};
use shared::host::program::CommonArgs;

/// The TinyTorrent tracker: knows which machines have which files, and which file a name stands for
///
/// Run one for the fleet, and give its address to the daemons as tt://HOST:PORT. It stores nothing on disk; after a
/// restart the daemons register again within seconds.
#[derive(Debug, Clone, Parser)]
#[command(name = "tt-tracker", version, after_help = EXAMPLES)]
pub struct Args {
    /// Listen on this port of all addresses, IPv4 and IPv6 [default: 7986]
    #[arg(value_name = "PORT", conflicts_with = "listen", value_parser = port)]
    pub port: Option<u16>,

    /// Listen on this address ("10.0.0.1:7986"), or on this port of all addresses
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<ListenAddr>,

    /// Options for the configuration and the log.
    #[command(flatten)]
    pub common: CommonArgs,
}

const EXAMPLES: &str = "\
Examples:
  tt-tracker
  tt-tracker 7986
  tt-tracker --listen 10.0.0.1:7986 --log-format json
  tt-tracker --check-config --config /etc/tinytorrent/tt-tracker.toml

Signals:
  SIGTERM, SIGINT  shut down cleanly
  SIGHUP           reload the configuration

Exit codes:
  0  stopped by a signal
  1  startup failed (e.g. port in use)
  2  usage or configuration error";

impl Args {
    /// Overrides the config file's values with those of the command line.
    pub fn apply(&self, config: &mut TrackerConfig) {
        if let Some(listen) = self.listen.or(self.port.map(ListenAddr::all)) {
            config.listen = listen;
        }
        self.common.apply(&mut config.log_level, &mut config.log_format);
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("a port is a number from 0 to {}", u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use shared::host::logging::LogFormat;

    fn config(args: &[&str]) -> Result<TrackerConfig, String> {
        let args = [&["tt-tracker"], args].concat();
        let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
        let mut config = TrackerConfig::default();
        args.apply(&mut config);
        Ok(config)
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        Args::command().debug_assert();
        let listen = |args: &[&str]| config(args).unwrap().listen.to_string();
        assert_eq!(listen(&[]), "[::]:7986");
        assert_eq!(listen(&["99"]), "[::]:99");
        assert_eq!(listen(&["--listen", "99"]), "[::]:99");
        assert_eq!(listen(&["--listen", "127.0.0.1:99"]), "127.0.0.1:99");
        assert_eq!(config(&["--log-format", "json"]).unwrap().log_format, LogFormat::Json);
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [&["99", "--listen", "100"][..], &["65536"], &["-1"], &["a"], &["--log-level", "loud"]] {
            let error = config(args).unwrap_err();
            assert!(!error.contains("digit"), "{args:?}: {error}"); // that is how Rust says it
        }
    }
}
