//! The tracker's registry: who has what. Pure: the tracker hands in the time.
