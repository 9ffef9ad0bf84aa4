//! How fast each chunk goes.

use super::{FlowId, Mark, Network, PipeId, Sharing};
use shared::swarm::Time;

impl Network {
    /// Gives each flow its rate after a change in these pipes.
    pub(super) fn share(&mut self, now: Time, changed: &[PipeId]) -> Vec<Mark> {
        let rates = match self.sharing {
            Sharing::Equal => self.equal_rates(changed),
            Sharing::MaxMin => self.max_min_rates(),
        };
        let mut marks = Vec::new();
        for (id, rate) in rates {
            let flow = &mut self.flows[id.0 as usize];
            if (flow.rate - rate).abs() > rate * 1e-9 {
                flow.advance(now);
                flow.rate = rate;
                flow.version += 1;
                marks.push(flow.next_mark(id));
            }
        }
        marks
    }

    fn equal_rates(&self, changed: &[PipeId]) -> Vec<(FlowId, f64)> {
        let share = |&pipe: &PipeId| {
            let pipe = &self.pipes[pipe as usize];
            pipe.rate / pipe.flows.len() as f64
        };
        let flows = changed.iter().flat_map(|&pipe| &self.pipes[pipe as usize].flows);
        let rate = |&id: &FlowId| {
            let path = self.flows[id.0 as usize].path();
            (id, path.iter().map(share).fold(f64::INFINITY, f64::min))
        };
        flows.map(rate).collect()
    }

    /// Progressive filling: the pipe with the smallest share per flow is filled first, and so on.
    fn max_min_rates(&self) -> Vec<(FlowId, f64)> {
        let mut open: Vec<usize> = self.pipes.iter().map(|pipe| pipe.flows.len()).collect();
        let mut room: Vec<f64> = self.pipes.iter().map(|pipe| pipe.rate).collect();
        let mut busy: Vec<usize> = (0..open.len()).filter(|&at| open[at] > 0).collect();
        let mut set = vec![false; self.flows.len()];
        let mut rates = Vec::new();
        loop {
            busy.retain(|&at| open[at] > 0);
            let shares = busy.iter().map(|&at| (room[at] / open[at] as f64, at));
            let Some((share, fullest)) = shares.min_by(|one, two| one.0.total_cmp(&two.0)) else { break };
            for &id in &self.pipes[fullest].flows {
                if !std::mem::replace(&mut set[id.0 as usize], true) {
                    rates.push((id, share));
                    for &at in self.flows[id.0 as usize].path() {
                        open[at as usize] -= 1;
                        room[at as usize] = (room[at as usize] - share).max(0.0);
                    }
                }
            }
        }
        rates
    }
}
