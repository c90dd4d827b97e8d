use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// What a simulation must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forbidden {
    Clock,
    Sleep,
    Randomness,
}

impl std::str::FromStr for Forbidden {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "clock" => Ok(Self::Clock),
            "sleep" => Ok(Self::Sleep),
            "randomness" => Ok(Self::Randomness),
            _ => Err(format!("nothing that is forbidden: name={name}")),
        }
    }
}

/// Does it on a thread that is named as those of simulations are: the tripwire has to end the process.
#[allow(clippy::disallowed_methods, reason = "the control that shows that the tripwire works")]
pub(crate) fn run(forbidden: Forbidden) -> bool {
    let act = move || match forbidden {
        Forbidden::Clock => drop(format!("{:?}", Instant::now())),
        Forbidden::Sleep => std::thread::sleep(Duration::from_millis(1)),
        Forbidden::Randomness => drop(RandomState::new().hash_one(1).to_string()),
    };
    let thread = std::thread::Builder::new().name("seed control".to_owned()).spawn(act);
    drop(thread.map(std::thread::JoinHandle::join));
    println!("the tripwire is not there");
    false
}
