//! Commands of editors and of gdb: files they read and write, commands they hand to a shell.
//!
//! What is not in the lists of what is harmless is opaque: a script of an editor can do anything.

use super::Walker;
use super::state::{Input, State};
use crate::catalogue::program::Kind;
use crate::model::word::Word;

/// Commands of vi that only edit the text or move in it, by every name.
const EDITS: [&str; 52] = [
    "q",
    "quit",
    "qa",
    "qall",
    "cq",
    "cquit",
    "d",
    "delete",
    "j",
    "join",
    "y",
    "yank",
    "p",
    "print",
    "P",
    "nu",
    "number",
    "l",
    "list",
    "m",
    "move",
    "t",
    "co",
    "copy",
    "u",
    "undo",
    "red",
    "redo",
    "k",
    "ma",
    "mark",
    "noh",
    "nohlsearch",
    "sor",
    "sort",
    "ret",
    "retab",
    "pu",
    "put",
    "n",
    "next",
    "bn",
    "bp",
    "bd",
    "bdelete",
    "f",
    "file",
    "syn",
    "syntax",
    "sil",
    "silent",
    "",
];
const WRITES: [&str; 17] = [
    "w", "write", "wq", "x", "xit", "wa", "wall", "wqa", "wqall", "xa", "xall", "sav", "saveas",
    "up", "update", "exi", "exit",
];
const READS: [&str; 22] = [
    "e", "edit", "r", "read", "sp", "split", "vs", "vsplit", "new", "vne", "vnew", "tabe",
    "tabedit", "tabnew", "vi", "visual", "vie", "view", "sv", "sview", "bad", "badd",
];
/// Options of vi that name no program, no file and no expression.
const OPTIONS: [&str; 40] = [
    "ft",
    "filetype",
    "syn",
    "syntax",
    "nu",
    "number",
    "nonu",
    "nonumber",
    "et",
    "expandtab",
    "noet",
    "noexpandtab",
    "sw",
    "shiftwidth",
    "ts",
    "tabstop",
    "sts",
    "softtabstop",
    "ff",
    "fileformat",
    "fenc",
    "fileencoding",
    "bomb",
    "nobomb",
    "wrap",
    "nowrap",
    "tw",
    "textwidth",
    "ai",
    "noai",
    "hls",
    "nohls",
    "ic",
    "noic",
    "nomodeline",
    "noswapfile",
    "eol",
    "noeol",
    "binary",
    "nocp",
];
/// Commands of gdb that look at the program, or run it.
const LOOKS: [&str; 44] = [
    "r",
    "run",
    "start",
    "bt",
    "backtrace",
    "where",
    "i",
    "info",
    "b",
    "break",
    "tbreak",
    "t",
    "thread",
    "f",
    "frame",
    "up",
    "down",
    "l",
    "list",
    "x",
    "n",
    "next",
    "s",
    "step",
    "ni",
    "si",
    "finish",
    "fin",
    "until",
    "c",
    "continue",
    "q",
    "quit",
    "k",
    "kill",
    "p",
    "print",
    "disas",
    "disassemble",
    "ptype",
    "whatis",
    "detach",
    "delete",
    "echo",
];

/// Whether the commands of this program are read here.
pub(super) fn speaks(base: &str) -> bool {
    matches!(base, "gdb" | "ed") || is_vi(base)
}

fn is_vi(base: &str) -> bool {
    matches!(
        base,
        "vi" | "vim" | "nvim" | "ex" | "view" | "vimdiff" | "gvim" | "rvim" | "vim.basic"
    )
}

