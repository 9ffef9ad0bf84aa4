//! The macro `settings!`, which declares configurations and their tables.

/// Declares a config file as `struct`, or a table in one as `table`: a struct, how it is read, and how it is shown.
///
/// ```text
/// settings! {
///     /// The settings in the config file of ttx.
///     pub struct ExampleConfig {
///         /// A value or a list, with its default.
///         pub zone: Zone = Zone::default(),
///         /// A table, [limits]. With `Option<Limits>` it may be missing as a whole.
///         pub limits: Limits = Limits::default(),
///         /// An array of tables, [[rule]].
///         pub rule: Vec<Rule> = Vec::new(),
///     }
/// }
///
/// settings! {
///     /// One rule.
///     pub table Rule {
///         /// A key that each rule must have, with what the example file shows for it.
///         pub who: Vec<TrackerUrl> => "[\"tt://tracker.example\"]",
///         /// A key with a default.
///         pub at_most: RateLimit = RateLimit::None,
///     }
/// }
/// ```
///
/// The keys of a config file all have defaults, so that an empty file is right. A table whose keys all have defaults
/// has itself a default.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $($(#[doc = $key_doc:literal])+ pub $key:ident: $type:ty = $default:expr,)+
        }
    ) => {
        settings! { @struct $(#[doc = $doc])+ $name { $($(#[doc = $key_doc])+ $key: $type,)+ } }
        settings! { @default $name { $($key = $default,)+ } }
        settings! { @table $name { $($(#[doc = $key_doc])+ $key: $type [= $default],)+ } }

        impl $name {
            /// All keys, in the order of the example file.
            pub const KEYS: &[$crate::host::config::Key] = <Self as $crate::host::config::field::Table>::KEYS;

            /// Puts the configuration together from its files. Without files, every key has its default.
            ///
            /// # Errors
            /// When a file is wrong; the error names it, and the line.
            pub fn of(files: &$crate::host::config::Files) -> Result<Self, $crate::host::config::ConfigError> {
                $crate::host::config::field::read_config(files)
            }

            /// The keys that have another value there, in the order of the example file.
            pub fn changed(&self, other: &Self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(
                    if self.$key != other.$key {
                        keys.push(stringify!($key));
                    }
                )+
                keys
            }

            /// A config file's text that shows every key with its description and its default, commented out.
            pub fn example() -> String {
                <Self as $crate::host::config::field::Table>::example("")
            }
        }
    };
    (
        $(#[doc = $doc:literal])+
        pub table $name:ident {
            $($(#[doc = $key_doc:literal])+ pub $key:ident: $type:ty = $default:expr,)+
        }
    ) => {
        settings! { @struct $(#[doc = $doc])+ $name { $($(#[doc = $key_doc])+ $key: $type,)+ } }
        settings! { @default $name { $($key = $default,)+ } }
        settings! { @table $name { $($(#[doc = $key_doc])+ $key: $type [= $default],)+ } }
        settings! { @fields $name }
    };
    (
        $(#[doc = $doc:literal])+
        pub table $name:ident {
            $($(#[doc = $key_doc:literal])+ pub $key:ident: $type:ty $(= $default:expr)? $(=> $shown:literal)?,)+
        }
    ) => {
        settings! { @struct $(#[doc = $doc])+ $name { $($(#[doc = $key_doc])+ $key: $type,)+ } }
        settings! { @table $name { $($(#[doc = $key_doc])+ $key: $type [$(= $default)? $(=> $shown)?],)+ } }
        settings! { @fields $name }
    };

    (@struct $(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $key_doc:literal])+ $key:ident: $type:ty,)+
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $key_doc])+ pub $key: $type,)+
        }
    };

    (@default $name:ident { $($key:ident = $default:expr,)+ }) => {
        impl Default for $name {
            fn default() -> Self {
                $name { $($key: $default,)+ }
            }
        }
    };

    (@table $name:ident { $($(#[doc = $key_doc:literal])+ $key:ident: $type:ty [$($absent:tt)+],)+ }) => {
        impl $crate::host::config::field::Table for $name {
            const KEYS: &'static [$crate::host::config::key::Key] = &[
                $($crate::host::config::key::Key {
                    name: stringify!($key),
                    description: &[$($key_doc),+],
                    is_required: settings!(@is_required $($absent)+),
                    shape: <$type as $crate::host::config::field::Field>::SHAPE,
                },)+
            ];

            fn read(
                layers: &$crate::host::config::layers::Layers<'_>,
            ) -> Result<Self, $crate::host::config::error::ConfigError> {
                layers.check_keys(Self::KEYS)?;
                Ok($name {
                    $($key: match $crate::host::config::field::read_key(layers, stringify!($key))? {
                        Some(value) => value,
                        None => settings!(@absent layers, $key, $($absent)+),
                    },)+
                })
            }

            fn example(path: &str) -> String {
                let mut example = $crate::host::config::field::Example::default();
                $(
                    let key = $crate::host::config::field::Shown {
                        path,
                        name: stringify!($key),
                        description: &[$($key_doc),+],
                    };
                    settings!(@show example, key, $type, $($absent)+);
                )+
                example.text()
            }
        }
    };

    (@is_required = $default:expr) => { false };
    (@is_required => $shown:literal) => { true };

    (@absent $layers:ident, $key:ident, = $default:expr) => { $default };
    (@absent $layers:ident, $key:ident, => $shown:literal) => {
        return Err($layers.missing(stringify!($key)))
    };

    (@show $example:ident, $shown_key:ident, $type:ty, = $default:expr) => {
        let default: $type = $default;
        $crate::host::config::field::Field::show(&default, &$shown_key, &mut $example);
    };
    (@show $example:ident, $shown_key:ident, $type:ty, => $shown:literal) => {
        $example.value(&$shown_key, $shown);
    };

    (@fields $name:ident) => {
        settings! { @field $name: $name, Table, table, read_table, }
        settings! { @field $name: Option<$name>, Table, table, read_table, .map(|table| table.map(Some)) }
        settings! { @field $name: Vec<$name>, Tables, tables, read_tables, }
    };
    (@field $name:ident: $type:ty, $shape:ident, $show:ident, $read:ident, $($then:tt)*) => {
        impl $crate::host::config::field::Field for $type {
            const SHAPE: $crate::host::config::key::Shape =
                $crate::host::config::key::Shape::$shape(<$name as $crate::host::config::field::Table>::KEYS);

            fn read(
                path: &str,
                said: &[$crate::host::config::layers::Said<'_>],
            ) -> Result<Option<Self>, $crate::host::config::error::ConfigError> {
                $crate::host::config::field::$read(path, said)$($then)*
            }

            fn show(
                &self,
                key: &$crate::host::config::field::Shown<'_>,
                example: &mut $crate::host::config::field::Example,
            ) {
                example.$show::<$name>(key);
            }
        }
    };
}
pub(super) use settings;
