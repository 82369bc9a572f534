//! The list of everything that has to be taken away, last made first.

use std::cell::RefCell;

use super::guard::Guard;
use super::undo::Undo;

/// A place in the list, to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(u64);

/// Everything that the lab made and has not yet taken away.
///
/// Dropping it takes everything away, so that an error on any path leads through the clean-up. A killed lab drops
/// nothing: for that there is the guard, which knows the same list.
#[derive(Debug, Default)]
pub(crate) struct Cleanup {
    list: RefCell<List>,
}

#[derive(Debug, Default)]
struct List {
    next: u64,
    steps: Vec<(u64, Undo)>,
    guard: Option<Guard>,
}

impl Cleanup {
    /// An empty list that `guard` is told about.
    #[must_use]
    pub(crate) fn guarded(guard: Guard) -> Self {
        Self { list: RefCell::new(List { guard: Some(guard), ..List::default() }) }
    }

    /// Where the list ends now.
    #[must_use]
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.list.borrow().next)
    }

    /// Adds a step. Call it before making the thing, where its name is known beforehand: a signal may come in
    /// between.
    pub(crate) fn push(&self, undo: Undo) {
        let mut list = self.list.borrow_mut();
        let id = list.next;
        list.next += 1;
        if let Some(guard) = &mut list.guard {
            guard.push(id, &undo);
        }
        list.steps.push((id, undo));
    }

    /// The marks of the steps since `mark`: what belongs to one instance.
    #[must_use]
    pub(crate) fn since(&self, mark: Mark) -> Vec<Mark> {
        self.list.borrow().steps.iter().map(|(id, _)| Mark(*id)).filter(|id| *id >= mark).collect()
    }

    /// Carries out one step, if that was not done yet.
    ///
    /// # Errors
    ///
    /// Says what is left behind.
    pub(crate) fn carry_out(&self, mark: Mark) -> anyhow::Result<()> {
        let step = {
            let mut list = self.list.borrow_mut();
            let place = list.steps.iter().position(|(id, _)| *id == mark.0);
            place.map(|place| list.steps.remove(place).1)
        };
        let Some(undo) = step else { return Ok(()) };
        let result = undo.carry_out();
        if let Some(guard) = &mut self.list.borrow_mut().guard {
            guard.done(mark.0);
        }
        result
    }

    /// Takes away everything that was made since `mark`, last made first, and says what could not be.
    #[must_use]
    pub(crate) fn back_to(&self, mark: Mark) -> Vec<String> {
        let mut marks = self.since(mark);
        marks.reverse();
        marks.into_iter().filter_map(|mark| self.carry_out(mark).err()).map(|e| format!("{e:#}")).collect()
    }

    /// Takes away everything, and says what could not be. Then lets the guard go.
    #[must_use]
    pub(crate) fn finish(&self) -> Vec<String> {
        let mut errors = self.back_to(Mark(0));
        let guard = self.list.borrow_mut().guard.take();
        errors.extend(guard.and_then(|guard| guard.finish().err()).map(|error| format!("{error:#}")));
        errors
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Nobody is left to tell; the check for residue names what stayed.
        let _ = self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_made_goes_first_and_each_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let cleanup = Cleanup::default();
        std::fs::create_dir(path("a")).unwrap();
        cleanup.push(Undo::Folder(path("a")));
        let mark = cleanup.mark();
        std::fs::write(path("a/b"), "").unwrap();
        cleanup.push(Undo::File(path("a/b")));

        assert_eq!(cleanup.back_to(mark), Vec::<String>::new());
        assert!(path("a").exists() && !path("a/b").exists());
        drop(cleanup);
        assert!(!path("a").exists());
    }
}
