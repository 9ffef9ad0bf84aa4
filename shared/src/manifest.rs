//! The manifest: the parsed `.tinytorrent` file.
