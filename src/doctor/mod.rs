//! `toolgate doctor`: tries everything for real, and shows what it saw.
//!
//! One list of checks, to which each plane adds its own. It looks at the sidecar that runs and at
//! the settings that decide, and then plays a session of the real client against a model of its
//! own. It never stops, changes or speaks for what is the user's: whatever is stopped, frozen or
//! written to is a copy in a scratch directory, and the client is kept off the network.

mod canary;
mod check;
mod claude;
mod codex;
mod egress;
mod files;
mod list;
mod model;
mod play;
mod sidecar;
mod subject;

pub use check::{Check, Outcome, Plane, Watch};
pub use list::CHECKS;
pub use play::stage;
pub use subject::{Request, Subject};

impl Check {
    /// Looks, and says what came of it.
    pub fn run(&self, subject: &Subject, watch: &Watch) -> Outcome {
        (self.look)(subject, watch)
    }
}

#[cfg(test)]
mod tests {
    use super::CHECKS;
    use std::collections::BTreeSet;

    #[test]
    fn each_check_has_a_name_of_its_own_and_says_why_and_how() {
        let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
        assert_eq!(names.len(), CHECKS.len());
        for check in CHECKS {
            let all = [check.title, check.matters, check.fix];
            assert!(all.iter().all(|text| text.len() > 10 && !text.ends_with('.')), "{}", check.id);
        }
    }
}