impl Walker<'_> {
    /// What commands of an editor, or of gdb, come to.
    pub(super) fn ex(&mut self, base: &str, code: &str, state: &State) {
        let mut inserts = false;
        for line in code.lines() {
            if inserts {
                inserts = line != ".";
                continue;
            }
            inserts = base == "ed" && is_insert(line);
            let understood = match base {
                "gdb" => self.gdb(line.trim(), state),
                _ => inserts || self.ex_line(base, line, state),
            };
            if !understood {
                self.opaque_code(base);
            }
        }
    }

    /// One line of `vi` or `ed`; false if it cannot be read.
    fn ex_line(&mut self, base: &str, line: &str, state: &State) -> bool {
        let Some(text) = after_range(line.trim_start_matches([':', ' ', '\t'])) else {
            return false;
        };
        if let Some(command) = text.strip_prefix('!') {
            return self.handed(command, state);
        }
        if text.starts_with(['"', '#']) {
            return true;
        }
        let letters = |c: &char| c.is_ascii_alphabetic();
        let name: String = match base {
            "ed" if !text.starts_with("wq") => text.chars().take(1).filter(letters).collect(),
            _ => text.chars().take_while(letters).collect(),
        };
        let rest = text.get(name.len()..).unwrap_or_default();
        if let Some((command, rest)) = repeated(&name, text) {
            return match command {
                'g' => match after_pattern(rest) {
                    Some(inner) => inner.is_empty() || self.ex_line(base, inner, state),
                    None => false,
                },
                _ => self.substitutes(base, rest, state),
            };
        }
        let name = name.as_str();
        let file = rest.strip_prefix('!').unwrap_or(rest);
        if WRITES.contains(&name) || base == "ed" && name == "W" {
            return self.ex_file(Kind::Write, rest, file, state);
        }
        if READS.contains(&name) || base == "ed" && matches!(name, "E" | "f") {
            return self.ex_file(Kind::Read, rest, file, state);
        }
        if base == "ed" {
            return !matches!(name, "G" | "V") || rest.is_empty();
        }
        let (own, next) = rest.split_once('|').unwrap_or((rest, ""));
        let harmless = match name {
            "se" | "set" | "setl" | "setlocal" => own.split_whitespace().all(is_option),
            "norm" | "normal" => !rest.contains([':', '!', '@', 'Q', 'K', '"', '\\', '<']),
            _ => EDITS.contains(&name) && !own.contains(['`', '=']),
        };
        harmless && (next.is_empty() || self.ex_line(base, next, state))
    }

    /// `s/a/b/flags`, and what stands behind it.
    fn substitutes(&mut self, base: &str, rest: &str, state: &State) -> bool {
        let Some(replacement) = after_pattern(rest) else { return rest.is_empty() };
        let delimiter = rest.chars().next().unwrap_or('/');
        if replacement.starts_with("\\=") {
            return false;
        }
        let flags =
            after_pattern(&format!("{delimiter}{replacement}")).unwrap_or_default().to_owned();
        match flags.split_once('|') {
            Some((_, next)) => self.ex_line(base, next, state),
            None => true,
        }
    }

    /// The file of `w`, `r` and the like; `w !command` hands the text to a command.
    fn ex_file(&mut self, kind: Kind, rest: &str, file: &str, state: &State) -> bool {
        let trimmed = rest.trim_start();
        if let Some(command) = trimmed.strip_prefix('!')
            && (trimmed.len() < rest.len() || kind == Kind::Read && !command.is_empty())
        {
            return self.handed(command, state);
        }
        let (file, next) = file.split_once('|').unwrap_or((file, ""));
        let file = file.trim().trim_start_matches(">>").trim();
        // What vi makes of such a name is not known.
        if file.starts_with('+') || file.contains(['%', '#', '`', '$', '*', '<']) {
            return false;
        }
        if !file.is_empty() {
            self.word(kind, &Word::known(file), state, None);
        }
        next.is_empty() || self.ex_line("vi", next, state)
    }

    fn handed(&mut self, command: &str, state: &State) -> bool {
        self.text(command, &mut state.clone(), &Input::default(), true);
        // It stands for the file's name, or for the last command.
        !command.contains(['%', '!'])
    }

    fn gdb(&mut self, line: &str, state: &State) -> bool {
        if let Some(command) = line.strip_prefix('!').or_else(|| line.strip_prefix("shell ")) {
            self.text(command, &mut state.clone(), &Input::default(), true);
            return true;
        }
        let (name, rest) = line.split_once([' ', '/']).unwrap_or((line, ""));
        match name {
            "set" => {
                let on = ["pagination ", "confirm ", "print ", "width ", "height ", "args "];
                on.iter().any(|start| rest.starts_with(start)) && !rest.contains(['(', '<', '>'])
            }
            // Its words may call functions of the program; `run` takes redirections.
            _ => LOOKS.contains(&name) && !rest.contains(['(', '<', '>', '|', '`', '$']),
        }
    }
}

/// `g/x/command` and `s/x/y/`: which of the two, and what follows the name.
fn repeated<'a>(name: &str, text: &'a str) -> Option<(char, &'a str)> {
    let rest = text.get(name.len()..)?;
    match name {
        "g" | "global" | "v" | "vglobal" => Some(('g', rest.strip_prefix('!').unwrap_or(rest))),
        "s" | "substitute" => Some(('s', rest)),
        _ => None,
    }
}

fn is_option(text: &str) -> bool {
    let name = text.split(['=', ':', '&', '!', '?', '+', '-']).next().unwrap_or_default();
    OPTIONS.contains(&name)
}

/// `a`, `i` and `c` of ed take the lines that follow, up to a dot.
fn is_insert(line: &str) -> bool {
    after_range(line.trim()).is_some_and(|text| matches!(text, "a" | "i" | "c"))
}

/// The command behind its addresses; nothing if a pattern among them does not end.
fn after_range(text: &str) -> Option<&str> {
    let mut text = text;
    loop {
        text = text.trim_start_matches(|c: char| c.is_ascii_digit() || ".$%,;+-* \t".contains(c));
        text = if text.starts_with(['/', '?']) {
            after_pattern(text)?
        } else if let Some(mark) = text.strip_prefix('\'') {
            mark.strip_prefix(|_: char| true)?
        } else {
            return Some(text);
        };
    }
}

/// What follows a pattern between two of its first character.
fn after_pattern(text: &str) -> Option<&str> {
    let delimiter = text.chars().next().filter(|c| !c.is_alphanumeric() && !c.is_whitespace())?;
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == delimiter => return text.get(at + c.len_utf8()..),
            _ => {}
        }
    }
    // The last delimiter may be left out.
    Some("")
}
