//! What a run may be told: the same for both benchmarks.

use super::Failure;

/// Rules of a whole run.
const SIZES: [usize; 4] = [10, 1_000, 10_000, 100_000];
/// Rules with `--quick`.
const QUICK_SIZES: [usize; 2] = [10, 1_000];

/// What a run was told.
pub struct Options {
    /// How many rules, each in turn.
    pub sizes: Vec<usize>,
    /// Whether to measure rules with conditions and labels too.
    pub conditions: bool,
    /// Whether to measure only so much that one sees it work.
    pub quick: bool,
}

impl Options {
    /// Reads the arguments of the process.
    ///
    /// # Errors
    /// If one is not known.
    pub fn read() -> Result<Options, Failure> {
        let mut options = Options { sizes: Vec::new(), conditions: false, quick: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--conditions" => options.conditions = true,
                "--rules" => {
                    let number = arguments.next().ok_or("`--rules` takes a number")?;
                    options.sizes.push(number.parse()?);
                }
                // `cargo bench` adds it.
                "--bench" => {}
                _ => {
                    let known = "--quick, --conditions, --rules NUMBER";
                    return Err(format!("`{argument}` is none of {known}").into());
                }
            }
        }
        if options.sizes.is_empty() {
            let all = if options.quick { &QUICK_SIZES[..] } else { &SIZES[..] };
            options.sizes = all.to_vec();
        }
        Ok(options)
    }

    /// Each size, without conditions and, if so told, with.
    pub fn variants(&self) -> impl Iterator<Item = (usize, bool)> {
        let with = |size: &usize| {
            let (size, both) = (*size, if self.conditions { 2 } else { 1 });
            [(size, false), (size, true)].into_iter().take(both)
        };
        self.sizes.iter().flat_map(with)
    }

    /// How often all contenders take their turn.
    pub fn rounds(&self) -> usize {
        if self.quick { 1 } else { 8 }
    }
}
