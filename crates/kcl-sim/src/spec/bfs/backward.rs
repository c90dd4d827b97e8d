/// The transitions of a searched graph, by the order in which its states were expanded.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// Where the transitions of each expanded state begin in `targets`.
    begins: Vec<usize>,
    targets: Vec<u32>,
    /// Whether each state is a goal.
    goals: Vec<bool>,
}

impl Edges {
    /// One more state, in the order of the numbers.
    pub(super) fn add_state(&mut self, is_goal: bool) {
        self.goals.push(is_goal);
    }

    /// The next state in the order of the numbers is expanded: the transitions that follow are its own.
    pub(super) fn begin_state(&mut self) {
        self.begins.push(self.targets.len());
    }

    pub(super) fn push(&mut self, to: u32) {
        self.targets.push(to);
    }

    fn of(&self, state: usize) -> &[u32] {
        let end = self.begins.get(state + 1).copied().unwrap_or(self.targets.len());
        self.begins.get(state).map_or(&[], |begin| &self.targets[*begin..end])
    }

    /// The first state from which no goal can be reached, and how many there are.
    pub(super) fn first_dead_end(&self) -> Option<(u32, usize)> {
        let alive = self.states_with_a_way();
        let dead = alive.iter().filter(|alive| !**alive).count();
        let first = alive.iter().position(|alive| !alive)?;
        Some((u32::try_from(first).unwrap_or(u32::MAX), dead))
    }

    /// Walks backward from the goals.
    fn states_with_a_way(&self) -> Vec<bool> {
        let states = self.goals.len();
        // The reversed transitions: counted, then placed.
        let mut ends = vec![0_usize; states + 1];
        for &to in &self.targets {
            ends[to as usize + 1] += 1;
        }
        for state in 0..states {
            ends[state + 1] += ends[state];
        }
        let mut next = ends.clone();
        let mut sources = vec![0_u32; self.targets.len()];
        for from in 0..states {
            for &to in self.of(from) {
                sources[next[to as usize]] = u32::try_from(from).unwrap_or(u32::MAX);
                next[to as usize] += 1;
            }
        }
        let mut alive = self.goals.clone();
        let mut open: Vec<usize> = (0..states).filter(|state| alive[*state]).collect();
        while let Some(state) = open.pop() {
            for &source in &sources[ends[state]..ends[state + 1]] {
                if !std::mem::replace(&mut alive[source as usize], true) {
                    open.push(source as usize);
                }
            }
        }
        alive
    }
}
