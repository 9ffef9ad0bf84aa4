//! The transport under all services.
