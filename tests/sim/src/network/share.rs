//! Computes the rate of each flow.

use super::{FlowId, Mark, Network, PipeId, Sharing};
use shared::swarm::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl Network {
    /// Computes the rates after a change in these pipes.
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

    /// Progressive filling: the pipe with the smallest share per flow is filled first, and so on. Shares only grow
    /// meanwhile, so a share in the heap that is too small is put back.
    fn max_min_rates(&self) -> Vec<(FlowId, f64)> {
        let mut open: Vec<usize> = self.pipes.iter().map(|pipe| pipe.flows.len()).collect();
        let mut room: Vec<f64> = self.pipes.iter().map(|pipe| pipe.rate).collect();
        let share = |room: f64, open: usize| (room / open as f64).to_bits(); // of numbers >= 0: the same order
        let busy = (0..open.len()).filter(|&at| open[at] > 0);
        let mut order: BinaryHeap<Reverse<(u64, usize)>> =
            busy.map(|at| Reverse((share(room[at], open[at]), at))).collect();
        let mut set = vec![false; self.flows.len()];
        let mut rates = Vec::new();
        while let Some(Reverse((least, fullest))) = order.pop() {
            if open[fullest] == 0 {
                continue;
            }
            let now = share(room[fullest], open[fullest]);
            if now > least {
                order.push(Reverse((now, fullest)));
                continue;
            }
            let rate = f64::from_bits(now);
            for &id in &self.pipes[fullest].flows {
                if !std::mem::replace(&mut set[id.0 as usize], true) {
                    rates.push((id, rate));
                    for &at in self.flows[id.0 as usize].path() {
                        open[at as usize] -= 1;
                        room[at as usize] = (room[at as usize] - rate).max(0.0);
                    }
                }
            }
        }
        rates
    }
}
