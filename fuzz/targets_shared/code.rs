//! Any bytes as a program of any language: reading it ends, and what it is seen to do is bounded;
//! and a file that is opened before them, in a statement of its own, is seen whatever they are, or
//! it is said that not everything could be.
//!
//! The first byte chooses the language; the rest is the program.

use toolgate::facts::Place;
use toolgate::facts::commands::read_code;
use toolgate::limits::ACCESSES_MAX;
use toolgate::model::access::Target;
use toolgate::model::path::AbsPath;
use toolgate::world::Frozen;

/// Each program with a statement that reads the file.
const LANGUAGES: [(&str, &str); 8] = [
    ("python3", "open('/etc/shadow')\n"),
    ("node", "require('fs').readFileSync('/etc/shadow');\n"),
    ("perl", "open(F, '<', '/etc/shadow');\n"),
    ("ruby", "File.read('/etc/shadow')\n"),
    ("php", "file_get_contents('/etc/shadow');\n"),
    ("lua", "io.open('/etc/shadow');\n"),
    ("awk", "BEGIN { getline x < \"/etc/shadow\" }\n"),
    ("sed", "r /etc/shadow\n"),
];

/// Fails if the property does not hold for these bytes.
pub fn hold(bytes: &[u8]) {
    let [language, code @ ..] = bytes else { return };
    let (program, opens) = LANGUAGES[usize::from(*language) % LANGUAGES.len()];
    let code = format!("{opens}{}", String::from_utf8_lossy(code));
    let [shadow, workspace, tmp] =
        ["/etc/shadow", "/work", "/tmp"].map(|path| AbsPath::parse(path).unwrap());
    let world = Frozen::with_files(std::slice::from_ref(&shadow));
    let place = Place { world: &world, workspace: &workspace, tmp: &tmp };
    let mut all = Vec::new();
    read_code(program, &code, Some(&workspace), &place, &mut all);
    assert!(all.len() <= ACCESSES_MAX + 8);
    let tells = all.iter().any(|access| match &access.target {
        Target::Read(path) => path.written == shadow,
        Target::Unknown { .. } => true,
        _ => false,
    });
    assert!(tells, "{program} {code:?}");
}
